"""kill -9, fifty times at random, of what a run on three machines consists of: each game counted once, nothing lost."""

import importlib.util
import json
import os
import random
import subprocess
import threading
import time
from collections import Counter
from itertools import cycle, islice
from pathlib import Path

import pytest
from cluster_run import TUNER, ClusterRun, Decided, head_settings
from cluster_world import OUROBOROS, World
from postgresql_server import private_server

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray (the extra `cluster`)")
KILLS = int(os.environ.get("OUROBOROS_SOAK_KILLS", "50"))
PARTS = ("node", "actor", "run", "node", "bridge", "actor", "daemon", "head", "node", "server")
LONGEST_PAUSE_S = 4.0
COMPARED = 1
"""So many iterations are played again by nobody disturbed, and compared; `tune verify` decides all of them again."""


def undisturbed(folder: Path, iterations: int) -> Decided:
    """The same run on this machine alone."""
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps({"tuner": {**TUNER, "parallel_games": None}}))
    done = subprocess.run(
        [str(OUROBOROS), "tune", "--max-iterations", str(iterations)],
        env={**os.environ, "OUROBOROS_HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Decided(folder)


@pytest.mark.timeout(7200)
def test_fifty_kills_of_node_actor_bridge_head_run_daemon_and_server(tmp_path: Path) -> None:
    dice = random.Random(KILLS)
    parts = list(islice(cycle(PARTS), KILLS))
    dice.shuffle(parts)
    hit: Counter[str] = Counter()
    with private_server() as server:
        database = server.new_database()
        world = World(settings=head_settings(server.url(database)))
        try:
            for name in ("desk", "attic"):
                world.join(name)
            run = ClusterRun(world, server, database, dice)
            try:
                began_s = time.monotonic()
                for part in parts:
                    threading.Event().wait(dice.uniform(0, LONGEST_PAUSE_S))
                    processes = run.strike(part)
                    assert processes >= 1, f"no process was hit: {part}"
                    hit[part] += 1
                    print(f"{time.monotonic() - began_s:.0f} s: {part}, {processes} processes", flush=True)
                run.end()
            finally:
                run.close()
            attempts, occurrences = run.attempts(), run.occurrences()
            checked = run.type("tune", "verify")
            found = Decided(world.head.home)
        finally:
            world.close()
    alone = undisturbed(tmp_path / "alone", COMPARED)
    common = found.games.keys() & alone.games.keys()
    print(f"{hit.total()} kills {dict(hit)}: {len(found.games)} games counted of {found.played} written down,")
    print(f"{found.twice} counted twice, {found.lost} lost; {len(common)} compared; {len(found.steps)} steps;")
    print(f"executions {attempts}; {checked}")
    assert (found.twice, found.lost) == (0, 0)
    steps = min(len(found.steps), len(alone.steps))
    assert found.steps[:steps] == alone.steps[:steps]
    assert common
    assert all(alone.games[key] == found.games[key] for key in common)
    assert [number for number, _ in attempts] == list(range(1, hit["run"] + 2))
    assert {state for _, state in attempts[:-1]} <= {"failed", "lost"}
    assert len(occurrences) == 1
