"""`ouroboros play`: games between any snakes, and a table of what came of them."""

import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import randbits
from threading import Event
from types import FrameType
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table
from scipy.stats import binomtest

from pipeline.referee.conditions import Conditions, RuleNumbers
from pipeline.referee.hall import Contestant
from pipeline.referee.match import play_match
from pipeline.referee.outcome import GameOutcome
from pipeline.referee.pool import RefereePool, workers_worth_having
from pipeline.referee.result import FAILURE_LIMIT, ContestantTally, MatchResult
from pipeline.referee.schedule import paired_schedule
from pipeline.referee.snake_process import SnakeCommand, SnakeProcess, running_snakes
from pipeline.tuner.arena import Abandoned
from pipeline.tuner.workshop import Workshop
from schemas.errors import BadInputError

BUILD_TIMEOUT_S = 600.0
CONFIDENCE = 0.95
Word = TypeVar("Word", bound=str)


@click.command("play")
@click.option("--url", "urls", multiple=True, metavar="URL", help="A running snake; may be repeated.")
@click.option(
    "--snake-dir", "folders", multiple=True, type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of a Go snake, to be built and started; may be repeated. These sit behind the --url snakes.",
)  # fmt: skip
@click.option(
    "--games", default=100, show_default=True, type=click.IntRange(1), help="Games; rounded up to whole pairs."
)
@click.option("--seed", type=click.IntRange(0), help="Of all games; default: a fresh one, which is printed.")
@click.option("--ruleset", default="standard", show_default=True)
@click.option("--map", "map_id", default="standard", show_default=True)
@click.option("--width", default=11, show_default=True)
@click.option("--height", default=11, show_default=True)
@click.option("--food-spawn-chance", default=15, show_default=True, help="Percent.")
@click.option("--minimum-food", default=1, show_default=True)
@click.option("--hazard-damage", default=14, show_default=True)
@click.option("--shrink-every", default=25, show_default=True, help="Turns between royale's new hazards.")
@click.option("--timeout-ms", default=500, show_default=True)
@click.option("--max-turns", default=1000, show_default=True)
@click.option("--games-at-once", type=click.IntRange(1), help="Default: four per core.")
@click.option("--failure-limit", default=FAILURE_LIMIT, show_default=True, type=click.FloatRange(0, 1),
              help="Share of games with time-outs or crashes above which nothing is scored.")  # fmt: skip
@click.option("--replay-dir", type=click.Path(path_type=Path, file_okay=False), help="Keep every game here.")
def play(
    urls: tuple[str, ...],
    folders: tuple[Path, ...],
    games: int,
    seed: int | None,
    ruleset: str,
    map_id: str,
    width: int,
    height: int,
    food_spawn_chance: int,
    minimum_food: int,
    hazard_damage: int,
    shrink_every: int,
    timeout_ms: int,
    max_turns: int,
    games_at_once: int | None,
    failure_limit: float,
    replay_dir: Path | None,
) -> None:
    """Play games between snakes, every seed from every seat, and show who won and why snakes died."""
    if not urls and not folders:
        raise BadInputError("no snake to play with", where="the command line", remedy="Give --url or --snake-dir.")
    numbers = RuleNumbers(food_spawn_chance, minimum_food, hazard_damage, shrink_every)
    conditions = Conditions(width, height, ruleset, map_id, numbers, timeout_ms, max_turns)
    seed = randbits(48) if seed is None else seed
    seats = tuple(range(len(urls) + len(folders)))
    schedule = paired_schedule(-(-games // len(seats)), seed, seats)
    console = Console()
    workers = workers_worth_having()
    with ExitStack() as stack:
        stop = stack.enter_context(_stop_on_signals())
        contestants = [*_named(urls), *stack.enter_context(_started(folders, stop))]
        console.print(f"{len(schedule)} games, seed {seed}, {ruleset} on map {map_id}, {width}x{height}")
        with _progress(console, len(schedule)) as on_game:
            result = play_match(
                contestants,
                schedule,
                conditions,
                games_at_once=games_at_once,
                failure_limit=failure_limit,
                replay_dir=replay_dir,
                on_game=on_game,
                stop=stop.is_set,
                pool=stack.enter_context(RefereePool(workers)) if workers > 1 else None,
            )
    show(result, console)
    if stop.is_set():
        raise KeyboardInterrupt
    result.require_sound()


def show(result: MatchResult, console: Console) -> None:
    """Print a match: one line per contestant with its wins and their Wilson interval, then why they died."""
    tallies = [result.tally(contestant) for contestant in range(len(result.names))]
    table = Table(title=f"{len(result.games)} of {len(result.schedule)} games, {result.games_per_s:.1f} games/s")
    table.add_column("snake", overflow="fold")
    for heading in ("won", "drawn", "lost", "limit", "win rate, 95 %", "ms p50/p99"):
        table.add_column(heading, justify="right", no_wrap=True)
    for tally in tallies:
        counts = map(str, (tally.wins, tally.draws, tally.losses, tally.turn_limits))
        latencies = f"{tally.latency_p50_ms:.1f}/{tally.latency_p99_ms:.1f}"
        table.add_row(tally.name, *counts, win_rate_text(tally), latencies)
    console.print(table)
    for tally in tallies:
        console.print(f"{tally.name} died of: {_counts(tally.causes, skip='') or 'nothing'}", highlight=False)
        console.print(f"{tally.name} failed to answer: {_counts(tally.failures) or 'never'}", highlight=False)
    console.print(f"Games with a time-out or another failure: {result.failed_games} of {len(result.games)}.")


def win_rate_text(tally: ContestantTally) -> str:
    """Return wins per game with the 95 % Wilson interval, which takes games as independent."""
    if tally.seats == 0:
        return "-"
    interval = binomtest(tally.wins, tally.seats).proportion_ci(CONFIDENCE, "wilson")
    return f"{tally.wins / tally.seats:.1%} [{interval.low:.1%}, {interval.high:.1%}]"


def _counts(counts: Mapping[Word, int], skip: str | None = None) -> str:
    words = sorted(((count, str(word)) for word, count in counts.items() if word != skip), reverse=True)
    return ", ".join(f"{count} {word}" for count, word in words)


def _named(urls: Sequence[str]) -> list[Contestant]:
    return [Contestant(url if urls.count(url) == 1 else f"{url} #{index + 1}", url) for index, url in enumerate(urls)]


@contextmanager
def _started(folders: Sequence[Path], stop: Event) -> Iterator[list[Contestant]]:
    """Build each folder's snake once and run one process per mention of it."""
    with tempfile.TemporaryDirectory(prefix="ouroboros-play-") as scratch:
        snakes = []
        for index, folder in enumerate(folders):
            place = Path(scratch) / str(index)
            place.mkdir()
            name = folder.resolve().name if folders.count(folder) == 1 else f"{folder.resolve().name} #{index + 1}"
            shop = Workshop(
                folder, place, "config.yaml", "go build -o {output} .", BUILD_TIMEOUT_S, weights_at_start=False
            )
            try:
                built = shop.build(name, None, stop.is_set)
            except Abandoned:
                raise KeyboardInterrupt from None
            command = SnakeCommand((str(built.binary),), cwd=built.folder)
            snakes.append(SnakeProcess(name, command, place / "snake.log", stop=stop.is_set))
        with running_snakes(snakes):
            yield [Contestant(snake.name, snake.url) for snake in snakes]


@contextmanager
def _stop_on_signals() -> Iterator[Event]:
    """An event that Ctrl+C and SIGTERM set, so that what was played is still shown and every snake is ended."""
    stop = Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(console: Console, games: int) -> Iterator["_Counter"]:
    line = Progress(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True)
    with line:
        yield _Counter(line, games)


class _Counter:
    """The progress line: games done and games per second."""

    def __init__(self, line: Progress, games: int) -> None:
        self._line = line
        self._games = games
        self._task = line.add_task(f"0 of {games} games", total=games)
        self._failed = 0

    def __call__(self, outcome: GameOutcome) -> None:
        self._failed += outcome.failed
        self._line.advance(self._task)
        task = self._line.tasks[self._task]
        rate = task.completed / task.elapsed if task.elapsed else 0.0
        failed = f", {self._failed} with failures" if self._failed else ""
        self._line.update(self._task, description=f"{task.completed:.0f} of {self._games} games, {rate:.1f}/s{failed}")
