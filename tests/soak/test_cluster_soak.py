"""Three real raylets: who is let in, who rests, who leaves, and what is left of a run when any of them is killed."""

import importlib.util
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import backend_contract as contract
import psutil
import pytest
from cluster_world import World, here, job, killed, played_once, until
from living_processes import lives

from schemas.cluster import cluster_dir

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray (the extra `cluster`)")
KILLS = 10
VICTIMS = ("desk", "attic", "desk's actor", "attic's actor", "bridge")
HANGS_S = 60.0


@pytest.fixture(scope="module")
def world():
    made = World()
    try:
        made.join("desk")
        made.join("attic")
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    backend = here(tmp_path_factory.mktemp("alone"))
    yield backend
    backend.close()


@pytest.mark.parametrize(
    "mode", [{"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "f" * 64}]
)
def test_nobody_comes_in_without_the_token(world: World, mode) -> None:
    address = f"{world.head.host}:{world.head.port}"
    code = f"import ray; ray.init(address={address!r}, _node_ip_address={world.head.host!r}); print('in', ray.nodes())"
    tried = subprocess.run(
        [sys.executable, "-c", code], env=mode, capture_output=True, text=True, timeout=200, check=False
    )
    assert tried.returncode != 0
    assert "in [" not in tried.stdout


@pytest.mark.timeout(900)
def test_a_machine_that_hangs_for_a_minute_costs_its_games_a_second_way_and_nothing_else(
    world: World, alone, tmp_path
) -> None:
    desk = world.machines[1]

    def hang() -> None:
        frozen = desk.everything()
        assert len(frozen) > 1
        for process in frozen:
            process.suspend()
        until(lambda: world.heard("desk does not"), "it is noticed")
        threading.Event().wait(HANGS_S)
        for process in frozen:
            with suppress(psutil.Error):
                process.resume()

    asked = job("j", 200, budget=300)
    with world.backend(tmp_path) as backend:
        world.wait_for(backend, "desk", "attic")
        assert played_once(backend, asked, hang) == [g.transcript for g in contract.play(alone, asked)["j"]]
    until(lambda: world.states().get("desk") == "ready", "desk is back", look_s=1.0)


def struck(world: World, backend, victim: str) -> int:
    """Kill it; how many processes that were."""
    if victim == "bridge":
        until(lambda: backend._link is not None, "there is a bridge")
        return killed([psutil.Process(backend._link._process.pid)])
    machine = next(each for each in world.machines if each.name == victim.removesuffix("'s actor"))
    until(machine.players, f"{machine.name} has an actor")
    return killed(machine.players()) if victim.endswith("actor") else machine.kill()


@pytest.mark.timeout(1800)
def test_kills_at_random_count_every_game_once(world: World, alone, tmp_path) -> None:
    """Node, its actor, the bridge, any of them with -9, at any moment, while one job of games is played."""
    draw = random.Random(11)
    asked = job("j", 60, budget=300)
    want = [game.transcript for game in contract.play(alone, asked)["j"]]
    with world.backend(tmp_path) as backend:
        world.wait_for(backend, "desk", "attic")
        for _ in range(KILLS):
            pause_s, victim = draw.uniform(0.1, 4), draw.choice(VICTIMS)
            ended: list[int] = []

            def kill(victim: str = victim, pause_s: float = pause_s, ended: list[int] = ended) -> None:
                threading.Event().wait(pause_s)
                ended.append(struck(world, backend, victim))

            assert played_once(backend, asked, kill) == want, victim
            assert ended
            assert ended[0] >= 1, f"no process was hit: {victim}"


@pytest.mark.timeout(900)
def test_a_head_that_is_killed_costs_a_run_its_nodes_for_a_while(world: World, alone, tmp_path) -> None:
    asked = job("j", 100, budget=300)
    with world.backend(tmp_path) as backend:
        until(lambda: backend.finished(0.05) == [] and any("plays too" in line for line in world.told), "one plays")
        assert played_once(backend, asked, world.head.kill) == [
            game.transcript for game in contract.play(alone, asked)["j"]
        ]
        world.told.clear()
        began = time.monotonic()
        until(lambda: backend.finished(0.05) == [] and world.heard("desk plays too"), "it found its nodes again", 400)
        print(f"back after {time.monotonic() - began:.0f} s")


def test_a_desk_in_use_says_no_and_says_so(world: World, tmp_path) -> None:
    attic = world.machines[2]
    attic.must("stop")
    (attic.home / "settings.json").write_text(
        (attic.home / "settings.json").read_text().replace('"min_free_memory_gb": 0', '"min_free_memory_gb": 100000')
    )
    token = str(cluster_dir(world.head.home) / "token")
    attic.must("join", f"{world.head.host}:{world.head.port}", "--token-file", token)
    assert world.states()["attic"] == "guarded"
    assert "GiB of memory are free; at least 1" in world.head.must("status")
    with world.backend(tmp_path) as backend:
        until(lambda: backend.finished(0.05) == [] and world.heard("attic rests"), "attic rests")
        (node,) = [key for key, each in backend._nodes.items() if each.name == "attic"]
        contract.play(backend, job("j", 60))
        assert backend._dispatch.at(node) == 0


def test_a_node_is_drained_by_its_name(world: World) -> None:
    attic = world.machines[2]
    assert "attic takes nothing new" in world.head.must("drain", "attic")
    until(lambda: not (cluster_dir(attic.home) / "node.json").exists(), "attic has left")
    until(lambda: "attic" not in world.states(), "nobody lists it", look_s=1.0)
    again = attic.type("status")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "this state folder is in no cluster" in again.stderr


def test_a_node_process_that_is_killed_takes_its_ray_with_it(world: World) -> None:
    desk = world.machines[1]
    ray = desk.everything()
    os.kill(desk.note["pid"], signal.SIGKILL)
    until(lambda: not any(lives(process.pid) for process in ray), "all have ended")
    until(lambda: "desk" not in world.states(), "nobody lists it", look_s=1.0)
