"""A learner's games over real raylets: one that is killed in the middle costs nothing, and counts nothing twice."""

import importlib.util
import threading
from collections import Counter
from pathlib import Path

import pytest
import torch
from cluster_world import World, until
from rollout_learner import PARTS, learnt, same

from pipeline.cluster.all_rollouts import RolloutsOnAllMachines
from pipeline.evolution.device import prepare_cpu
from pipeline.tuner.backends import PlayedGame

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray (the extra `cluster`)")
UPDATES = 12


@pytest.mark.timeout(1800)
def test_a_node_killed_in_a_rollout_costs_its_parts_a_second_way_and_nothing_else(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    prepare_cpu(1)
    # Turns enough that the node is at work for a while in each update.
    slow = {"rollout_turns": 64, "environments": 32}
    want = learnt(None, tmp_path, updates=UPDATES, **slow)
    counted, killed, threads = Counter[str](), list[int](), list[threading.Thread]()
    world = World()
    try:
        desk = world.join("desk")
        with RolloutsOnAllMachines(world.head.home, 1, world.told.append) as spread:
            backend = spread._backend = spread._open()
            until(lambda: backend.finished(0.05) == [] and world.heard("desk plays too"), "desk plays")
            finished = backend.finished

            def heard(timeout_s: float) -> list[PlayedGame]:
                found = finished(timeout_s)
                counted.update(played.job_id for played in found)
                if not threads and len(counted) > 2 * PARTS:
                    threads.append(threading.Thread(target=strike))
                    threads[0].start()
                return found

            def strike() -> None:
                until(desk.plays, "desk is in the middle of a part")
                killed.append(desk.kill())

            backend.finished = heard  # type: ignore[method-assign]
            found = learnt(spread, tmp_path, updates=UPDATES, **slow)
            until(lambda: killed, "it was killed")
            threads[0].join()
            until(lambda: finished(0.05) == [] and world.heard("desk does not"), "it is noticed")
    finally:
        world.close()
        torch.set_num_threads(before)
    assert killed[0] > 1
    assert same(found, want)
    assert counted == Counter({f"{call}.{part}": 1 for call in range(1, UPDATES + 1) for part in range(PARTS)})
