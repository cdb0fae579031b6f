"""Three real raylets: who is let in, who rests, who leaves, and what is left of a run when any of them is killed."""

import importlib.util
import os
import random
import signal
import subprocess
import sys
import threading
import time

import backend_contract as contract
import psutil
import pytest
from cluster_world import World, here, job, until

from pipeline.tuner.backends import GameOrder
from schemas.cluster import cluster_dir

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray (the extra `cluster`)")
KILLS = int(os.environ.get("OUROBOROS_SOAK_KILLS", "10"))
PARTITION_S = 60.0


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


def whole(world: World, backend, asked, disturb) -> list:
    """All games of a job while something happens; each once."""
    backend.begin([GameOrder(asked, number) for number in range(len(asked.games))])
    told: list = []
    disturbing = threading.Thread(target=disturb)
    disturbing.start()
    until(
        lambda: told.extend(backend.finished(0.05)) or (len(told) >= len(asked.games) and not disturbing.is_alive()),
        "all games",
        400,
    )
    disturbing.join()
    assert sorted(played.number for played in told) == list(range(len(asked.games)))
    by_number = {played.number: played.result.transcript for played in told}
    return [by_number[number] for number in range(len(told))]


def both_play(world: World, backend) -> None:
    until(
        lambda: backend.finished(0.05) == [] and world.heard("desk plays") and world.heard("attic plays"), "both play"
    )


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
def test_a_partition_of_a_minute_costs_its_games_a_second_way_and_nothing_else(world: World, alone, tmp_path) -> None:
    """Stopped, all of the node's processes are as good as cut off: no name space for networks is needed."""
    desk = world.machines[1]

    def cut_off() -> None:
        frozen = desk.everything()
        for process in frozen:
            process.suspend()
        until(lambda: world.heard("desk does not"), "it is noticed")
        threading.Event().wait(PARTITION_S)
        for process in frozen:
            try:
                process.resume()
            except psutil.Error:
                continue

    asked = job("j", 200, budget=300)
    with world.backend(tmp_path) as backend:
        both_play(world, backend)
        assert whole(world, backend, asked, cut_off) == [g.transcript for g in contract.play(alone, asked)["j"]]
    until(lambda: world.states().get("desk") == "ready", "desk is back", look_s=1.0)


@pytest.mark.timeout(1800)
def test_kills_at_random_count_every_game_once(world: World, alone, tmp_path) -> None:
    """Node, player, bridge, any of them with -9, at any moment."""
    draw = random.Random(11)
    asked = job("j", 60, budget=300)
    want = [game.transcript for game in contract.play(alone, asked)["j"]]
    with world.backend(tmp_path) as backend:
        both_play(world, backend)
        for _ in range(KILLS):
            pause_s, victim = draw.uniform(0.1, 4), draw.choice(["desk", "attic", "player", "bridge"])

            def kill(victim: str = victim, pause_s: float = pause_s) -> None:
                threading.Event().wait(pause_s)
                if victim == "bridge":
                    if backend._link is not None:
                        backend._link._process.kill()
                elif victim == "player":
                    for process in world.machines[1].everything():
                        if process.name().startswith("ray::Player"):
                            process.kill()
                else:
                    next(each for each in world.machines if each.name == victim).kill()

            assert whole(world, backend, asked, kill) == want, victim


@pytest.mark.timeout(900)
def test_a_head_that_is_killed_costs_a_run_its_nodes_for_a_while(world: World, alone, tmp_path) -> None:
    asked = job("j", 100, budget=300)
    with world.backend(tmp_path) as backend:
        until(lambda: backend.finished(0.05) == [] and any("plays too" in line for line in world.told), "one plays")
        assert whole(world, backend, asked, world.head.kill) == [
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
    until(lambda: not any(process.is_running() and process.status() != "zombie" for process in ray), "all have ended")
    until(lambda: "desk" not in world.states(), "nobody lists it", look_s=1.0)
