"""The referee's speed beside the official command's, with the same two servers, in one run.

    python tests/benchmarks/referee_speed.py [--snake both] [--rounds 3] [--official-games 10] [--games 60]

Rounds alternate between the official command, our referee over loopback TCP and over Unix sockets, so that whatever
else the machine does falls on all. Each has its CPU time a move, its own and its children's alone; games differ in
length, so moves per second are shown beside games per second. The snakes' own limit is what the cores could do if
refereeing cost nothing: cores / (the snakes' CPU seconds per game).

The floor is what the system itself takes: a request of a middling turn's size and its answer, one write and one read of
a bare socket each, over as many connections at once, to the cheapest snake; nothing is written, read or decided.
"""

import argparse
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from time import monotonic, process_time

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from go_programs import build_go_snake, build_mindless_snake, build_official_cli

from pipeline.referee import (
    Contestant,
    MatchConditions,
    SnakeCommand,
    SnakeProcess,
    paired_schedule,
    play_match,
    running_snakes,
)
from pipeline.referee.endpoint import parse_endpoint
from pipeline.referee.match import default_games_at_once


@dataclass
class Sum:
    """What one referee did, over all rounds."""

    games: int = 0
    moves: int = 0
    wall_s: float = 0.0
    referee_cpu_s: float = 0.0
    snakes_cpu_s: float = 0.0

    def add(self, other: "Sum") -> None:
        for field in fields(Sum):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    @property
    def us_per_move(self) -> float:
        return 1e6 * self.referee_cpu_s / self.moves

    def line(self, name: str) -> str:
        share = self.referee_cpu_s / (self.referee_cpu_s + self.snakes_cpu_s)
        limit = CORES / (self.snakes_cpu_s / self.games)
        return (
            f"{name:<28} {self.us_per_move:6.1f} us of CPU a move, {share:5.1%} of all used"
            f"   {self.games / self.wall_s:8.2f} games/s {self.moves / self.wall_s:9.0f} moves/s"
            f"   snakes {1e6 * self.snakes_cpu_s / self.moves:6.1f} us/move, their limit {limit:.1f} games/s"
        )


CORES = len(os.sched_getaffinity(0))
CONDITIONS = MatchConditions(timeout_ms=5_000)
"""Ten times the usual: nobody times out on a machine that has other work too."""
MINDLESS = "mindless-snake"
FLOOR_BODY = 1_300
"""Bytes: a turn of two snakes on 11x11."""


def snakes_cpu_s(snakes: list[SnakeProcess]) -> float:
    times = [psutil.Process(pid).cpu_times() for snake in snakes for pid in snake.pids()]
    return sum(time.user + time.system for time in times)


def own_cpu_s() -> float:
    return sum(os.times()[:4])  # user and system, of this process and its ended children


def official(program: Path, snakes: list[SnakeProcess], games: int, seed: int) -> Sum:
    before, children, started = snakes_cpu_s(snakes), own_cpu_s(), monotonic()
    turns = 0
    for game in range(games):
        urls = [part for snake in snakes for part in ("-u", snake.url, "-n", snake.name)]
        run = subprocess.run(
            [program, "play", *urls, "-t", str(CONDITIONS.timeout_ms), "-r", str(seed * 1000 + game)],
            capture_output=True,
            text=True,
            check=True,
        )
        found = re.search(r"completed after (\d+) turns", run.stdout + run.stderr)
        assert found, run.stderr
        turns += int(found[1])
    return Sum(games, 2 * turns, monotonic() - started, own_cpu_s() - children, snakes_cpu_s(snakes) - before)


def ours(snakes: list[SnakeProcess], games: int, seed: int, at_once: int, *, unix: bool) -> Sum:
    contestants = [Contestant(snake.name, snake.quickest_url if unix else snake.url) for snake in snakes]
    before, own = snakes_cpu_s(snakes), own_cpu_s()
    result = play_match(contestants, paired_schedule(games // 2, seed), CONDITIONS, games_at_once=at_once)
    result.require_sound()
    moves = sum(len(snake.latencies_ms) for game in result.games for snake in game.snakes)
    return Sum(len(result.games), moves, result.duration_s, own_cpu_s() - own, snakes_cpu_s(snakes) - before)


def floor(snakes: list[SnakeProcess], connections: int, exchanges: int, *, unix: bool) -> float:
    """CPU microseconds of one bare exchange, of this process alone."""
    poll, lines = select.epoll(), {}
    for number in range(connections):
        endpoint = parse_endpoint(snakes[number % 2].quickest_url if unix else snakes[number % 2].url)
        line = socket.socket(socket.AF_UNIX if endpoint.socket else socket.AF_INET)
        line.connect(endpoint.socket or (endpoint.host, endpoint.port))
        lines[line.fileno()] = line
        poll.register(line, select.EPOLLIN)
    request = b"%b%d\r\n\r\n%b" % (endpoint.move_head, FLOOR_BODY, b'{"turn":1,'.ljust(FLOOR_BODY))
    own, done = process_time(), 0
    for line in lines.values():
        line.send(request)
    while done < exchanges:
        for number, _ in poll.poll():
            lines[number].recv(1 << 16)
            lines[number].send(request)
            done += 1
    spent_s = process_time() - own
    for line in lines.values():
        line.close()
    return 1e6 * spent_s / done


def compare(folder: Path, binary: Path, program: Path, arguments: argparse.Namespace) -> None:
    snakes = [SnakeProcess(name, SnakeCommand((str(binary),)), folder / f"{binary.name}-{name}.log") for name in "ab"]
    theirs, tcp, unix = Sum(), Sum(), Sum()
    floors: dict[bool, list[float]] = {False: [], True: []}
    bare = binary.name == MINDLESS
    with running_snakes(snakes):
        for local in (False, True):  # compiled code, caches and connections are warm before anything is timed
            ours(snakes, 2, 999, 1, unix=local)
        official(program, snakes, 1, 999)
        for seed in range(arguments.rounds):
            theirs.add(official(program, snakes, arguments.official_games, seed))
            tcp.add(ours(snakes, arguments.games, seed, arguments.at_once, unix=False))
            unix.add(ours(snakes, arguments.games, seed, arguments.at_once, unix=True))
            for local in (False, True) if bare else ():
                floors[local].append(floor(snakes, 2 * arguments.at_once, arguments.exchanges, unix=local))
    load = f"load {os.getloadavg()[0]:.1f}"
    print(f"\n{binary.name} against itself, 2 snakes, 11x11, {CORES} cores, {arguments.at_once} games at once, {load}")
    print(theirs.line("official battlesnake play"))
    print(tcp.line("ouroboros, loopback TCP"))
    print(unix.line("ouroboros, Unix sockets"))
    for local, spent in floors.items():
        if spent:
            kind = "Unix sockets" if local else "loopback TCP"
            print(f"{f'floor, {kind}':<28} {sum(spent) / len(spent):6.1f} us of CPU an exchange")
    print(f"ratio: {theirs.us_per_move / tcp.us_per_move:.1f} in CPU a move, {games_ratio(tcp, theirs):.1f} in games/s")


def games_ratio(own: Sum, theirs: Sum) -> float:
    return (own.games / own.wall_s) / (theirs.games / theirs.wall_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--snake", choices=["go", "mindless", "both"], default="both")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--official-games", type=int, default=10)
    parser.add_argument("--games", type=int, default=60)
    parser.add_argument("--exchanges", type=int, default=20_000, help="Of the floor, a round.")
    parser.add_argument("--at-once", type=int, default=default_games_at_once())
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        program = build_official_cli(folder)
        built = {"go": build_go_snake, "mindless": build_mindless_snake}
        for binary in [build(folder) for name, build in built.items() if arguments.snake in (name, "both")]:
            compare(folder, binary, program, arguments)


if __name__ == "__main__":
    main()
