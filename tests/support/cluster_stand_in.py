"""Nodes without machines: the real tables behind a link that loses, repeats, delays and lies as it is told to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.cluster.messages import (
    Drop,
    GamesEnded,
    Joined,
    Left,
    Request,
    RequestAnswer,
    Send,
    SentGame,
    Silent,
    Willing,
)
from pipeline.cluster.node_backend import NodeBackend
from pipeline.tuner.backends import Backend, PlayedGame
from schemas.cluster import NodeAnswer
from schemas.machine import GuardDecision

YES = GuardDecision(allowed=True, code="ok", reason="All guards allow it.")
NO = GuardDecision(allowed=False, code="cpu", reason="97.0 % of the CPU were in use; at most 60 are allowed.")


@dataclass
class StandInNode:
    """One node: `mute` it, let it `repeat` itself, `alter` what it says."""

    name: str
    table: NodeBackend
    decision: list[GuardDecision]
    mute: bool = False
    repeat: bool = False
    alter: Callable[[PlayedGame], PlayedGame] = lambda played: played
    given: int = 0
    """Games that it was sent."""
    sent_texts: int = 0
    seen: int = 0
    games: list[SentGame] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    drops: list[str] = field(default_factory=list)

    def exchange(self) -> RequestAnswer:
        """What its player would be asked."""
        request = Request(self.seen, tuple(self.games), tuple(self.drops), tuple(self.texts.items()))
        self.games, self.texts, self.drops = [], {}, []
        if self.repeat:
            self.table.exchange(request)
        return self.table.exchange(request)


class StandInLink:
    """See the module's text."""

    def __init__(self) -> None:
        self.nodes: dict[str, StandInNode] = {}
        self.said: list[Any] = []
        self.ended = False
        self.closed = 0

    def join(
        self, name: str, backend: Backend, folder: Path, *, cores: int = 1, capacity: int = 8, same_cpu: bool = True
    ) -> StandInNode:
        """A machine more."""
        decision = [YES]
        table = NodeBackend(folder / name, lambda: NodeAnswer(decision=decision[0], said_at_s=0, cores=cores))
        table._backend = backend
        node = self.nodes[name] = StandInNode(name, table, decision)
        self.said.append(Joined(name, name, cores, capacity, same_cpu, True))
        return node

    def kill(self, name: str) -> None:
        """A machine less, with all that it has."""
        del self.nodes[name]
        self.said.append(Left(name, "its machine or its network is gone"))

    def silence(self, name: str) -> None:
        """A partition: it plays on, and nobody hears it."""
        self.nodes[name].mute = True
        self.said.append(Silent(name))

    def heal(self, name: str) -> None:
        """The end of a partition."""
        self.nodes[name].mute = False
        self.said.append(Willing(name, True, ""))

    def send(self, message: object) -> None:
        if isinstance(message, Send) and message.node in self.nodes:
            node = self.nodes[message.node]
            node.games.extend(message.games)
            node.given += len(message.games)
            node.texts.update(message.texts)
            node.sent_texts += len(message.texts)
        elif isinstance(message, Drop):
            for node in self.nodes.values():
                node.drops.append(message.job_id)

    def receive(self, timeout_s: float) -> list[Any]:
        found, self.said = self.said, []
        for node in self.nodes.values():
            if node.mute:
                continue
            answer = node.exchange()
            if answer.trouble:
                found.append(Left(node.name, answer.trouble))
                continue
            fresh = [(number, played) for number, played in answer.answers if number > node.seen]
            if fresh:
                node.seen = fresh[-1][0]
                ended = GamesEnded(node.name, tuple(node.alter(played) for _, played in fresh))
                found += [ended, ended] if node.repeat else [ended]
        return found

    def last_words(self) -> str:
        return "GCS is gone" if self.ended else ""

    def close(self) -> None:
        self.closed += 1


def other_moves(played: PlayedGame) -> PlayedGame:
    """What a machine would say whose floating point is another one."""
    return replace(played, result=replace(played.result, transcript="f" * 32))


@contextmanager
def closing(backend: Backend) -> Iterator[Backend]:
    """Ends it."""
    try:
        yield backend
    finally:
        backend.close()
