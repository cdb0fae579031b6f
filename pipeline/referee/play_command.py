"""What `ouroboros play` does: games between any snakes, built and started if need be, and what came of them."""

import os
import signal
import sys
import tempfile
import webbrowser
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from time import monotonic
from types import FrameType

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task
from rich.text import Text

from pipeline.dashboard_link import dashboard_url, game_page, live_page
from pipeline.live_games import LiveGames
from pipeline.referee.endpoint import shown_url
from pipeline.referee.game_board import rehearse
from pipeline.referee.game_pool import Contestant
from pipeline.referee.introduction import introduce
from pipeline.referee.match import play_match
from pipeline.referee.outcome import GameOutcome
from pipeline.referee.play_report import as_json, show
from pipeline.referee.pool import RefereePool, workers_worth_having
from pipeline.referee.result import MatchResult
from pipeline.referee.schedule import MatchConditions, ScheduledGame, paired_schedule
from pipeline.referee.snake_process import SnakeCommand, SnakeProcess, running_snakes
from pipeline.referee.watching import BoardWatch
from pipeline.snake_builder import BuiltSnake, Cancelled, SnakeBuilder, filled, split_command
from schemas.errors import BadInputError
from schemas.live_game import LiveSource
from schemas.outside_text import NAME_LIMIT, line
from schemas.settings import Settings, get_config

BUILD_TIMEOUT_S = 600.0
BUILD_COMMAND = "go build -o {output} ."
RUN_COMMAND = "{binary}"
CONFIG_FILE = "config.yaml"
LONGEST_NAME = 48
"""Characters of a URL in a table; of a longer one the beginning and the end are shown."""


@dataclass(frozen=True, slots=True)
class PlayRequest:
    """What is to be played, as the command line tells it; `games` is rounded up to whole pairs."""

    urls: tuple[str, ...]
    folders: tuple[Path, ...]
    names: tuple[str, ...]
    build_commands: tuple[str, ...]
    run_commands: tuple[str, ...]
    conditions: MatchConditions
    games: int
    seed: int
    games_at_once: int | None
    failure_limit: float
    replay_dir: Path | None
    gauntlet: bool
    """The first snake in duels against each of the others, `games` with each."""
    as_json: bool
    watch: bool
    """Draw the board of a game while it is played, one game at once unless `games_at_once` says otherwise."""


def play_games(request: PlayRequest) -> None:
    """Play the games and show them.

    Raises:
        KeyboardInterrupt: Ctrl+C or TERM came; what was played has been shown.
        EvaluationError: too many games had failures; they have been shown.
        GameStateError: ruleset, map, board and number of snakes do not go together; nothing was built or started.
        OuroborosError: as `play_match` and `SnakeProcess.start`.
    """
    names = names_of(request.urls, request.folders, request.names)
    builds = commands_for(request.folders, request.build_commands, BUILD_COMMAND, "--build-command")
    runs = commands_for(request.folders, request.run_commands, RUN_COMMAND, "--run-command")
    rehearse(_schedule(request, len(names))[0], request.conditions)  # rules that do not exist: before anything is built
    console, settings = Console(stderr=request.as_json), get_config()
    if request.watch and request.replay_dir is None and dashboard_url(settings) is not None:
        request = replace(request, replay_dir=settings.replays_dir)  # what was watched can be opened again there
    with ExitStack() as stack:
        stop = stack.enter_context(_stop_on_signals())
        running = [Contestant(name, url) for name, url in zip(names, request.urls, strict=False)]
        built = stack.enter_context(started(request.folders, names[len(running) :], builds, runs, stop))
        contestants = [*running, *built]
        warnings = [identity.warning for identity in introduce([contestant.url for contestant in contestants])]
        result = _play(request, contestants, console, stop, settings)
    if request.as_json:
        sys.stdout.write(as_json(result, warnings, request.seed, gauntlet=request.gauntlet).decode() + "\n")
    else:
        show(result, warnings, console, gauntlet=request.gauntlet)
    _tell_pages(result, request, console, settings)
    if stop.is_set():
        raise KeyboardInterrupt
    result.require_sound()


def _tell_pages(result: MatchResult, request: PlayRequest, console: Console, settings: Settings) -> None:
    """Where the game that ended last opens on its board, if it was kept where the pages look."""
    kept = request.replay_dir is not None and request.replay_dir.absolute() == settings.replays_dir.absolute()
    if kept and result.games and (page := game_page(settings, result.games[-1].spec.game_id)):
        console.print(f"The last game on the board: {page}", soft_wrap=True)


def _play(
    request: PlayRequest, contestants: Sequence[Contestant], console: Console, stop: Event, settings: Settings
) -> MatchResult:
    conditions, schedule = request.conditions, _schedule(request, len(contestants))
    board = f"{conditions.width}x{conditions.height}"
    workers = workers_worth_having()
    console.print(
        f"{len(schedule)} games, seed {request.seed}, {conditions.ruleset} on map {conditions.map_id}, {board}"
    )
    if request.watch and (page := live_page(settings)):
        show_page(page, console)
    with ExitStack() as stack:
        # A game can only be watched in the process that plays it.
        pool = stack.enter_context(RefereePool(workers)) if workers > 1 and not request.watch else None
        column = GamesColumn()
        progress = Progress(SpinnerColumn(), column, console=console, transient=True)
        task = progress.add_task("", total=len(schedule))
        column.advance = lambda: progress.advance(task)
        watch = stack.enter_context(BoardWatch(console, progress)) if request.watch else None
        if watch is None:
            stack.enter_context(progress)
        return play_match(
            contestants,
            schedule,
            conditions,
            games_at_once=1 if watch and request.games_at_once is None else request.games_at_once,
            failure_limit=request.failure_limit,
            replay_dir=request.replay_dir,
            on_game=column.note,
            stop=stop.is_set,
            pool=pool,
            show=watch.show if watch else None,
            turn_delay_s=watch.turn_delay_s if watch else 0.0,
            live=LiveGames(settings.home, LiveSource.PLAY),
        )


def show_page(page: str, console: Console) -> None:
    """Tell the address of the games that are being played, and open it where a person sits at a desktop."""
    console.print(f"In the browser while it is played: {page}", soft_wrap=True)
    has_desktop = bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()) and "SSH_CONNECTION" not in os.environ
    if console.is_terminal and has_desktop:
        with suppress(webbrowser.Error, OSError):
            webbrowser.open(page)


def _schedule(request: PlayRequest, snakes: int) -> tuple[ScheduledGame, ...]:
    """Everybody in one game, every seed from every seat; in a gauntlet the first in duels, the same seeds for all."""
    if not request.gauntlet:
        return paired_schedule(-(-request.games // snakes), request.seed, tuple(range(snakes)))
    pairs = -(-request.games // 2)
    return tuple(
        replace(spec, pair=spec.pair + (other - 1) * pairs)
        for other in range(1, snakes)
        for spec in paired_schedule(pairs, request.seed, (0, other))
    )


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


class GamesColumn(ProgressColumn):
    """The progress line: games done, games per second until now, and how long none has ended.

    It is drawn anew several times a second, so that it is right too while no game ends.
    """

    QUIET_S = 5.0
    """From then on it is said how long no game has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.failed = 0
        self.last = monotonic()
        self.advance: Callable[[], None] = lambda: None

    def note(self, outcome: GameOutcome) -> None:
        """Count a finished game."""
        self.failed += outcome.failed
        self.last = monotonic()
        self.advance()

    def render(self, task: Task) -> Text:
        """Return the line as of now."""
        quiet_s = monotonic() - self.last
        rate = task.completed / task.elapsed if task.elapsed else 0.0
        failed = f", {self.failed} with failures" if self.failed else ""
        quiet = f", none ended for {quiet_s:.0f} s" if quiet_s >= self.QUIET_S else ""
        return Text(f"{task.completed:.0f} of {task.total or 0:.0f} games, {rate:.1f}/s{failed}{quiet}")


def names_of(urls: Sequence[str], folders: Sequence[Path], given: Sequence[str]) -> list[str]:
    """Return a name per snake, all different: those given, in order, then URLs without passwords and folders' names.

    Raises:
        BadInputError: more names than snakes, a name given twice, or one of which nothing would be seen.
    """
    count = len(urls) + len(folders)
    if not all(name.strip() for name in given):
        raise BadInputError("a name is empty", where="--name", remedy="Leave it out, or give some letters.")
    if len(given) > count or len(set(given)) < len(given):
        what = f"{len(given)} names for {count} snakes" if len(given) > count else "a name is given twice"
        raise BadInputError(what, where="--name", remedy="Name each snake once: first the --url, then the folders.")
    own = [_short(shown_url(url)) for url in urls] + [line(folder.resolve().name, NAME_LIMIT) for folder in folders]
    names = [*(line(name, NAME_LIMIT) for name in given), *own[len(given) :]]
    often = Counter(names)
    return [name if often[name] == 1 else f"{name} #{number}" for number, name in enumerate(names, start=1)]


def _short(url: str) -> str:
    if len(url) <= LONGEST_NAME:
        return line(url, NAME_LIMIT)
    return line(f"{url[: LONGEST_NAME // 2]}…{url[-LONGEST_NAME // 2 + 1 :]}", NAME_LIMIT)


def commands_for(folders: Sequence[Path], given: Sequence[str], default: str, option: str) -> list[str]:
    """Return a command per folder: the one given for all, or one given for each.

    Raises:
        BadInputError: another number of them, or no folder that they could be for.
    """
    if given and not folders:
        raise BadInputError("there is no folder to use it on", where=option, remedy="Give the folder with --snake-dir.")
    if len(given) not in (0, 1, len(folders)):
        raise BadInputError(
            f"{len(given)} commands for {len(folders)} folders",
            where=option,
            remedy="Give one for all folders, or one for each in their order.",
        )
    return list(given) if len(given) == len(folders) > 1 else [given[0] if given else default] * len(folders)


@contextmanager
def started(
    folders: Sequence[Path], names: Sequence[str], builds: Sequence[str], runs: Sequence[str], stop: Event
) -> Iterator[list[Contestant]]:
    """Build each folder's snake in a copy of its own and run it; one process per mention.

    Raises:
        SnakeError, SettingsError, MachineError: it does not build or start.
        KeyboardInterrupt: `stop` was set meanwhile.
    """
    with tempfile.TemporaryDirectory(prefix="ouroboros-play-") as scratch:
        snakes = []
        for index, (folder, name, build, run) in enumerate(zip(folders, names, builds, runs, strict=True)):
            place = Path(scratch) / str(index)
            place.mkdir()
            builder = SnakeBuilder(folder, place, CONFIG_FILE, build, BUILD_TIMEOUT_S, weights_at_start=False)
            try:
                built = builder.build(name, None, stop.is_set)
            except Cancelled:
                raise KeyboardInterrupt from None
            snakes.append(SnakeProcess(name, _command(run, built), place / "snake.log", stop=stop.is_set))
        with running_snakes(snakes):
            yield [Contestant(snake.name, snake.quickest_url) for snake in snakes]


def _command(run: str, built: BuiltSnake) -> SnakeCommand:
    words = split_command(run, "--run-command")
    if not words:
        raise BadInputError("it is empty", where="--run-command", remedy=f"The default is {RUN_COMMAND}.")
    argv = tuple(filled(words, {"binary": str(built.binary), "config": str(built.config)}))
    return SnakeCommand(argv, cwd=built.folder, settings_file=built.config if built.config.is_file() else None)
