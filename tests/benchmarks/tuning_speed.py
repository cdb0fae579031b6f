"""Games per second of tuning: in the snake's process, over HTTP, and by the official command, with the same snake.

    python tests/benchmarks/tuning_speed.py [--rounds 4] [--pairs 20] [--official-games 10] [--snakes 2] [--budget N]

Games of the bundled snake against itself with its shipped weights (with `--budget`: looking at so many positions, as
the tuner's cheap games do), on all cores of this process. The rounds of the
three alternate, so that whatever else the machine does falls on all alike, and in-process and HTTP play the same seeds.
Beside the games per second of the clock stands what the cores could do if they had nothing else to do: cores / (CPU
seconds a game, of everybody: snakes, referee, command). On a busy machine only that is worth comparing.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from go_programs import REPOSITORY, build_go_snake, build_official_cli
from in_process import InProcess

from pipeline.referee import (
    Contestant,
    MatchConditions,
    SnakeCommand,
    SnakeProcess,
    paired_schedule,
    play_match,
    running_snakes,
)

CORES = len(os.sched_getaffinity(0))
CONDITIONS = MatchConditions(timeout_ms=5000)
"""A busy machine must not cut a game short: time-outs are no part of this."""


@dataclass
class Sum:
    """What one way of playing did, over all rounds."""

    games: int = 0
    turns: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    transcripts: set[str] = field(default_factory=set)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Add what the block takes."""
        cpu_s, started = _cpu_s(), monotonic()
        yield
        self.wall_s += monotonic() - started
        self.cpu_s += _cpu_s() - cpu_s

    @property
    def free_rate(self) -> float:
        """Games a second on cores that are free."""
        return CORES / (self.cpu_s / self.games)

    def line(self, name: str, base: "Sum") -> str:
        by_clock, cpu_ms = self.games / self.wall_s, 1000 * self.cpu_s / self.games
        ratio, turns = self.free_rate / base.free_rate, self.turns / self.games
        return (
            f"{name:<20} {by_clock:6.1f} games/s by the clock, {cpu_ms:6.1f} ms of CPU a game:"
            f" {self.free_rate:6.1f} games/s on {CORES} free cores, {ratio:.2f} x"
            f"   ({self.games} games of {turns:.0f} turns)"
        )


def _cpu_s() -> float:
    """CPU seconds of this process and all below it, ended ones included."""
    total = sum(os.times()[:4])
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


def weights_text(budget: int | None) -> str:
    """The shipped weights without the clock, if they have one, and with another search budget if asked."""
    text = (REPOSITORY / "deploy/go-snake/config.yaml").read_text()
    text = re.sub(r"(?m)^(  time_share:) *[\d.]+", r"\1 0.0", text)
    if budget is not None:
        text, changed = re.subn(r"(?m)^(  (?:duel|crowd)_budget:) *\d+", rf"\1 {budget}", text)
        assert changed == 2, "the weights' search budgets have other names now"
    return text


def in_process(arena: InProcess, seeds: Sequence[int], rotations: Sequence[tuple[int, ...]], total: Sum) -> None:
    with total.measured():
        games = arena.play(["shipped", "shipped"], rotations, seeds, CONDITIONS)
    total.games += len(games)
    total.turns += sum(game["turns"] for game in games)
    total.transcripts |= {game["transcript"] for game in games}


def over_http(contestants: Sequence[Contestant], pairs: int, seed: int, seats: Sequence[int], total: Sum) -> None:
    with total.measured():
        result = play_match(contestants, paired_schedule(pairs, seed, seats), CONDITIONS)
    result.require_sound()
    total.games += len(result.games)
    total.turns += sum(game.turns for game in result.games)
    total.transcripts |= {game.transcript for game in result.games}


def official(program: Path, urls: Sequence[str], games: int, seed: int, total: Sum) -> None:
    arguments = [part for index, url in enumerate(urls) for part in ("-u", url, "-n", str(index))]
    with total.measured():
        running: list[subprocess.Popen[str]] = []
        for game in range(games):
            # As many at once as cores: one command plays one game, and asks its snakes one after the other.
            if len(running) == CORES:
                total.turns += _turns(running.pop(0))
            command = [str(program), "play", *arguments, "-t", "5000", "-r", str(seed * 1000 + game)]
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
        total.turns += sum(map(_turns, running))
    total.games += games


def _turns(process: "subprocess.Popen[str]") -> int:
    _, said = process.communicate()
    found = re.search(r"completed after (\d+) turns", said)
    assert found, said
    return int(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--official-games", type=int, default=10)
    parser.add_argument("--budget", type=int, help="positions a move; default: those shipped")
    parser.add_argument("--snakes", type=int, default=2, choices=(2, 3, 4))
    options = parser.parse_args()
    seats = (0, *[1] * (options.snakes - 1))
    sums = {name: Sum() for name in ("in-process", "HTTP, our referee", "official command")}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        binary, program = build_go_snake(folder), build_official_cli(folder)
        weights = folder / "weights.yaml"
        weights.write_text(weights_text(options.budget))
        command = SnakeCommand((str(binary), "-config", str(weights)))
        processes = [SnakeProcess(name, command, folder / f"{name}.log") for name in "ab"]
        with running_snakes(processes), InProcess(binary) as arena:
            contestants = [Contestant(process.name, process.quickest_url) for process in processes]
            urls = [processes[seat].url for seat in seats]
            arena.weigh("shipped", weights.read_text())
            over_http(contestants, 1, 999, seats, Sum())  # compiled code and connections are warm
            for seed in range(options.rounds):
                schedule = paired_schedule(options.pairs, seed, seats)
                rotations = tuple(dict.fromkeys(spec.seats for spec in schedule))
                seeds = tuple(dict.fromkeys(spec.seed for spec in schedule))
                in_process(arena, seeds, rotations, sums["in-process"])
                over_http(contestants, options.pairs, seed, seats, sums["HTTP, our referee"])
                official(program, urls, options.official_games, seed, sums["official command"])
    same = sums["in-process"].transcripts == sums["HTTP, our referee"].transcripts
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    budget = "shipped budget" if options.budget is None else f"{options.budget} positions a move"
    print(f"bundled snake against itself, {options.snakes} snakes, 11x11, {budget}, {CORES} cores, load {load}")
    for name, total in sums.items():
        print(total.line(name, sums["HTTP, our referee"]))
    print(f"in-process and HTTP played the same games: {'yes' if same else 'NO'}")


if __name__ == "__main__":
    main()
