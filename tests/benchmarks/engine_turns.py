"""Board turns per second of the batched engine beside the official Go engine, in one run.

Run from anywhere: `python tests/benchmarks/engine_turns.py`. Both sides play random legal moves, whole turns with
spawning, new games as old ones end. Rounds alternate between the sides and the best round of each counts. What counts
is processor time (user and system, the Go side's collector included): a busy machine takes nothing from either side.
Only the row of two cores is by the clock. Planes written and heuristics' moves (the engine's turns included) of one
core follow.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import planes_speed
import players_speed

from pipeline.engine import Batch, GameSpec
from pipeline.engine.layout import record_bytes
from pipeline.engine.players.kinds import AGGRESSIVE, HUNGRY, RANDOM, TAIL_CHASER, VORONOI, name_of

OFFICIAL = Path(__file__).parent / "official_engine"
BOARDS = {
    "11x11, 4 snakes": GameSpec(),
    "11x11, 2 snakes": GameSpec(snakes=2),
    "7x7, 2 snakes": GameSpec(7, 7, 2),
    "19x19, 4 snakes": GameSpec(19, 19, 4),
    "11x11, 4 snakes, royale": GameSpec(ruleset="royale"),
}


def build_official(folder: Path) -> Path | None:
    """Build the Go program, its module fetched by the Go tool; None where there is no Go."""
    go = shutil.which("go")
    if go is None:
        return None
    program = folder / "official_engine"
    subprocess.run([go, "build", "-o", str(program), "."], cwd=OFFICIAL, check=True)
    return program


def spent_by_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def official_rate(program: Path, spec: GameSpec, seconds: float) -> float:
    """Return the official engine's turns per second of one core."""
    asked = {"seconds": seconds, "side": spec.width, "snakes": spec.snakes, "ruleset": spec.ruleset}
    flags = [part for name, value in asked.items() for part in (f"-{name}", str(value))]
    environment = os.environ | {"GOMAXPROCS": "1"}
    before = spent_by_children()
    told = subprocess.run([str(program), *flags], check=True, capture_output=True, text=True, env=environment).stdout
    return int(told.split()[0]) / (spent_by_children() - before)


def rate(batch: Batch, turns: int, seconds: float, clock: Callable[[], float] = time.process_time) -> float:
    """Return our turns per second, `turns` of them per call, outcomes drained after each."""
    played, begun = 0, clock()
    while clock() - begun < seconds:
        played += batch.play_random(turns)
        batch.drain_outcomes()
    return played / (clock() - begun)


def step_rate(batch: Batch, twin: Batch, seconds: float) -> float:
    """Return the turns per second of `step` with given moves: the engine's own share of a trainer's loop.

    The moves are those of `twin`, which plays the same games by itself, so they are as legal as a trainer's: with
    blind ones a game would last four turns, and the figure be that of setting games up.
    """
    played, spent = 0, 0.0
    while spent < seconds:
        twin.play_random(1)
        twin.drain_outcomes()
        begun = time.process_time()
        played += batch.step(twin.actions)
        batch.drain_outcomes()
        spent += time.process_time() - begun
    return played / spent


def fresh(spec: GameSpec, games: int = 1024, threads: int = 1, outcomes: int = 16) -> Batch:
    batch = Batch.uniform(games, spec, threads=threads, outcomes_per_slot=outcomes)
    batch.compile_kernel()
    batch.reset(20)
    batch.play_random(100)
    batch.drain_outcomes()
    return batch


def sides_of(name: str, spec: GameSpec, program: Path | None, seconds: float) -> dict[str, Callable[[], float]]:
    """The measurements of one board."""
    many, single = fresh(spec), fresh(spec, outcomes=2)
    sides: dict[str, Callable[[], float]] = {
        f"{name}: 100 turns a call": lambda: rate(many, 100, seconds),
        f"{name}: 1 turn a call": lambda: rate(single, 1, seconds),
    }
    if program is not None:
        sides[f"{name}: official Go engine"] = lambda: official_rate(program, spec, seconds)
    return sides


def beside() -> dict[str, float]:
    """Planes and heuristics' moves per second, on 11x11."""
    rates = {f"planes of {snakes} snakes, uint8": planes_speed.measure(1024, snakes, np.uint8) for snakes in (2, 4)}
    for kind in (RANDOM, HUNGRY, AGGRESSIVE, TAIL_CHASER, VORONOI):
        players_speed.measure(kind, 2)  # compile, or load what is compiled
        rates |= {
            f"moves of {name_of(kind)}, {snakes} snakes": players_speed.measure(kind, snakes)[0] for snakes in (2, 4)
        }
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each round, s")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--boards", type=int, default=len(BOARDS), help="measure the first so many boards")
    options = parser.parse_args()
    cores, seconds = len(os.sched_getaffinity(0)), options.seconds
    stepped, twin = fresh(GameSpec()), fresh(GameSpec())
    wide = fresh(GameSpec(), games=4096, threads=cores)
    with tempfile.TemporaryDirectory() as folder:
        program = build_official(Path(folder))
        sides: dict[str, Callable[[], float]] = {}
        for name, spec in list(BOARDS.items())[: options.boards]:
            sides |= sides_of(name, spec, program, seconds)
        sides["11x11, 4 snakes: step(actions)"] = lambda: step_rate(stepped, twin, seconds)
        by_clock = f"11x11, 4 snakes: 100 turns a call, {cores} threads, by the clock"
        sides[by_clock] = lambda: rate(wide, 100, seconds, time.perf_counter)
        best = dict.fromkeys(sides, 0.0)
        for _ in range(options.rounds):
            for name, measure in sides.items():
                best[name] = max(best[name], measure())
    load = os.getloadavg()[0]
    sys.stdout.write(f"best of {options.rounds} rounds of {seconds} s of processor time; load {load:.1f}\n")
    for name, value in best.items():
        official = best.get(f"{name.partition(':')[0]}: official Go engine", 0.0)
        times = f"{value / official:8.0f} x official" if official and name != by_clock else ""
        sys.stdout.write(f"{name:65s} {value / 1e6:9.3f} M turns/s {times}\n")
    for name, value in beside().items():
        sys.stdout.write(f"{'11x11: ' + name:65s} {value / 1e6:9.3f} M/s\n")
    sys.stdout.write(f"memory per game, 11x11 with 4 snakes: {record_bytes(stepped.records):.0f} bytes\n")


if __name__ == "__main__":
    main()
