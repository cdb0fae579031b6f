"""The referee's speed beside the official command's, with the same two servers, in one run.

    python tests/benchmarks/referee_speed.py [--rounds 3] [--official-games 10] [--games 60]

Rounds alternate between the two referees, so that whatever else the machine does falls on both. Games differ in
length, so turns per second are shown beside games per second. The snakes' own limit is what the cores could do if
refereeing cost nothing: cores / (the snakes' CPU seconds per game).
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from time import monotonic

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from go_programs import build_go_snake, build_mindless_snake, build_official_cli

from pipeline.referee import (
    Conditions,
    Contestant,
    SnakeCommand,
    SnakeProcess,
    paired_schedule,
    play_match,
    running_snakes,
)
from pipeline.referee.match import default_games_at_once


@dataclass
class Sum:
    """What one referee did, over all rounds."""

    games: int = 0
    turns: int = 0
    wall_s: float = 0.0
    referee_cpu_s: float = 0.0
    snakes_cpu_s: float = 0.0

    def add(self, other: "Sum") -> None:
        for field in fields(Sum):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def line(self, name: str) -> str:
        share = self.referee_cpu_s / (self.referee_cpu_s + self.snakes_cpu_s)
        limit = CORES / (self.snakes_cpu_s / self.games)
        return (
            f"{name:<28} {self.games / self.wall_s:8.2f} games/s {self.turns / self.wall_s:9.0f} turns/s"
            f"   referee {1e6 * self.referee_cpu_s / self.turns / 2:6.1f} us/move, {share:5.1%} of the CPU used"
            f"   snakes {1e6 * self.snakes_cpu_s / self.turns / 2:6.1f} us/move, their limit {limit:.1f} games/s"
        )


CORES = len(os.sched_getaffinity(0))


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
            [program, "play", *urls, "-r", str(seed * 1000 + game)], capture_output=True, text=True, check=True
        )
        found = re.search(r"completed after (\d+) turns", run.stdout + run.stderr)
        assert found, run.stderr
        turns += int(found[1])
    return Sum(games, turns, monotonic() - started, own_cpu_s() - children, snakes_cpu_s(snakes) - before)


def ours(snakes: list[SnakeProcess], games: int, seed: int, at_once: int) -> Sum:
    contestants = [Contestant(snake.name, snake.url) for snake in snakes]
    before, own = snakes_cpu_s(snakes), own_cpu_s()
    result = play_match(contestants, paired_schedule(games // 2, seed), Conditions(), games_at_once=at_once)
    result.require_sound()
    turns = sum(game.turns for game in result.games)
    return Sum(len(result.games), turns, result.duration_s, own_cpu_s() - own, snakes_cpu_s(snakes) - before)


def compare(folder: Path, binary: Path, program: Path, arguments: argparse.Namespace) -> None:
    snakes = [SnakeProcess(name, SnakeCommand((str(binary),)), folder / f"{binary.name}-{name}.log") for name in "ab"]
    theirs, own = Sum(), Sum()
    with running_snakes(snakes):
        ours(snakes, 2, 999, 1)  # compiled code, caches and connections are warm before anything is timed
        official(program, snakes, 1, 999)
        for seed in range(arguments.rounds):
            theirs.add(official(program, snakes, arguments.official_games, seed))
            own.add(ours(snakes, arguments.games, seed, arguments.at_once))
    print(f"\n{binary.name} against itself, 2 snakes, 11x11, {CORES} cores, {arguments.at_once} games at once")
    print(theirs.line("official battlesnake play"))
    print(own.line("ouroboros referee"))
    games_ratio = (own.games / own.wall_s) / (theirs.games / theirs.wall_s)
    turns_ratio = (own.turns / own.wall_s) / (theirs.turns / theirs.wall_s)
    print(f"ratio: {games_ratio:.1f} in games/s, {turns_ratio:.1f} in turns/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--official-games", type=int, default=10)
    parser.add_argument("--games", type=int, default=60)
    parser.add_argument("--at-once", type=int, default=default_games_at_once())
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        program = build_official_cli(folder)
        for binary in (build_go_snake(folder), build_mindless_snake(folder)):
            compare(folder, binary, program, arguments)


if __name__ == "__main__":
    main()
