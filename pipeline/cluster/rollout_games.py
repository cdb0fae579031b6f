"""Stretches of a learner's games as a backend plays them: on a node of the cluster, and on this machine beside it.

A stretch travels as one "game" of a job whose participants are the networks and whose conditions are the stretch. Loads
torch; knows nothing of Ray.
"""

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Lock
from typing import Final

import torch

from pipeline.cluster.messages import OpenRollouts
from pipeline.cluster.network_texts import computes, network_of_text, network_text, refuse_other_sums
from pipeline.evolution.device import prepare_cpu
from pipeline.evolution.league import RESIDENTS, League, OpponentShares, TeacherTargets
from pipeline.evolution.networks import Network, build_network
from pipeline.evolution.rollout import RolloutWorker, WorkerSetup
from pipeline.evolution.rollout_stretch import PlayedStretch, Stretch, packed, play_stretch, stretch_of
from pipeline.simulator.go_snake import GoSnake, go_snake_of
from pipeline.tuner.backends import GameOrder, PlayedGame
from pipeline.tuner.jobs import GameResult, JobFailure, JobKind, MatchJob, Participant, PlayConditions, SourceKind
from schemas.errors import OuroborosError, StoppedError
from schemas.network import light_network
from schemas.self_play import SelfPlaySettings
from schemas.settings import get_config

_NETWORKS_KEPT: Final = 2 * (1 + len(RESIDENTS))
_WORKERS_KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class StretchConditions(PlayConditions):
    """What is to be played. The job's participants are the learner and then who sits at `places` of RESIDENTS."""

    stretch: Stretch = field(kw_only=True)
    places: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class StretchResult(GameResult):
    """What came of a stretch, `rollout_stretch.packed`; its digest is the transcript."""

    played: bytes = b""


def stretch_job(name: str, stretch: Stretch, networks: Sequence[str | None]) -> MatchJob:
    """A job of one stretch; `networks`: the texts of the learner and of each of RESIDENTS (None: nobody sits there)."""
    places = tuple(place for place, text in enumerate(networks[1:]) if text is not None)
    people = tuple(Participant(SourceKind.PLAYER, text) for text in networks if text is not None)
    return MatchJob(name, JobKind.PROBE, people, (0,), (0,), StretchConditions(stretch=stretch, places=places))


def learner_text(network: Network) -> str | None:
    """A network as it travels, with its ways of computing; None: it cannot."""
    return network_text(network, low_precision=network.low_precision, pack_leaves=network.pack_leaves)


class RolloutBackend:
    """See `Backend`: plays so many stretches side by side as it has threads."""

    name = "rollouts"
    notice = "A learner's games are played in the simulator."

    def __init__(self, threads: int) -> None:
        self.capacity = threads
        self._pool = ThreadPoolExecutor(threads, "rollouts", initializer=torch.set_num_threads, initargs=(1,))
        self._networks: OrderedDict[str, Network] = OrderedDict()
        self._unwanted: dict[str, Event] = {}
        """By job, what ends it."""
        self._ended: SimpleQueue[PlayedGame] = SimpleQueue()
        self._idle: list[tuple[WorkerSetup, _Worker]] = []
        self._lock = Lock()
        self._go_snakes: dict[int, GoSnake | None] = {}
        """By the positions that it thinks of."""

    def begin(self, orders: Sequence[GameOrder]) -> None:
        """See `Backend.begin`."""
        for order in orders:
            conditions = order.job.conditions
            assert isinstance(conditions, StretchConditions)
            try:
                learner, *others = [self._network(who.text) for who in order.job.participants]
            except OuroborosError as error:
                self._ended.put(_failed(order, error))
                continue
            at_the_table = dict(zip(conditions.places, others, strict=True))
            networks = [learner, *(at_the_table.get(place) for place in range(len(RESIDENTS)))]
            unwanted = self._unwanted[order.job.id] = Event()
            self._pool.submit(self._play, order, conditions.stretch, networks, unwanted)

    def finished(self, timeout_s: float) -> list[PlayedGame]:
        """See `Backend.finished`."""
        found = []
        with suppress(Empty):
            found.append(self._ended.get(timeout=timeout_s) if timeout_s > 0 else self._ended.get_nowait())
            while True:
                found.append(self._ended.get_nowait())
        return [played for played in found if self._unwanted.pop(played.job_id, None) or _is_failure(played)]

    def drop(self, job_id: str) -> None:
        """See `Backend.drop`."""
        unwanted = self._unwanted.pop(job_id, None)
        if unwanted is not None:
            unwanted.set()

    def close(self) -> None:
        """See `Backend.close`."""
        for job_id in list(self._unwanted):
            self.drop(job_id)
        self._pool.shutdown(cancel_futures=True)
        for go_snake in self._go_snakes.values():
            if go_snake is not None:
                go_snake.close()

    def _network(self, text: str) -> Network:
        network = self._networks.get(text)
        if network is None:
            network, about = network_of_text(text)
            network.low_precision, network.pack_leaves = about["low_precision"], about["pack_leaves"]
            self._networks[text] = network
        self._networks.move_to_end(text)
        while len(self._networks) > _NETWORKS_KEPT:
            self._networks.popitem(last=False)
        return network

    def _play(self, order: GameOrder, stretch: Stretch, networks: Sequence[Network | None], unwanted: Event) -> None:
        """Play it; in one of the threads."""
        try:
            worker = self._worker(stretch.setup)
            played, told = packed(worker.play(stretch, networks, unwanted))
        except StoppedError:
            return
        except Exception as error:  # noqa: BLE001 - in a thread nobody else would hear of it
            self._ended.put(_failed(order, error))
            return
        with self._lock:
            self._idle = [(stretch.setup, worker), *self._idle][:_WORKERS_KEPT]
        nothing: tuple[str, ...] = ()
        seed, rotation = order.job.games[order.number]
        result = StretchResult(seed, rotation, (), stretch.turns, (), (), nothing, nothing, (), told, played)
        self._ended.put(PlayedGame(order.job.id, order.number, result))

    def _worker(self, setup: WorkerSetup) -> "_Worker":
        """One whose games are like these: to make one takes longer than to let it stand elsewhere."""
        with self._lock:
            for place, (known, worker) in enumerate(self._idle):
                if known == setup:
                    del self._idle[place]
                    return worker
        return _Worker(setup, self._go_snake(setup.settings))

    def _go_snake(self, settings: SelfPlaySettings) -> GoSnake | None:
        """The Go snake as the learner asks for it, built on this machine; None: it does not."""
        if not settings.asks_go_snake:
            return None
        with self._lock:
            if settings.go_snake_positions not in self._go_snakes:
                self._go_snakes[settings.go_snake_positions] = go_snake_of(settings, get_config().arena_dir)
            return self._go_snakes[settings.go_snake_positions]


class _Worker:
    """A worker with a league of its own, which are set to what each stretch says."""

    def __init__(self, setup: WorkerSetup, go_snake: GoSnake | None = None) -> None:
        settings = setup.settings  # with the room that the run's league has: who has none is not at the table
        self._league = League(
            settings.heuristics, settings.past_selves, settings.past_champions, settings.go_snake_weight
        )
        self._unwanted = Event()
        self._worker = RolloutWorker(
            setup.games, setup.snakes, self._league, OpponentShares(0.0, 0.0), setup.settings, 0, self._go_on,
            augmented=setup.augmented, go_snake=go_snake,
        )  # fmt: skip

    def play(self, stretch: Stretch, networks: Sequence[Network | None], unwanted: Event) -> PlayedStretch:
        """See `play_stretch`."""
        self._unwanted = unwanted
        return play_stretch(self._worker, self._league, stretch, networks)

    def _go_on(self) -> None:
        if self._unwanted.is_set():
            raise StoppedError("nobody wants this stretch of games any more")


def _failed(order: GameOrder, error: Exception) -> PlayedGame:
    failure = JobFailure(order.job.id, str(error), "a stretch of the learner's games", "")
    return PlayedGame(order.job.id, order.number, failure)


def _is_failure(played: PlayedGame) -> bool:
    return isinstance(played.result, JobFailure)


def own_rollouts() -> OpenRollouts:
    """What a node must be like to play what this process plays."""
    return OpenRollouts(computes())


def open_rollouts(opening: OpenRollouts, cores: int) -> RolloutBackend:
    """A backend that computes as the run does, and has played: whoever is asked for a stretch waits for no compiler.

    Raises:
        MachineError: other versions of what computes are installed here.
    """
    refuse_other_sums(opening.computes)
    prepare_cpu(1)
    _warm()
    return RolloutBackend(cores)


def _warm() -> None:
    """Play two turns with a teacher and an expert: what plays is compiled, or loaded, at its first use."""
    settings = SelfPlaySettings()
    league = League(settings.heuristics, 0, 0)
    worker = RolloutWorker(2, 2, league, OpponentShares(0.5, 0.0), settings, 1, augmented=True)
    stretch = stretch_of(worker, league, 2, TeacherTargets(1, 0.5, 1, 0.5))
    networks = [build_network(light_network()).eval(), *(None for _ in RESIDENTS)]
    packed(_Worker(stretch.setup).play(stretch, networks, Event()))
