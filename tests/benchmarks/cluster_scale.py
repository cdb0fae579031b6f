"""10, 100, 1,000 nodes on paper: `python tests/benchmarks/cluster_scale.py` prints the table of deploy/SCALING.md.

A discrete-event simulation around the real `Dispatch`: nodes of 4 to 32 cores and of different speed play games whose
length varies, over a network with latency; some are stragglers, some die and come back. The master handles one message
after the other, at the cost that was measured on two real raylets (tests/benchmarks/cluster_speed.py); what the real
`Dispatch` costs at this number of nodes is measured while the simulation runs, and printed beside it.
"""

import argparse
import heapq
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import log

from pipeline.cluster.dispatch import HERE, Dispatch, Key, key_of
from pipeline.tuner.backends import GameOrder
from pipeline.tuner.jobs import JobKind, MatchJob, Participant, PlayConditions, SourceKind

MESSAGE_S, GAME_S = 950e-6, 220e-6
"""Processor time of the master: of one exchange with a node (Ray's call and its threads, from cluster_speed.py), and of
one game (decided, packed, unpacked, written to the ledger, from cluster_game_cost.py)."""
WAIT_S = 0.3
GAMES_A_JOB = 200


@dataclass(frozen=True)
class Case:
    """What is simulated.

    Args:
        game_s: core seconds of a game on a core of ordinary speed.
        gather_s: how long a node gathers answers for one message.
        masters: the nodes are shared out among so many bridges.
        latency_s: one way, median.
        mtbf_h: mean hours until a node dies; it is back after five minutes.
    """

    nodes: int
    game_s: float
    gather_s: float = 0.1
    masters: int = 1
    latency_s: float = 0.0005
    mtbf_h: float = 4.0
    stragglers: float = 0.02
    seconds: float = 20.0

    @property
    def warm_s(self) -> float:
        """Until then windows grow; what comes later is counted."""
        return self.seconds / 2


@dataclass(eq=False)
class Node:
    name: str
    cores: int
    speed: float
    master: "Master"
    alive: bool = True
    life: int = 0
    """Which of its lives: what an earlier one had on its way is nobody's."""
    waiting: deque[GameOrder] = field(default_factory=deque)
    playing: int = 0
    done: list[Key] = field(default_factory=list)
    request: int = 0
    """Number of the request that it holds, or held last."""
    asked: bool = False
    """Whether it holds one."""
    outbox: list[GameOrder] = field(default_factory=list)


@dataclass
class Master:
    dispatch: Dispatch = field(default_factory=Dispatch)
    free_at: float = 0.0
    busy_s: float = 0.0
    waited: list[float] = field(default_factory=list)


class Simulation:
    """Events in the order of time; one seed, one outcome."""

    def __init__(self, case: Case, seed: int = 1) -> None:
        self.case, self.chance = case, random.Random(seed)
        self.now, self._count = 0.0, 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self.masters = [Master() for _ in range(case.masters)]
        self.counted = self.settled = self.lost = 0
        self.dispatch_s = 0.0
        self._jobs = 0
        self.nodes = [self._node(number) for number in range(case.nodes)]
        self.ideal = sum(node.cores * node.speed for node in self.nodes) / case.game_s

    def _node(self, number: int) -> Node:
        cores = self.chance.choice([4, 8, 8, 16, 32])
        slow = self.chance.random() < self.case.stragglers
        speed = self.chance.lognormvariate(0, 0.25) * (0.1 if slow else 1.0)
        return Node(f"n{number}", cores, speed, self.masters[number % len(self.masters)])

    def at(self, when: float, what: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, what))

    def run(self) -> None:
        for node in self.nodes:
            self._join(node)
        while self._events:
            self.now, _, what = heapq.heappop(self._events)
            if self.now > self.case.seconds:
                return
            what()

    def _latency(self) -> float:
        return self.chance.lognormvariate(log(self.case.latency_s), 0.5)

    def _game_s(self, node: Node) -> float:
        return self.case.game_s * self.chance.lognormvariate(-0.18, 0.6) / node.speed

    def _join(self, node: Node) -> None:
        node.alive, node.life = True, node.life + 1
        node.waiting, node.playing, node.done, node.outbox = deque(), 0, [], []
        self._timed(node.master.dispatch.join, node.name, node.cores, 16 * node.cores)
        self._request(node)
        self.at(self.now + self.chance.expovariate(1 / (3600 * self.case.mtbf_h)), self._of(node, self._die))

    def _of(self, node: Node, call: Callable[[Node], None]) -> Callable[[], None]:
        life = node.life

        def run() -> None:
            if node.alive and node.life == life:
                call(node)

        return run

    def _die(self, node: Node) -> None:
        node.alive = False

        def noticed() -> None:  # the connection breaks
            self.lost += int(self._timed(node.master.dispatch.leave, node.name))

        self.at(self.now + 1.0, noticed)
        self.at(self.now + 300, lambda: self._join(node))

    def _request(self, node: Node) -> None:
        """The master's call goes to the node with what was dealt to it."""
        games, node.outbox = node.outbox, []
        life = node.life

        def arrive() -> None:
            if node.alive and node.life == life:
                node.waiting.extend(games)
                node.request, node.asked = node.request + 1, True
                self._fill(node)
                wait_s = self.case.gather_s if node.done else max(WAIT_S, self.case.gather_s)
                self._answer_in(node, wait_s)

        self.at(self.now + self._latency(), arrive)

    def _fill(self, node: Node) -> None:
        while node.waiting and node.playing < node.cores:
            order = node.waiting.popleft()
            node.playing += 1
            self.at(self.now + self._game_s(node), self._of(node, lambda node, order=order: self._end(node, order)))

    def _end(self, node: Node, order: GameOrder) -> None:
        node.playing -= 1
        first = not node.done
        node.done.append(key_of(order))
        self._fill(node)
        if first and node.asked:
            self._answer_in(node, self.case.gather_s)

    def _answer_in(self, node: Node, wait_s: float) -> None:
        number = node.request

        def answer(node: Node) -> None:
            if node.asked and node.request == number:
                self._answer(node)

        self.at(self.now + wait_s, self._of(node, answer))

    def _answer(self, node: Node) -> None:
        """The call ends: its answers go to the master, and wait there for their turn."""
        node.asked = False
        games, node.done = node.done, []
        master, life = node.master, node.life

        def arrive() -> None:
            cost_s = MESSAGE_S + GAME_S * len(games)
            begins = max(self.now, master.free_at)
            master.waited.append(begins - self.now)
            master.free_at = begins + cost_s
            master.busy_s += cost_s
            self.at(master.free_at, lambda: self._handled(node, life, games))

        self.at(self.now + self._latency(), arrive)

    def _handled(self, node: Node, life: int, games: list[Key]) -> None:
        dispatch = node.master.dispatch
        for key in games:
            if self._timed(dispatch.ended, node.name, key, self.now) is not None:
                self.counted += 1
                self.settled += self.now > self.case.warm_s
        self._deal(node.master)
        if node.alive and node.life == life:
            self._request(node)

    def _deal(self, master: Master) -> None:
        if master.dispatch.open < 2 * master.dispatch.capacity:
            self._jobs += 1
            self._timed(master.dispatch.submit, orders(self._jobs, master.dispatch.capacity))
        by_name = self._by_name
        for name, dealt in self._timed(master.dispatch.deal, self.now).items():
            if name != HERE:
                by_name[name].outbox += dealt

    @property
    def _by_name(self) -> dict[str, Node]:
        if not hasattr(self, "_names"):
            self._names = {node.name: node for node in self.nodes}
        return self._names

    def _timed(self, call, *arguments):
        began = time.process_time()
        found = call(*arguments)
        self.dispatch_s += time.process_time() - began
        return found


def orders(number: int, count: int) -> list[GameOrder]:
    """A job's games."""
    people = (Participant(SourceKind.WEIGHTS, "a"), Participant(SourceKind.WEIGHTS, "b"))
    job = MatchJob(f"j{number}", JobKind.PROBE, people, (0, 1), tuple(range(max(GAMES_A_JOB, count))), PlayConditions())
    return [GameOrder(job, each) for each in range(len(job.seeds))]


CASES = [
    *(("as it is, games of 2 s", Case(nodes, 2.0, seconds=12)) for nodes in (10, 100, 1000)),
    *(("as it is, games of 0.15 s", Case(nodes, 0.15, seconds=6)) for nodes in (10, 100, 1000)),
    ("over the internet (40 ms), 2 s", Case(100, 2.0, latency_s=0.04, seconds=12)),
    ("nodes die every 10 min, 2 s", Case(100, 2.0, mtbf_h=1 / 6, seconds=40)),
    ("a fifth are stragglers, 2 s", Case(100, 2.0, stragglers=0.2, seconds=12)),
    ("gather 1 s, games of 2 s", Case(1000, 2.0, gather_s=1.0, seconds=12)),
    ("gather 1 s, 16 bridges, 2 s", Case(1000, 2.0, gather_s=1.0, masters=16, seconds=12)),
    ("gather 1 s, 16 bridges, 0.15 s", Case(1000, 0.15, gather_s=1.0, masters=16, seconds=5)),
]


def row(name: str, case: Case) -> str:
    simulation = Simulation(case)
    simulation.run()
    rate = simulation.settled / (case.seconds - case.warm_s)
    busy = sum(master.busy_s for master in simulation.masters) / len(simulation.masters) / case.seconds
    waited = sorted(wait for master in simulation.masters for wait in master.waited) or [0.0]
    p95_ms = 1000 * waited[int(0.95 * (len(waited) - 1))]
    cores = sum(node.cores for node in simulation.nodes)
    return (
        f"| {name} | {case.nodes:,} | {cores:,} | {rate:,.0f} | {100 * rate / simulation.ideal:.0f} % | "
        f"{100 * min(1.0, busy):.0f} % | {p95_ms:,.0f} ms | {simulation.lost:,} | "
        f"{1e6 * simulation.dispatch_s / max(1, simulation.counted):.0f} us |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--message-us", type=float, help="Processor time of an exchange, in place of the measured one.")
    parser.add_argument("--game-us", type=float, help="Processor time of a game, in place of the measured one.")
    given = parser.parse_args()
    globals()["MESSAGE_S"] = given.message_us / 1e6 if given.message_us else MESSAGE_S
    globals()["GAME_S"] = given.game_us / 1e6 if given.game_us else GAME_S
    print(f"master: {1e6 * MESSAGE_S:.0f} us an exchange, {1e6 * GAME_S:.0f} us a game")
    print(
        "| case | nodes | cores | games/s | of the ideal | master busy | waits for it (p95) | given again | dispatch |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, case in CASES:
        print(row(name, case), flush=True)


if __name__ == "__main__":
    main()
