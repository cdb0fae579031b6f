"""Board turns per second of the batched engine beside the official Go engine, in one run.

Run from anywhere: `python tests/benchmarks/engine_turns.py`. Both sides play the standard ruleset and map, 4 snakes on
11x11, random legal moves, whole turns with spawning, new games as old ones end. Rounds alternate between the sides
and the best round of each counts, so that a busy machine disturbs both alike.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.engine import Batch, GameSpec
from pipeline.engine.layout import record_bytes

OFFICIAL = Path(__file__).parent / "official_engine"


def build_official(folder: Path) -> Path | None:
    """Build the Go program, its module fetched by the Go tool; None where there is no Go."""
    go = shutil.which("go")
    if go is None:
        return None
    program = folder / "official_engine"
    subprocess.run([go, "build", "-o", str(program), "."], cwd=OFFICIAL, check=True)
    return program


def official_rate(program: Path, seconds: float) -> float:
    """Return the official engine's turns per second on one core."""
    line = subprocess.run(
        [str(program), "-seconds", str(seconds)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"GOMAXPROCS": "1"},
    ).stdout.split()
    return int(line[0]) / float(line[1])


def rate(batch: Batch, turns: int, seconds: float) -> float:
    """Return our turns per second, `turns` of them per call."""
    played, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        played += batch.play_random(turns)
        batch.drain_outcomes()
    return played / (time.perf_counter() - begun)


def step_rate(batch: Batch, twin: Batch, seconds: float) -> float:
    """Return the turns per second of `step` with given moves: the engine's own share of a trainer's loop.

    The moves are those of `twin`, which plays the same games by itself, so they are as legal as a trainer's: with
    blind ones a game would last four turns, and the figure be that of setting games up.
    """
    played, spent = 0, 0.0
    while spent < seconds:
        twin.play_random(1)
        twin.drain_outcomes()
        begun = time.perf_counter()
        played += batch.step(twin.actions)
        batch.drain_outcomes()
        spent += time.perf_counter() - begun
    return played / spent


def fresh(games: int, threads: int, outcomes: int) -> Batch:
    batch = Batch.uniform(games, GameSpec(), threads=threads, outcomes_per_slot=outcomes)
    batch.reset(20)
    batch.play_random(100)
    batch.drain_outcomes()
    return batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each round, s")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    tiled, single = fresh(1024, 1, 16), fresh(1024, 1, 2)
    stepped, twin, wide = fresh(1024, 1, 2), fresh(1024, 1, 2), fresh(4096, cores, 16)
    seconds = options.seconds
    with tempfile.TemporaryDirectory() as folder:
        program = build_official(Path(folder))
        sides: dict[str, Callable[[], float]] = {
            "100 turns a call, 1,024 games, 1 core": lambda: rate(tiled, 100, seconds),
            "1 turn a call, 1,024 games, 1 core": lambda: rate(single, 1, seconds),
            "step(actions), 1,024 games, 1 core": lambda: step_rate(stepped, twin, seconds),
            f"100 turns a call, 4,096 games, {cores} threads": lambda: rate(wide, 100, seconds),
        }
        if program is not None:
            sides["official Go engine, 1 core"] = lambda: official_rate(program, seconds)
        best = dict.fromkeys(sides, 0.0)
        for _ in range(options.rounds):
            for name, measure in sides.items():
                best[name] = max(best[name], measure())
    official = best.get("official Go engine, 1 core", 0.0)
    load = os.getloadavg()[0]
    sys.stdout.write(f"best of {options.rounds} rounds of {seconds} s; {cores} cores, load {load:.1f}\n")
    for name, value in best.items():
        times = f"{value / official:8.0f} x official" if official else ""
        sys.stdout.write(f"{name:45s} {value / 1e6:9.3f} M board turns/s {times}\n")
    sys.stdout.write(f"memory per game, 11x11 with 4 snakes: {record_bytes(tiled.records):.0f} bytes\n")


if __name__ == "__main__":
    main()
