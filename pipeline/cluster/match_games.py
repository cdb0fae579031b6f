"""Games of networks and heuristics in the simulator, as a backend plays them: what a node of the cluster does when a
network is judged, and this machine beside it. Loads torch; knows nothing of Ray."""

import time
from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from math import nan
from typing import Final

import numpy as np

from pipeline.cluster.messages import OpenMatches
from pipeline.cluster.network_texts import computes, network_of_text, network_text, refuse_other_sums
from pipeline.engine.layout import CAUSE_WORDS, OVER
from pipeline.engine.players.match import GameConditions
from pipeline.engine.slots import Outcomes
from pipeline.evolution.device import prepare_cpu
from pipeline.evolution.networks import build_network
from pipeline.evolution.policy import TorchPolicy
from pipeline.simulator.competitor import HEURISTIC, Competitor, from_policy, heuristic
from pipeline.simulator.match_batch import MatchBatch
from pipeline.tuner.backends import GameOrder, PlayedGame
from pipeline.tuner.jobs import (
    GameResult,
    JobFailure,
    JobKind,
    MatchJob,
    Participant,
    PlayConditions,
    SourceKind,
)
from schemas.errors import ModelError
from schemas.network import light_network

SLOTS: Final = 64
"""Games at once: a network is asked for all their snakes together, in batches of 64."""
_PLAYERS_KEPT: Final = 16
_REST_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class SimulatorConditions(PlayConditions):
    """How games in the simulator are played; the referee's conditions say nothing of them."""

    game: GameConditions = field(default_factory=GameConditions)
    tapes: bool = False
    """Whether results hold the games' tapes; their transcripts are made of them in any case."""


@dataclass(frozen=True, slots=True)
class SimulatedGame(GameResult):
    """A game of the simulator: all that `matches.Finished` tells of one, by seat."""

    ranks: tuple[int, ...] = ()
    cause_numbers: tuple[int, ...] = ()
    """Index into `layout.CAUSE_WORDS`."""
    killers: tuple[int, ...] = ()
    """Seat; -1: nobody."""
    tape: bytes = b""


class SimulatorBackend:
    """See `Backend`. It plays while it is waited for (`finished`), in the thread that waits."""

    name = "simulator"
    notice = "Networks and heuristics play in the simulator."
    capacity = SLOTS

    def __init__(self) -> None:
        self._tables: dict[Hashable, _Table] = {}
        self._players: OrderedDict[str, Competitor] = OrderedDict()
        self._failed: list[PlayedGame] = []

    def begin(self, orders: Sequence[GameOrder]) -> None:
        """See `Backend.begin`."""
        for order in orders:
            conditions = order.job.conditions
            assert isinstance(conditions, SimulatorConditions)
            key = order.job.participants, conditions.game
            try:
                table = self._tables.get(key) or self._tables.setdefault(key, self._table(order, conditions.game))
            except (ModelError, KeyError) as error:
                failure = JobFailure(order.job.id, str(error), "the simulator", "")
                self._failed.append(PlayedGame(order.job.id, order.number, failure))
            else:
                table.waiting.append(order)

    def finished(self, timeout_s: float) -> list[PlayedGame]:
        """See `Backend.finished`."""
        end_s = time.monotonic() + timeout_s
        ended, self._failed = self._failed, []
        while not ended:
            for key in [key for key, table in self._tables.items() if not table.busy]:
                del self._tables[key]
            for table in self._tables.values():
                ended += table.turn()
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                break
            if not self._tables:
                time.sleep(min(left_s, _REST_S))
        return ended

    def drop(self, job_id: str) -> None:
        """See `Backend.drop`."""
        for table in self._tables.values():
            table.drop(job_id)

    def close(self) -> None:
        """See `Backend.close`."""
        self._tables.clear()

    def _table(self, order: GameOrder, conditions: GameConditions) -> "_Table":
        return _Table([self._player(who) for who in order.job.participants], conditions)

    def _player(self, who: Participant) -> Competitor:
        player = self._players.get(who.text)
        if player is None:
            player = self._players[who.text] = player_of(who.text)
        self._players.move_to_end(who.text)
        while len(self._players) > _PLAYERS_KEPT:
            self._players.popitem(last=False)
        return player


class _Table:
    """Games between the same players under the same conditions, in one batch."""

    def __init__(self, players: Sequence[Competitor], conditions: GameConditions) -> None:
        self._players, self._seats = players, conditions.snakes
        self._batch = MatchBatch(players, conditions, SLOTS, tapes=True, threads=1)
        self._orders: list[GameOrder | None] = [None] * SLOTS
        self.waiting: deque[GameOrder] = deque()
        every = np.arange(SLOTS)
        self._batch.seat(every, np.zeros((SLOTS, self._seats), np.uint8), np.zeros(SLOTS, np.int64))
        self._batch.records.fields[every, OVER] = 1  # a game must stand in each slot, and none is played yet

    @property
    def busy(self) -> bool:
        """Whether games wait or are under way."""
        return bool(self.waiting) or any(order is not None for order in self._orders)

    def turn(self) -> list[PlayedGame]:
        """Play one turn of every game; those that ended on it."""
        self._seat()
        ended = self._batch.turn()
        if ended is None:
            return []
        played = []
        for row, slot in enumerate(ended.slot.tolist()):
            order, self._orders[slot] = self._orders[slot], None
            if order is not None:
                played.append(PlayedGame(order.job.id, order.number, _result(ended, row, order)))
        return played

    def drop(self, job_id: str) -> None:
        """Nobody wants this job's games."""
        self.waiting = deque(order for order in self.waiting if order.job.id != job_id)
        for slot, order in enumerate(self._orders):
            if order is not None and order.job.id == job_id:
                self._orders[slot] = None
                self._batch.records.fields[slot, OVER] = 1

    def _seat(self) -> None:
        free = [slot for slot, order in enumerate(self._orders) if order is None][: len(self.waiting)]
        if not free:
            return
        games = []
        for slot in free:
            order = self._orders[slot] = self.waiting.popleft()
            games.append(order.job.games[order.number])
        seatings = np.array([seating for _, seating in games], np.uint8)
        self._batch.seat(np.array(free), seatings, np.array([seed for seed, _ in games], np.int64))


def _result(ended: Outcomes, row: int, order: GameOrder) -> SimulatedGame:
    seed, rotation = order.job.games[order.number]
    conditions = order.job.conditions
    assert isinstance(conditions, SimulatorConditions)
    ranks, causes, killers, deaths, lengths = (
        tuple(getattr(ended, name)[row].tolist()) for name in ("rank", "cause", "killer", "died_on", "length")
    )
    turns, tape = int(ended.turns[row]), ended.tapes[row]
    first = ranks.count(1)
    told = repr((seed, turns, ranks, causes, killers, deaths, lengths)).encode()
    return SimulatedGame(
        seed=seed,
        rotation=rotation,
        scores=tuple(1 / first if rank == 1 else 0.0 for rank in ranks),
        turns=turns,
        lengths=lengths,
        died_on=deaths,
        causes=tuple(CAUSE_WORDS[cause] if cause else "" for cause in causes),
        failures=("",) * len(ranks),
        move_ms=(nan,) * len(ranks),
        transcript=blake2b(told + tape, digest_size=16).hexdigest(),
        ranks=ranks,
        cause_numbers=causes,
        killers=killers,
        tape=tape if conditions.tapes else b"",
    )


def text_of(player: Competitor) -> str | None:
    """A player as text: a heuristic's name, or a network whole; None: it cannot travel (it computes on a GPU, or is no
    network of ours)."""
    if player.policy is None:
        return player.name
    policy = player.policy
    if not isinstance(policy, TorchPolicy):
        return None
    return network_text(policy.network, name=policy.name, temperature=policy.temperature)


def player_of(text: str) -> Competitor:
    """The inverse of `text_of`.

    Raises:
        KeyError: no such heuristic. ModelError: no network of this version.
    """
    if text.startswith(HEURISTIC):
        return heuristic(text.removeprefix(HEURISTIC))
    network, about = network_of_text(text)
    try:
        return from_policy(TorchPolicy(network, about["name"], temperature=about["temperature"]))
    except (ValueError, KeyError) as error:
        raise ModelError(f"a network did not arrive whole: {error}", where=text[:60]) from error


def own_opening(threads: int) -> OpenMatches:
    """What a node must be like to play what this process plays."""
    return OpenMatches(threads, computes())


def open_simulator(opening: OpenMatches) -> SimulatorBackend:
    """A backend that computes as the run does, the same sums in the same order, and has played: whoever is asked for a
    game next waits for no compiler.

    Raises:
        MachineError: other versions of what computes are installed here.
    """
    refuse_other_sums(opening.computes)
    prepare_cpu(opening.threads)
    _warm()
    return SimulatorBackend()


def _warm() -> None:
    """Play two turns of a game of a network and a heuristic: what plays is compiled, or loaded, at its first use."""
    network = TorchPolicy(build_network(light_network()), "model:warm")
    people = [
        Participant(SourceKind.PLAYER, str(text_of(player))) for player in (from_policy(network), heuristic("strong"))
    ]
    conditions = SimulatorConditions(game=GameConditions(7, 7, most_turns=2), tapes=True)
    job = MatchJob("warm", JobKind.PROBE, tuple(people), (0, 1), (1,), conditions)
    backend = SimulatorBackend()
    backend.begin([GameOrder(job, 0)])
    while not backend.finished(1.0):
        pass
