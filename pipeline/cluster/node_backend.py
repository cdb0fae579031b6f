"""The games on one node: a backend that is told games in the words of `words` and keeps each answer until it has
arrived. Knows nothing of Ray: `player` puts it into an actor."""

import os
import shutil
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path

from pipeline.cluster import snake_packages
from pipeline.cluster.messages import (
    Guest,
    OpenGames,
    Opening,
    OpenMatches,
    OpenRollouts,
    Request,
    RequestAnswer,
    SentGame,
    SnakePackage,
)
from pipeline.snake_builder import Cancelled
from pipeline.tuner.backends import Backend, GameOrder, PlayedGame
from pipeline.tuner.jobs import JobKind, MatchJob, Participant, SourceKind
from schemas.cluster import NodeAnswer
from schemas.errors import MachineError
from schemas.tuning import TunerSettings

TEXTS_KEPT = 1024
"""Weights that are kept, the last used: a run that goes on for weeks tries hundreds of thousands."""
TEXT_CHARACTERS_KEPT = 256 << 20
"""Of them all together: a learner's weights are megabytes, and other ones after each update."""
GATHER_S = 0.1
"""Answers are gathered for so long: a call costs more than a game's bytes."""


class NodeBackend:
    """See the module's text.

    Args:
        folder: the node's own, with a state folder's rights.
        says: the guards' answer.
    """

    def __init__(self, folder: Path, says: Callable[[], NodeAnswer]) -> None:
        self._folder, self._says = folder, says
        self._backend: Backend | None = None
        self._texts: OrderedDict[str, str] = OrderedDict()
        """Weights by digest, the last used last."""
        self._open: dict[tuple[str, int], SentGame] = {}
        self._waiting: deque[SentGame] = deque()
        """Of those, the ones that were not begun: more at once than the backend wants would only slow all down."""
        self._kept: deque[tuple[int, PlayedGame]] = deque()
        """Answers on their way, by number."""
        self._told: set[tuple[str, int]] = set()
        """Games whose answers are on their way: sent once more, they are not played once more."""
        self._count = 0

    def missing(self, digests: tuple[str, ...]) -> tuple[str, ...]:
        """Which of these snakes are not here."""
        return tuple(digest for digest in digests if not (self._store / digest).is_dir())

    def keep(self, package: SnakePackage) -> None:
        """Take a snake's source.

        Raises:
            SnakeError, MachineError: see `snake_packages.unpacked_snake`.
        """
        snake_packages.unpacked_snake(package, self._store)

    def open(self, opening: Opening) -> tuple[int, str]:
        """Build the snake, or load what computes, and open a backend; its capacity and notice.

        Raises:
            SnakeError: it does not build.
            MachineError: it is not here; no toolchain, no disk.
        """
        if self._backend is None and isinstance(opening, OpenMatches):
            from pipeline.cluster.match_games import open_simulator  # torch: not for who plays a snake

            self._backend = open_simulator(opening)
        elif self._backend is None and isinstance(opening, OpenRollouts):
            from pipeline.cluster.rollout_games import open_rollouts

            self._backend = open_rollouts(opening, self._says().cores)
        elif self._backend is None:
            assert isinstance(opening, OpenGames)
            place = self._store / opening.package
            if not place.is_dir():
                raise MachineError("the snake did not arrive", where=opening.package[:12])
            self._backend = open_backend(place, opening, own_scratch(self._folder / "scratch"))
        return self._backend.capacity, self._backend.notice

    def exchange(self, request: Request) -> RequestAnswer:
        """Take games, give answers; the second call with the same content does nothing more than the first."""
        says = self._says()
        if self._backend is None:
            return RequestAnswer(says, trouble="no snake was opened here")
        while self._kept and self._kept[0][0] <= request.seen:
            _, played = self._kept.popleft()
            self._told.discard((played.job_id, played.number))
        self._keep_texts(request)
        try:
            for job_id in request.drops:
                self._drop(job_id)
            self._accept(request.games)
            self._gather(request.wait_s)
        except MachineError as error:
            self._open.clear()
            self._waiting.clear()
            return RequestAnswer(says, tuple(self._kept), trouble=str(error))
        return RequestAnswer(says, tuple(self._kept))

    @property
    def busy(self) -> bool:
        """Whether games are played here, or answers are on their way."""
        return bool(self._open or self._kept)

    def close(self) -> None:
        """End the snakes."""
        if self._backend is not None:
            self._backend.close()

    @property
    def _store(self) -> Path:
        return self._folder / "snakes"

    def _keep_texts(self, request: Request) -> None:
        self._texts.update(request.texts)
        for digest in [guest.digest for game in request.games for guest in game.guests]:
            if digest in self._texts:
                self._texts.move_to_end(digest)
        characters = sum(map(len, self._texts.values()))
        while len(self._texts) > TEXTS_KEPT or characters > TEXT_CHARACTERS_KEPT:
            characters -= len(self._texts.popitem(last=False)[1])

    def _accept(self, games: tuple[SentGame, ...]) -> None:
        for game in games:
            key = game.job_id, game.number
            if key not in self._open and key not in self._told:
                self._open[key] = game
                self._waiting.append(game)

    def _fill(self) -> None:
        assert self._backend is not None
        orders = []
        while self._waiting and len(self._open) - len(self._waiting) < self._backend.capacity:
            orders.append(GameOrder(self._job(self._waiting.popleft()), 0))
        if orders:
            self._backend.begin(orders)

    def _job(self, game: SentGame) -> MatchJob:
        """A job of this one game: the whole job's seeds need not travel."""
        people = tuple(self._participant(guest) for guest in game.guests)
        return MatchJob(_name(game), JobKind.PROBE, people, game.rotation, (game.seed,), game.conditions)

    def _participant(self, guest: Guest) -> Participant:
        if guest.source is SourceKind.FOLDER:
            place = self._store / guest.digest
            if not place.is_dir():
                raise MachineError("a snake did not arrive", where=guest.digest[:12])
            return Participant(guest.source, str(place))
        if guest.digest not in self._texts:
            raise MachineError("weights did not arrive", where=guest.digest[:12])
        return Participant(guest.source, self._texts[guest.digest])

    def _gather(self, wait_s: float) -> None:
        assert self._backend is not None
        deadline = time.monotonic() + wait_s
        gathered_from: float | None = None
        while True:
            self._fill()
            now = time.monotonic()
            end = deadline if gathered_from is None else min(deadline, gathered_from + GATHER_S)
            for played in self._backend.finished(max(0.0, min(end - now, wait_s))):
                self._take(played)
            if self._kept and gathered_from is None:
                gathered_from = now
            if time.monotonic() >= end or (self._kept and not self._open):
                self._fill()
                return

    def _take(self, played: PlayedGame) -> None:
        job_id, _, number = played.job_id.rpartition("#")
        key = job_id, int(number)
        if self._open.pop(key, None) is not None:
            self._count += 1
            self._kept.append((self._count, PlayedGame(*key, played.result)))
            self._told.add(key)

    def _drop(self, job_id: str) -> None:
        assert self._backend is not None
        self._waiting = deque(game for game in self._waiting if game.job_id != job_id)
        for key in [key for key in self._open if key[0] == job_id]:
            self._backend.drop(_name(self._open.pop(key)))


def own_scratch(parent: Path) -> Path:
    """A folder of this process's; those of players that were killed are removed.

    Raises:
        MachineError: no disk.
    """
    try:
        own = parent / str(os.getpid())
        own.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"no scratch folder can be made: {error.strerror}", where=str(parent)) from error
    for other in parent.iterdir():
        if not Path("/proc", other.name).exists():
            shutil.rmtree(other, ignore_errors=True)
    return own


def open_backend(place: Path, opening: OpenGames, scratch: Path) -> Backend:
    """The fastest backend that the snake allows, with a program that is built once for all runs of this node.

    Raises:
        SnakeError, MachineError: see `snake_packages.built`.
    """
    from pipeline.tuner.backends.http import HttpBackend
    from pipeline.tuner.backends.inprocess import open_inprocess
    from pipeline.tuner.backends.running_snakes import CONFIG_PLACE
    from schemas.tuning import BackendChoice

    tuner, run_command = opening.tuner, opening.run_command
    folder, ready = place, tuner
    try:
        if tuner.build_command:
            folder, ready = snake_packages.built(place, tuner, lambda: False), _without_build(tuner)
    except Cancelled:  # pragma: no cover - nobody abandons it
        raise MachineError("the build was given up") from None

    def over_http(why: str) -> Backend:
        # Weights that are part of the program need a build each.
        if CONFIG_PLACE in run_command:
            return HttpBackend(folder, scratch, ready, run_command, why)
        return HttpBackend(place, scratch, tuner, run_command, why)

    if tuner.backend is not BackendChoice.HTTP:
        opened = open_inprocess(folder, scratch, ready, lambda: False, over_http)
        if not isinstance(opened, str):
            return opened
        return over_http(opened)
    return over_http("the settings ask for it")


def _without_build(tuner: TunerSettings) -> TunerSettings:
    return tuner.model_copy(update={"build_command": ""})


def _name(game: SentGame) -> str:
    return f"{game.job_id}#{game.number}"
