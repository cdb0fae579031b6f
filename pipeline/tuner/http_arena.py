"""The real arena: snakes built from source, started as processes, and played by the referee over HTTP."""

import contextlib
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.referee import Conditions, Contestant, GameSpec, PairOutcome, SnakeCommand, SnakeProcess, play_match
from pipeline.snakes.abandoned import Abandoned
from pipeline.snakes.workshop import BuiltSnake, Workshop, filled, split_command
from pipeline.tuner.arena import Player, Round, RoundResult
from schemas.errors import MachineError, SettingsError, SnakeError
from schemas.tuning import TunerSettings

CONFIG_PLACE = "{config}"
_END_KNOWN_AFTER_S = 0.5


class HttpPlayer:
    """A snake that answers at a URL."""

    def __init__(
        self, name: str, url: str, close: Callable[[], None], require_running: Callable[[], None] | None = None
    ) -> None:
        self._name, self.url, self._close = name, url, close
        self.require_running = require_running or _nothing
        """Raises SnakeError, with its last words, if we started it and it has ended by itself."""

    @property
    def name(self) -> str:
        return self._name

    def close(self) -> None:
        close, self._close = self._close, _nothing
        close()


class HttpArena:
    """Builds in a scratch folder below `folder`, removed again at the end.

    Args:
        source: the snake's folder, only read.
        run_command: see `TunerSettings.run_command`; with `{config}` in it one build serves all weights.

    Raises:
        SettingsError: a command or a condition of the games makes no sense.
    """

    def __init__(self, source: Path, folder: Path, settings: TunerSettings, run_command: str) -> None:
        self._source, self._folder, self._settings = source, folder, settings
        self._run_words = split_command(run_command, "run_command")
        if not self._run_words:
            raise SettingsError("run_command is empty", remedy="The default is {binary}.")
        self._conditions = Conditions(
            width=settings.width,
            height=settings.height,
            ruleset=settings.ruleset,
            map_id=settings.map,
            timeout_ms=settings.timeout_ms,
            max_turns=settings.max_turns,
        )
        self._running: list[HttpPlayer] = []

    def __enter__(self) -> Self:
        for stale in self._folder.glob("scratch_*"):  # of a tuner that was killed; the folder's lock is ours
            shutil.rmtree(stale, ignore_errors=True)
        try:
            self._scratch = Path(tempfile.mkdtemp(prefix="scratch_", dir=self._folder))
        except OSError as error:
            raise MachineError(
                f"no scratch folder can be made: {error.strerror}", where=str(self._folder), remedy="Free some space."
            ) from error
        self._workshop = self._open_workshop(self._source)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for player in list(self._running):
            player.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def player(self, name: str, config: str, abandon: Callable[[], bool]) -> HttpPlayer:
        """See `Arena.player`."""
        return self._started(self._workshop, name, config, abandon)

    def opponent(self, where: str, abandon: Callable[[], bool]) -> HttpPlayer:
        """See `Arena.opponent`."""
        if where.startswith(("http://", "https://")):
            return HttpPlayer(where, where, _nothing)
        return self._started(self._open_workshop(Path(where)), f"opponent {Path(where).name}", None, abandon)

    def play(
        self, rounds: Sequence[Round], on_round: Callable[[RoundResult], bool], abandon: Callable[[], bool]
    ) -> None:
        """See `Arena.play`."""
        players = list(dict.fromkeys(player for round_ in rounds for match in round_.matches for player in match))
        place = {player: number for number, player in enumerate(players)}
        matches = [[(place[first], place[second]) for first, second in round_.matches] for round_ in rounds]
        schedule = [
            GameSpec(number, round_.seed, seats)
            for number, round_ in enumerate(rounds)
            for first, second in matches[number]
            for seats in ((first, second), (second, first))
        ]
        enough = failed = False

        def note(pair: PairOutcome) -> None:
            nonlocal enough, failed
            if not enough:
                result = _result(pair, matches[pair.pair], [player.name for player in players])
                failed = failed or result.failed_games > 0
                enough = on_round(result)

        play_match(
            [Contestant(player.name, _url(player)) for player in players],
            schedule,
            self._conditions,
            games_at_once=self._settings.parallel_games,
            failure_limit=1.0,  # the trial judges failures: it knows how many games a sequential test will play
            on_pair=note,
            stop=lambda: enough or abandon(),
        )
        if not enough and abandon():
            raise Abandoned
        if failed:
            _require_running(players)

    def _open_workshop(self, source: Path) -> Workshop:
        return Workshop(
            source,
            Path(tempfile.mkdtemp(dir=self._scratch)),
            self._settings.config_file,
            self._settings.build_command,
            self._settings.build_timeout_s,
            weights_at_start=any(CONFIG_PLACE in word for word in self._run_words),
        )

    def _started(self, workshop: Workshop, name: str, config: str | None, abandon: Callable[[], bool]) -> HttpPlayer:
        built = workshop.build(name, config, abandon)
        process = SnakeProcess(
            name,
            SnakeCommand(self._words_for(built), cwd=built.folder),
            self._scratch / f"{re.sub('[^A-Za-z0-9]+', '_', name)}.log",
            start_deadline_s=self._settings.start_timeout_s,
            stop=abandon,
        )
        try:
            process.start()
        except SnakeError:
            workshop.release(built)
            if abandon():
                raise Abandoned from None
            raise
        except BaseException:
            workshop.release(built)
            raise

        def close() -> None:
            with contextlib.suppress(ValueError):
                self._running.remove(player)
            process.stop()
            workshop.release(built)

        player = HttpPlayer(name, process.url, close, process.require_running)
        self._running.append(player)
        return player

    def _words_for(self, built: BuiltSnake) -> tuple[str, ...]:
        return tuple(filled(self._run_words, {"binary": str(built.binary), "config": str(built.config)}))


def _require_running(players: Sequence[Player]) -> None:
    """After failed games: the last words of a snake that has ended say more than its silence.

    An end takes a moment to be known, so it is looked for a little while.
    """
    deadline = time.monotonic() + _END_KNOWN_AFTER_S
    while time.monotonic() < deadline:
        for player in players:
            if isinstance(player, HttpPlayer):
                player.require_running()
        time.sleep(_END_KNOWN_AFTER_S / 20)


def _url(player: Player) -> str:
    assert isinstance(player, HttpPlayer)
    return player.url


def _result(pair: PairOutcome, matches: Sequence[tuple[int, int]], names: Sequence[str]) -> RoundResult:
    scores = []
    for first, second in matches:
        games = [game for game in pair.games if set(game.spec.seats) == {first, second}]
        scores.append(sum(game.score(first) for game in games) / len(games))
    failures = {
        f"{names[snake.contestant]}: {kind}" for game in pair.games for snake in game.snakes for kind in snake.failures
    }
    return RoundResult(
        seed=pair.seed,
        scores=tuple(scores),
        games=len(pair.games),
        failed_games=sum(game.failed for game in pair.games),
        failures=tuple(sorted(failures)),
    )


def _nothing() -> None:
    pass
