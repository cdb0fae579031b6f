"""The backend of several machines: this one plays through the backend that it has, the nodes through the bridge.

Without a head it is this machine's backend and nothing else. A head that is started later, a node that joins, leaves,
dies or says no, a bridge that is killed: each changes who plays the next game, and no result.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from math import nan
from typing import Any

from pipeline.cluster.dispatch import HERE, CrossCheck, Dispatch, Key, judged, once_more
from pipeline.cluster.messages import (
    Alive,
    Drop,
    GamesEnded,
    Guest,
    Joined,
    Left,
    Link,
    Send,
    SentGame,
    Silent,
    Willing,
)
from pipeline.tuner.backends import Backend, GameOrder, PlayedGame
from pipeline.tuner.jobs import GameResult, JobFailure, Participant, SourceKind

LOOK_S = 10.0
"""How often a head is looked for, and a bridge that ended is made anew."""
AHEAD = 4
TEXTS_KNOWN = 512
"""Weights that a node is taken to have: half of those that it keeps (`node_backend.TEXTS_KEPT`)."""
TEXT_CHARACTERS_KNOWN = 128 << 20
"""The same of `node_backend.TEXT_CHARACTERS_KEPT`: the last ones that are not more together."""
_POLL_S = 0.05

Reach = Callable[[], Link | None]
"""Makes a link to the cluster; None: there is no head."""


@dataclass
class _Node:
    name: str
    same_cpu: bool
    check: CrossCheck | None
    """None: it is trusted."""


class ClusterBackend:
    """See the module's text.

    Args:
        local: plays on this machine; closed with this one.
        reach: called now and then while there is no link.
        travels: the digest under which a snake's folder is known on the nodes; None: it stays here.
        tell: told in a sentence who comes and goes.
        now: a monotonic clock.
        in_batches: a node plays all that it takes at once about as quickly as one game, and is given that many from the
            first.
        ahead: a node may have so many times the games that it plays at once: it plays on while its answers travel.
    """

    def __init__(
        self,
        local: Backend,
        reach: Reach,
        travels: Callable[[str], str | None],
        tell: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
        *,
        in_batches: bool = False,
        ahead: int = AHEAD,
    ) -> None:
        self._in_batches, self._ahead = in_batches, ahead
        self._local, self._reach, self._travels, self._tell, self._now = local, reach, travels, tell, now
        self._link: Link | None = None
        self._looked_s = -LOOK_S
        self._dispatch = Dispatch()
        self._dispatch.join(HERE, local.capacity, local.capacity)
        self._nodes: dict[str, _Node] = {}
        self._known_texts: dict[str, OrderedDict[str, int]] = {}
        """By node, the weights that it has and their characters, the last used last."""
        self._again: dict[str, Key] = {}
        """Games that are played here once more for a cross-check, by the name of their job."""
        self._orders: dict[Key, GameOrder] = {}
        self._ended: list[PlayedGame] = []
        self._refused: dict[str, str] = {}
        self._closed = False
        self._seek()

    @property
    def name(self) -> str:
        """See `Backend.name`."""
        return "cluster" if self._link is not None else self._local.name

    @property
    def notice(self) -> str:
        """See `Backend.notice`."""
        if self._link is None:
            return self._local.notice
        return f"{self._local.notice} The nodes of the cluster play too; each is told of as it comes."

    @property
    def capacity(self) -> int:
        """See `Backend.capacity`."""
        return self._dispatch.capacity

    def begin(self, orders: Sequence[GameOrder]) -> None:
        """See `Backend.begin`."""
        self._dispatch.submit(orders)
        for order in orders:
            key = order.job.id, order.number
            self._orders[key] = order
            if not all(self._may_travel(who) for who in order.job.participants):
                self._dispatch.only_here(key)
        self._deal()

    def finished(self, timeout_s: float) -> list[PlayedGame]:
        """See `Backend.finished`."""
        deadline = self._now() + timeout_s
        while True:
            self._hear()
            self._deal()
            left_s = max(0.0, deadline - self._now())
            # With games elsewhere too, neither may be waited for alone.
            wait_s = 0.0 if self._ended else min(left_s, _POLL_S) if self._nodes else left_s
            for played in self._local.finished(min(wait_s, LOOK_S)):
                self._played_here(played)
            if self._ended or self._now() >= deadline:
                self._deal()
                ended, self._ended = self._ended, []
                return ended

    def drop(self, job_id: str) -> None:
        """See `Backend.drop`."""
        self._dispatch.drop(job_id)
        self._local.drop(job_id)
        for name in [name for name, key in self._again.items() if key[0] == job_id]:
            del self._again[name]
            self._local.drop(name)
        if self._link is not None:
            self._link.send(Drop(job_id))
        for node in self._nodes.values():
            if node.check is not None:
                node.check.forget(job_id)
                self._put_on_trial(node)
        self._orders = {key: order for key, order in self._orders.items() if key[0] != job_id}
        self._ended = [played for played in self._ended if played.job_id != job_id]

    def close(self) -> None:
        """See `Backend.close`."""
        if self._closed:
            return
        self._closed = True
        if self._link is not None:
            self._link.close()
        self._local.close()

    # Who is there

    def _seek(self) -> None:
        if self._link is None and self._now() - self._looked_s >= LOOK_S:
            self._looked_s = self._now()
            with suppress(OSError):  # no process can be started just now: this machine plays alone
                self._link = self._reach()

    def _hear(self) -> None:
        self._seek()
        if self._link is None:
            return
        for message in self._link.receive(0.0):
            self._obey(message)
        if self._link.ended:
            words = self._link.last_words()
            if self._nodes:
                self._tell(f"⚠ The cluster is out of reach, this machine plays alone{f': {words}' if words else '.'}")
            self._link.close()
            self._link, self._looked_s = None, self._now()
            for node in list(self._nodes):
                self._gone(node)

    def _obey(self, message: Any) -> None:
        if isinstance(message, GamesEnded):
            for played in message.games:
                self._played_there(message.node, played)
        elif isinstance(message, Joined):
            self._joined(message)
        elif isinstance(message, Left):
            self._left(message)
        elif isinstance(message, Silent):
            self._silent(message.node)
        elif isinstance(message, Willing):
            self._willing(message)
        elif isinstance(message, Alive) and message.trouble:
            self._tell(f"⚠ {message.trouble}")

    def _joined(self, message: Joined) -> None:
        self._nodes[message.node] = _Node(message.name, message.same_cpu, CrossCheck())
        self._known_texts[message.node] = OrderedDict()
        self._refused.pop(message.node, None)
        least = message.capacity if self._in_batches else message.cores
        self._dispatch.join(message.node, least, self._ahead * message.capacity, takes=message.takes)
        cores = "1 core" if message.cores == 1 else f"{message.cores} cores"
        self._tell(f"{message.name} plays too: {cores}.")

    def _left(self, message: Left) -> None:
        node = self._nodes.get(message.node)
        name = node.name if node else message.node[:8]
        back = self._gone(message.node)
        if node is not None or self._refused.get(message.node) != message.reason:
            self._refused[message.node] = message.reason
            given = f" Its {back} games are played elsewhere." if back else ""
            self._tell(f"⚠ {name} does not play: {message.reason}.{given}")

    def _silent(self, name: str) -> None:
        node = self._nodes.get(name)
        if node is not None:
            back = self._dispatch.forsake(name)
            self._tell(f"⚠ {node.name} does not answer. Its {back} games are played elsewhere.")

    def _willing(self, message: Willing) -> None:
        node = self._nodes.get(message.node)
        if node is not None:
            self._dispatch.takes(message.node, message.takes)
            self._tell(f"{node.name} {'takes games again.' if message.takes else f'rests: {message.reason}'}")

    def _gone(self, name: str) -> int:
        self._nodes.pop(name, None)
        self._known_texts.pop(name, None)
        return self._dispatch.leave(name)

    # What is sent

    def _deal(self) -> None:
        for name, orders in self._dispatch.deal(self._now()).items():
            if name == HERE:
                self._local.begin(orders)
            elif self._link is not None:
                self._link.send(self._packed(name, orders))

    def _packed(self, name: str, orders: Sequence[GameOrder]) -> Send:
        known, texts = self._known_texts[name], dict[str, str]()
        games = []
        for order in orders:
            guests = []
            for who in order.job.participants:
                guest = self._guest(who)
                if who.source.is_text:
                    if guest.digest not in known:
                        texts[guest.digest] = who.text
                    known[guest.digest] = len(who.text)
                    known.move_to_end(guest.digest)
                guests.append(guest)
            seed, rotation = order.job.games[order.number]
            key = order.job.id, order.number
            games.append(SentGame(*key, tuple(guests), seed, rotation, order.job.conditions))
        characters = sum(known.values())
        while len(known) > TEXTS_KNOWN or characters > TEXT_CHARACTERS_KNOWN:
            characters -= known.popitem(last=False)[1]
        return Send(name, tuple(games), tuple(texts.items()))

    def _guest(self, who: Participant) -> Guest:
        if who.source is SourceKind.FOLDER:
            digest = self._travels(who.text)
            assert digest is not None
            return Guest(who.source, digest)
        return Guest(who.source, _digest_of(who.text))

    def _may_travel(self, who: Participant) -> bool:
        if who.source is SourceKind.URL:
            return False  # a port of this machine, most often
        return who.source.is_text or self._travels(who.text) is not None

    # What comes back

    def _played_here(self, played: PlayedGame) -> None:
        again = self._again.pop(played.job_id, None)
        if again is not None:
            self._judge(again, played.result)
            return
        key = played.job_id, played.number
        self._judge(key, played.result)
        self._count(HERE, played)

    def _played_there(self, name: str, played: PlayedGame) -> None:
        node = self._nodes.get(name)
        if node is None:
            return
        key = played.job_id, played.number
        if isinstance(played.result, JobFailure) or any(played.result.failures):
            # A program that does not start there, an answer that was late there: this machine's word counts.
            self._dispatch.only_here(key)
            return
        result = played.result if node.same_cpu else replace(played.result, move_ms=(nan,) * len(played.result.move_ms))
        played = PlayedGame(*key, result)
        if node.check is None:
            self._count(name, played)
            return
        node.check.held.append(played)
        if len(node.check.held) == 1:
            self._put_on_trial(node)

    def _put_on_trial(self, node: _Node) -> None:
        """Let this machine play the first game that the node has an answer to, if nobody else did already."""
        while node.check is not None and node.check.key is not None:
            if node.check.asked == node.check.key:
                return
            node.check.asked = node.check.key
            if self._dispatch.only_here(node.check.key):
                return
            node.check.held.pop(0)  # it has ended, or is on another node's check

    def _judge(self, key: Key, here: GameResult | JobFailure) -> None:
        for name, node in list(self._nodes.items()):
            if node.check is None or node.check.key != key:
                continue
            if isinstance(here, JobFailure) or any(here.failures):
                node.check.held.pop(0)
                node.check.here = node.check.asked = None
                self._put_on_trial(node)
                continue
            verdict = judged(node.check, here)
            if verdict.again and key in self._orders:
                order = once_more(self._orders[key])
                self._again[order.job.id] = key
                self._local.begin([order])
            elif verdict.trusted:
                held, node.check = node.check.held[1:], None
                for played in held:
                    self._count(name, played)
            elif verdict.trusted is False:
                self._distrust(name)

    def _distrust(self, name: str) -> None:
        node = self._nodes[name]
        self._gone(name)
        self._tell(f"⚠ {node.name} does not play: the same game comes out otherwise there than here.")

    def _count(self, name: str, played: PlayedGame) -> None:
        key = played.job_id, played.number
        if self._dispatch.ended(name, key, self._now()) is not None:
            self._ended.append(played)
            if not any(node.check is not None and node.check.key == key for node in self._nodes.values()):
                self._orders.pop(key, None)


@lru_cache(maxsize=16)
def _digest_of(text: str) -> str:
    """A network is megabytes, and named by every game."""
    return blake2b(text.encode(), digest_size=16).hexdigest()
