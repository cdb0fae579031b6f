"""One node as the bridge sees it: hired, told its snake, given games, asked for answers, let go.

A node is always in the middle of at most one call. The call has a deadline; what a call brings decides the next one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipeline.cluster.hiring import HIRE_S, Hiring
from pipeline.cluster.messages import (
    Begin,
    GamesEnded,
    Introduction,
    Joined,
    Left,
    Request,
    RequestAnswer,
    SentGame,
    Silent,
    Willing,
)
from pipeline.cluster.node_actor import PLAYER
from schemas.cluster import NodeIdentity

SILENT_S = 10.0
"""A call that takes so long is not waited for any more; its answer still counts when it comes."""
BROKEN_S = 1.0
"""A connection that broke and cannot be made anew for so long is as good as silence, and known sooner."""
GIVEN_UP_S = 300.0
WAIT_S = 0.3
"""How long a node gathers answers before it says that there are none."""
Emit = Callable[[object], None]


@dataclass
class NodeClient:
    """See the module's text.

    Args:
        node: Ray's id of it.
        name: what people call it.
        emit: told what the run should know.
        hiring: how long it may take to start.
    """

    node: str
    name: str
    begin: Begin
    emit: Emit
    hiring: Hiring
    left: str = ""
    """Why it has gone; empty: it has not."""
    _step: str = ""
    _call: Any = None
    _since_s: float = 0.0
    _limit_s: float = HIRE_S
    _identity: NodeIdentity | None = None
    _packages: list[Any] = field(default_factory=list)
    _ready: bool = False
    _silent: bool = False
    _broken_s: float | None = None
    """Since when its connection is broken."""
    _takes: bool = True
    _seen: int = 0
    _request: Request | None = None
    _games: list[SentGame] = field(default_factory=list)
    _texts: dict[str, str] = field(default_factory=dict)
    _drops: list[str] = field(default_factory=list)

    def hire(self, now_s: float) -> None:
        """Start a player there."""
        strategy = NodeAffinitySchedulingStrategy(node_id=self.node, soft=False)
        self._player = PLAYER.options(scheduling_strategy=strategy).remote()
        self._start("identity", self._player.identity.remote(), now_s, self.hiring.limit_s(self.node))

    @property
    def call(self) -> Any:
        """The call under way."""
        return self._call

    def give(self, games: tuple[SentGame, ...], texts: tuple[tuple[str, str], ...]) -> None:
        """Games for its next call."""
        self._games.extend(games)
        self._texts.update(texts)

    def drop(self, job_id: str) -> None:
        """A job that nobody wants."""
        self._games = [game for game in self._games if game.job_id != job_id]
        self._drops.append(job_id)

    def look(self, now_s: float) -> None:
        """The call under way has taken long."""
        late_s = now_s - self._since_s
        if not self._ready:
            if late_s > self._limit_s:
                late = f"it did not answer within {self._limit_s:g} s"
                self.leave(self.hiring.missed(self.node) if self._step == "identity" else late)
            return
        if late_s > GIVEN_UP_S:
            self.leave(f"it has not answered for {GIVEN_UP_S:g} s")
        elif not self._silent and (late_s > SILENT_S or self._broken_for(now_s) > BROKEN_S):
            self._silent = True
            self._games.clear()
            self.emit(Silent(self.node))

    def _broken_for(self, now_s: float) -> float:
        return 0.0 if self._broken_s is None else now_s - self._broken_s

    def take(self, now_s: float) -> None:
        """The call under way has ended."""
        try:
            found = ray.get(self._call, timeout=5)
        except (ActorUnavailableError, GetTimeoutError):
            self._again(now_s)
            return
        except RayError as error:
            self.leave(_words(error))
            return
        except Exception as error:  # noqa: BLE001 - what a node raises must not end the bridge
            self.leave(_words(error))
            return
        self._broken_s = None
        getattr(self, f"_after_{self._step}")(found, now_s)

    def leave(self, reason: str) -> None:
        """Let it go."""
        self.left = reason
        ray.kill(self._player)
        self.emit(Left(self.node, reason))

    def _after_identity(self, found: NodeIdentity, now_s: float) -> None:
        self._identity = found
        refusal = self.begin.identity.refusal(found, one_model=self.begin.one_model)
        if refusal:
            self.leave(refusal)
            return
        digests = tuple(package.digest for package in self.begin.packages)
        self._start("missing", self._player.missing.remote(digests), now_s, HIRE_S)

    def _after_missing(self, found: tuple[str, ...], now_s: float) -> None:
        self._packages = [package for package in self.begin.packages if package.digest in found]
        self._after_keep("", now_s)

    def _after_keep(self, trouble: str, now_s: float) -> None:
        if trouble:
            self.leave(trouble)
        elif self._packages:
            self._start("keep", self._player.keep.remote(self._packages.pop()), now_s, HIRE_S)
        else:
            limit_s = self.begin.opening.patience_s + HIRE_S
            self._start("open", self._player.open.remote(self.begin.opening), now_s, limit_s)

    def _after_open(self, found: Introduction | str, now_s: float) -> None:
        if isinstance(found, str):
            self.leave(found)
            return
        self._ready, self._takes = True, found.says.decision.allowed
        self.hiring.answered(self.node)
        same = found.identity.cpu == self.begin.identity.cpu
        joined = Joined(self.node, self.name, found.says.cores, found.capacity, same, self._takes)
        self.emit(joined)
        if not self._takes:
            self.emit(Willing(self.node, False, found.says.decision.reason))
        self._exchange(now_s)

    def _after_exchange(self, found: RequestAnswer, now_s: float) -> None:
        fresh = [(number, played) for number, played in found.answers if number > self._seen]
        if fresh:
            self._seen = fresh[-1][0]
            self.emit(GamesEnded(self.node, tuple(played for _, played in fresh)))
        if found.trouble:
            self.leave(found.trouble)
            return
        takes = found.says.decision.allowed
        if self._silent or takes != self._takes:
            self._silent, self._takes = False, takes
            self.emit(Willing(self.node, takes, found.says.decision.reason))
        self._exchange(now_s)

    def _exchange(self, now_s: float) -> None:
        self._request = Request(self._seen, tuple(self._games), tuple(self._drops), tuple(self._texts.items()), WAIT_S)
        self._games, self._drops, self._texts = [], [], {}
        self._start("exchange", self._player.exchange.remote(self._request), now_s, SILENT_S)

    def _again(self, now_s: float) -> None:
        """The connection broke, the player may live: the same call once more does no harm."""
        if self._step != "exchange":
            self.leave("its connection broke")
            return
        self._broken_s = now_s if self._broken_s is None else self._broken_s
        self._call = self._player.exchange.remote(self._request)
        self.look(now_s)

    def _start(self, step: str, call: Any, now_s: float, limit_s: float) -> None:
        self._step, self._call, self._since_s, self._limit_s = step, call, now_s, limit_s


def _words(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1] if lines else 'no words'}"[:300]
