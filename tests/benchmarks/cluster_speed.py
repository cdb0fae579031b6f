"""What a second machine brings: `python tests/benchmarks/cluster_speed.py [--games 120] [--rounds 3]`.

Two raylets on this machine, one core each: the run's own machine on the first, a node on the second. Stretches with the
node and without it are interleaved, so that whatever else the machine does falls on both. Then the node is killed with
-9 in the middle of a stretch.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from backend_contract import play
from cluster_world import World, job, until

from pipeline.cluster.backend import ClusterBackend
from pipeline.cluster.messages import GamesEnded
from pipeline.tuner.backends import GameOrder
from schemas.cluster import ray_variables, token_path

EXCHANGES = 500


def bytes_of(host: str) -> int:
    """Bytes that the connections of an address carried so far, both ways; each counted once."""
    lines = subprocess.run(["ss", "-tinH", f"src {host}"], capture_output=True, text=True, check=True).stdout
    return sum(int(number) for number in re.findall(r"bytes_(?:acked|received):(\d+)", lines))


def cpu_s(processes: list[psutil.Process]) -> float:
    """Processor time of these."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def wanted_s(snakes: list[psutil.Process]) -> float:
    """Seconds in which these had something to do: they ran, or waited for a core that somebody else had."""
    total = 0.0
    for snake in snakes:
        for thread in Path(f"/proc/{snake.pid}/task").iterdir():
            ran, waited, _ = (thread / "schedstat").read_text().split()
            total += (int(ran) + int(waited)) / 1e9
    return total


def snakes_of(processes: list[psutil.Process]) -> list[psutil.Process]:
    """The Go programs among these."""
    return [process for process in processes if process.name().startswith(".ouroboros-snak")]


def stretch(backend: ClusterBackend, name: str, games: int, budget: int) -> float:
    """Games a second."""
    asked = job(name, games, budget)
    began = time.monotonic()
    play(backend, asked)
    return games / (time.monotonic() - began)


def node_of(backend: ClusterBackend) -> str:
    """The node's id."""
    return next(name for name in backend._dispatch.nodes() if name != "here")


def _count_exchanges(backend: ClusterBackend) -> list[int]:
    """Counts from now on the calls that brought games."""
    count, receive = [0], backend._link.receive

    def counting(timeout_s: float) -> list:
        found = receive(timeout_s)
        count[0] += sum(isinstance(message, GamesEnded) for message in found)
        return found

    backend._link.receive = counting
    return count


def _exchange_us(world: World) -> float:
    """CPU of whoever asks, Ray's threads in it, for one exchange that carries nothing."""
    head = world.head
    command = [sys.executable, __file__, "--exchange", f"{head.host}:{head.port}", head.host]
    environment = {**os.environ, **ray_variables(token_path(head.home))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=True)
    return float(done.stdout.split()[-1])


def ask_often(address: str, host: str) -> None:
    """What `_exchange_us` runs in a process of its own: this one must not import Ray."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from pipeline.cluster.bridge_child import connect, present_nodes
    from pipeline.cluster.messages import Request
    from pipeline.cluster.node_actor import PLAYER

    connect(address, host)
    node = next(each["NodeID"] for each in present_nodes() if each["NodeManagerAddress"] != host)
    player = PLAYER.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node, soft=False)).remote()
    ray.get(player.identity.remote(), timeout=60)
    before_s = time.process_time()
    for _ in range(EXCHANGES):
        ray.get(player.exchange.remote(Request(0)), timeout=60)
    print(1e6 * (time.process_time() - before_s) / EXCHANGES)


def kill(world: World, backend: ClusterBackend, budget: int) -> tuple[float, int]:
    """Seconds from `kill -9` of the node until its games are given out again, and how many those were."""
    asked = job("killed", 200, budget)
    backend.begin([GameOrder(asked, number) for number in range(200)])
    until(lambda: backend.finished(0.02) is None or backend._dispatch.at(node_of(backend)) > 3, "it has games")
    told = len(world.told)
    began = time.monotonic()
    world.machines[1].kill()
    until(lambda: backend.finished(0.02) is None or len(world.told) > told, "it is noticed")
    noticed_s = time.monotonic() - began
    words = world.told[-1]
    backend.drop("killed")
    found = re.search(r"Its (\d+) games", words)
    return noticed_s, int(found[1]) if found else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=150)
    parser.add_argument("--exchange", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.exchange:
        ask_often(*given.exchange)
        return
    allowed = sorted(os.sched_getaffinity(0))
    sys.stdout.reconfigure(line_buffering=True)
    world = World()
    try:
        world.join("second")
        os.sched_setaffinity(0, allowed[:1])  # this machine's games; the node's are on the last core
        with world.backend(Path(tempfile.mkdtemp())) as opened:
            assert isinstance(opened, ClusterBackend)
            measure(world, opened, given)
    finally:
        os.sched_setaffinity(0, allowed)
        world.close()


def measure(world: World, backend: ClusterBackend, given: argparse.Namespace) -> None:
    until(lambda: backend.finished(0.05) == [] and world.heard("second plays too"), "the node plays")
    play(backend, job("warm", 40, given.budget))
    node = node_of(backend)
    one, two = [], []
    master = [psutil.Process(), psutil.Process(backend._link._process.pid)]
    here, there = snakes_of(psutil.Process().children(recursive=True)), snakes_of(world.machines[1].everything())
    exchanges = _count_exchanges(backend)
    each_exchange_us = _exchange_us(world)
    wire = played = heard = 0
    spent_s = wall_s = busy_here_s = busy_there_s = 0.0
    for number in range(given.rounds):
        backend._dispatch.takes(node, False)
        one.append(stretch(backend, f"one{number}", given.games, given.budget))
        backend._dispatch.takes(node, True)
        before, before_s = bytes_of(world.machines[1].host), cpu_s(master)
        exchanges[0] = 0
        began, begun_here_s, begun_there_s = time.monotonic(), wanted_s(here), wanted_s(there)
        two.append(stretch(backend, f"two{number}", 2 * given.games, given.budget))
        wire += bytes_of(world.machines[1].host) - before
        spent_s += cpu_s(master) - before_s
        heard += exchanges[0]
        wall_s += time.monotonic() - began
        busy_here_s += wanted_s(here) - begun_here_s
        busy_there_s += wanted_s(there) - begun_there_s
        played += 2 * given.games
        print(f"round {number + 1}: {one[-1]:.1f} games/s with 1 core, {two[-1]:.1f} with 2 ({two[-1] / one[-1]:.2f})")
    mean_one, mean_two = sum(one) / len(one), sum(two) / len(two)
    away = played * busy_there_s / (busy_here_s + busy_there_s)
    print(
        f"1 node of 1 core: {mean_one:.1f} games/s; 2 nodes of 1 core: {mean_two:.1f}; {mean_two / mean_one:.2f} times"
    )
    print(f"on the wire: {wire / away:,.0f} bytes a game of the other machine, both ways, with all that Ray says")
    each_us = 1e6 * (spent_s - heard * each_exchange_us / 1e6) / played
    print(f"CPU of the run and its bridge: {each_exchange_us:,.0f} us an exchange, {each_us:,.0f} us more a game")
    print(
        f"with 2, the snakes had work: {busy_here_s / wall_s:.0%} of the time here, {busy_there_s / wall_s:.0%} there"
    )
    noticed_s, held = kill(world, backend, given.budget)
    print(f"kill -9 of the node: its {held} games were given out again after {noticed_s:.2f} s")
    print(f"load average: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
