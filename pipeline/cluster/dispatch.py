"""Who plays which game, and whose answer counts. Pure: no clock, no process, no network.

Every order ends exactly once, whatever is sent twice and whoever is lost: a node that goes, or says nothing, gives its
orders back; an answer counts if its order is still open, and only the first one does.
"""

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil

from pipeline.tuner.backends import GameOrder, PlayedGame
from pipeline.tuner.jobs import GameResult

Key = tuple[str, int]
"""Job and number of the game in it."""
HERE = "here"
"""The machine that deals the games out."""
AHEAD_S = 2.0
"""A node is given the games that it plays in so long: enough to hide the way there and back, and little to lose."""
SMOOTHING, STRETCH_S = 0.3, 0.5
LATE_TIMES, LATE_LEAST_S = 4.0, 5.0
"""A game that takes so many times what a game takes there, and this long, is given to somebody idle as well."""


@dataclass
class _Node:
    cores: int
    most: int
    """Games that it may have at once."""
    takes: bool = True
    sent: dict[Key, float] = field(default_factory=dict)
    """Its open orders, and since when."""
    rate: float | None = None
    """Games a second, smoothed; None: nothing came yet."""
    since_s: float = 0.0
    """When the present stretch of work began."""
    counted: int = 0
    """Games that came in it."""

    @property
    def window(self) -> int:
        if self.rate is None:
            return min(self.most, 2 * self.cores)
        return max(self.cores, min(self.most, ceil(self.rate * AHEAD_S) + self.cores))

    @property
    def room(self) -> int:
        return max(0, self.window - len(self.sent)) if self.takes else 0

    def late_after_s(self) -> float:
        return max(LATE_LEAST_S, LATE_TIMES * len(self.sent) / self.rate) if self.rate else LATE_LEAST_S


@dataclass
class Dispatch:
    """See the module's text. `now` is a monotonic clock's."""

    _nodes: dict[str, _Node] = field(default_factory=dict)
    _open: dict[Key, GameOrder] = field(default_factory=dict)
    _waiting: deque[Key] = field(default_factory=deque)
    _holders: dict[Key, list[str]] = field(default_factory=dict)
    """Who was sent an order and has not answered; most often one, so that an answer costs the same with 1,000 nodes."""
    _only_here: set[Key] = field(default_factory=set)
    """Orders that another node could not play: this machine's word counts."""

    @property
    def capacity(self) -> int:
        """Games worth having open."""
        return max(1, sum(node.most for node in self._nodes.values() if node.takes))

    @property
    def open(self) -> int:
        """Orders that have not ended."""
        return len(self._open)

    def at(self, name: str) -> int:
        """How many orders a node has."""
        return len(self._nodes[name].sent) if name in self._nodes else 0

    def nodes(self) -> tuple[str, ...]:
        """All that are there."""
        return tuple(self._nodes)

    def join(self, name: str, cores: int, most: int, *, takes: bool = True) -> None:
        """A node is there; it has nothing yet."""
        self._nodes[name] = _Node(cores, most, takes)

    def takes(self, name: str, willing: bool) -> None:
        """Whether it may be given more; what it has it plays on."""
        if name in self._nodes:
            self._nodes[name].takes = willing

    def leave(self, name: str) -> int:
        """A node has gone: its orders are dealt out again, the oldest first. How many that were."""
        node = self._nodes.pop(name, None)
        return self._give_back(name, node.sent) if node else 0

    def forsake(self, name: str) -> int:
        """A node says nothing: it keeps nothing, gets nothing, and is not forgotten; its answers count where nobody
        else's came first."""
        node = self._nodes.get(name)
        if node is None:
            return 0
        sent, node.sent, node.takes = node.sent, {}, False
        return self._give_back(name, sent)

    def submit(self, orders: Iterable[GameOrder]) -> None:
        """Games to be played; one that is open already is not played twice."""
        for order in orders:
            key = key_of(order)
            if key not in self._open:
                self._open[key] = order
                self._waiting.append(key)

    def drop(self, job_id: str) -> None:
        """Nobody wants these any more."""
        for key in [key for key in self._open if key[0] == job_id]:
            self._close(key)
        self._waiting = deque(key for key in self._waiting if key in self._open)

    def only_here(self, key: Key) -> bool:
        """Let this machine play it again, and nobody else; False: it is not open, or that is so already."""
        if key not in self._open or key in self._only_here:
            return False
        self._only_here.add(key)
        if not self._recall(key):
            with suppress(ValueError):
                self._waiting.remove(key)
        self._waiting.appendleft(key)
        return True

    def ended(self, name: str, key: Key, now_s: float) -> GameOrder | None:
        """An answer came. The order, if this is the first answer to it; None: it counts for nothing."""
        node = self._nodes.get(name)
        held = node is not None and node.sent.pop(key, None) is not None
        if node is not None and held:
            self._holders[key].remove(name)
            self._count(node, now_s)
        order = self._open.get(key)
        if order is None or (key in self._only_here and name != HERE):
            return None
        if not self._close(key) and not held:
            with suppress(ValueError):  # it had been given back, and waits
                self._waiting.remove(key)
        return order

    def deal(self, now_s: float) -> dict[str, list[GameOrder]]:
        """What to send to whom now: each round one game to each node with room, so that all have something first."""
        dealt: dict[str, list[GameOrder]] = {}
        places = {name: node.room for name, node in self._nodes.items()}
        while self._waiting and any(places.values()):
            given = 0
            for name in [name for name, room in places.items() if room]:
                key = self._next_for(name)
                if key is None:
                    places[name] = 0
                    continue
                self._send(name, key, now_s, dealt)
                places[name] -= 1
                given += 1
            if not given:
                break
        if not self._waiting:
            self._deal_late(now_s, places, dealt)
        return dealt

    def _next_for(self, name: str) -> Key | None:
        for place, key in enumerate(self._waiting):
            if key not in self._only_here or name == HERE:
                del self._waiting[place]
                return key
        return None

    def _deal_late(self, now_s: float, places: dict[str, int], dealt: dict[str, list[GameOrder]]) -> None:
        """A game that a slow node sits on goes to one that has nothing to do, too."""
        for idle in [name for name, room in places.items() if room and not self._nodes[name].sent]:
            late = [
                (since_s, key)
                for name, node in self._nodes.items()
                for key, since_s in node.sent.items()
                if now_s - since_s > node.late_after_s() and len(self._holders[key]) == 1
                and (key not in self._only_here or idle == HERE)
            ]  # fmt: skip
            for _, key in sorted(late)[: places[idle]]:
                self._send(idle, key, now_s, dealt)

    def _send(self, name: str, key: Key, now_s: float, dealt: dict[str, list[GameOrder]]) -> None:
        node = self._nodes[name]
        if not node.sent:
            node.since_s, node.counted = now_s, 0
        node.sent[key] = now_s
        self._holders.setdefault(key, []).append(name)
        dealt.setdefault(name, []).append(self._open[key])

    def _count(self, node: _Node, now_s: float) -> None:
        """Games a second, over stretches long enough that answers which come in bunches do not matter."""
        node.counted += 1
        span_s = now_s - node.since_s
        if span_s < STRETCH_S:
            return
        rate = node.counted / span_s
        node.rate = rate if node.rate is None else node.rate + SMOOTHING * (rate - node.rate)
        node.since_s, node.counted = now_s, 0

    def _give_back(self, name: str, sent: dict[Key, float]) -> int:
        back = []
        for key in sent:
            self._holders[key].remove(name)
            if not self._holders[key]:
                back.append(key)
        self._waiting.extendleft(reversed(back))
        return len(back)

    def _recall(self, key: Key) -> bool:
        """Nobody has it any more; whether somebody had."""
        holders = self._holders.pop(key, [])
        for name in holders:
            self._nodes[name].sent.pop(key)
        return bool(holders)

    def _close(self, key: Key) -> bool:
        """It has ended, or nobody wants it; whether somebody still has it."""
        del self._open[key]
        self._only_here.discard(key)
        return self._recall(key)


def key_of(order: GameOrder) -> Key:
    """What an order is known by."""
    return order.job.id, order.number


@dataclass
class CrossCheck:
    """One node's."""

    held: list[PlayedGame] = field(default_factory=list)
    """Its answers, until they may count; the first of them is the one to be checked."""
    here: GameResult | None = None
    """What this machine played of it; set while it plays it once more."""
    asked: Key | None = None
    """The game that this machine was asked to play for it."""

    @property
    def key(self) -> Key | None:
        """The game to be checked."""
        return (self.held[0].job_id, self.held[0].number) if self.held else None

    @property
    def theirs(self) -> str:
        """The transcript of the game to be checked."""
        result = self.held[0].result
        assert isinstance(result, GameResult)
        return result.transcript

    def forget(self, job_id: str) -> None:
        """Nobody wants this job's games."""
        if self.key is not None and self.key[0] == job_id:
            self.here = None
        self.held = [played for played in self.held if played.job_id != job_id]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of a cross-check."""

    trusted: bool | None
    """None: not known yet."""
    again: bool = False
    """This machine is to play the game once more."""


def judged(check: CrossCheck, here: GameResult) -> CheckResult:
    """This machine has played the game to be checked."""
    if check.here is not None:
        return CheckResult(trusted=here.transcript != check.here.transcript)
    if here.transcript == check.theirs:
        return CheckResult(trusted=True)
    check.here = here
    return CheckResult(trusted=None, again=True)


def once_more(order: GameOrder) -> GameOrder:
    """The same game under a name of its own, which no job has."""
    job = order.job
    seed, rotation = job.games[order.number]
    return GameOrder(type(job)(f"{job.id}#again", job.kind, job.participants, rotation, (seed,), job.conditions), 0)
