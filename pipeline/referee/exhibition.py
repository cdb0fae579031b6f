"""What `ouroboros play` does: games between any snakes, started if need be, and a table of what came of them."""

import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text
from scipy.stats import binomtest

from pipeline.referee.conditions import Conditions
from pipeline.referee.hall import Contestant
from pipeline.referee.match import play_match
from pipeline.referee.outcome import GameOutcome
from pipeline.referee.pool import RefereePool, workers_worth_having
from pipeline.referee.result import ContestantTally, MatchResult
from pipeline.referee.schedule import paired_schedule
from pipeline.referee.snake_process import SnakeCommand, SnakeProcess, running_snakes
from pipeline.snakes.abandoned import Abandoned
from pipeline.snakes.workshop import Workshop
from schemas.outside_text import NAME_LIMIT, line

BUILD_TIMEOUT_S = 600.0
CONFIDENCE = 0.95
Word = TypeVar("Word", bound=str)


def play_exhibition(
    urls: Sequence[str],
    folders: Sequence[Path],
    conditions: Conditions,
    *,
    games: int,
    seed: int,
    games_at_once: int | None,
    failure_limit: float,
    replay_dir: Path | None,
) -> None:
    """Play `games` games, rounded up to whole pairs, between running snakes and Go snakes built from folders.

    Raises:
        KeyboardInterrupt: Ctrl+C or TERM came; what was played has been shown.
        EvaluationError: too many games had failures; they have been shown.
        OuroborosError: as `play_match` and `SnakeProcess.start`.
    """
    seats = tuple(range(len(urls) + len(folders)))
    schedule = paired_schedule(-(-games // len(seats)), seed, seats)
    console = Console()
    workers = workers_worth_having()
    with ExitStack() as stack:
        stop = stack.enter_context(_stop_on_signals())
        contestants = [*_named(urls), *stack.enter_context(_started(folders, stop))]
        board = f"{conditions.width}x{conditions.height}"
        console.print(f"{len(schedule)} games, seed {seed}, {conditions.ruleset} on map {conditions.map_id}, {board}")
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
        table.add_row(Text(tally.name), *counts, win_rate_text(tally), latencies)
    console.print(table)
    for tally in tallies:
        console.print(
            f"{tally.name} died of: {_counts(tally.causes, skip='') or 'nothing'}", highlight=False, markup=False
        )
        console.print(
            f"{tally.name} failed to answer: {_counts(tally.failures) or 'never'}", highlight=False, markup=False
        )
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
            plain = line(folder.resolve().name, NAME_LIMIT)
            name = plain if folders.count(folder) == 1 else f"{plain} #{index + 1}"
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
            yield [Contestant(snake.name, snake.quickest_url) for snake in snakes]


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
