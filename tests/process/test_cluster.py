"""Two real raylets on this machine, begun by the guide's snippets: what a second PC brings, what its death costs."""

import importlib.util
import itertools
import json

import backend_contract as contract
import pytest
from cluster_world import World, here, job, until

from pipeline.tuner.backends import GameOrder
from schemas.cluster import cluster_dir, token_path

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray (the extra `cluster`)"),
    pytest.mark.timeout(1500),
]


@pytest.fixture(scope="module")
def world():
    made = World(guide=True)
    try:
        made.join("desk")
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    backend = here(tmp_path_factory.mktemp("alone"))
    yield backend
    backend.close()


def test_who_is_there_and_who_may_know(world: World) -> None:
    nodes = {node["name"]: node for node in json.loads(world.head.must("status", "--json"))}
    assert {name: node["state"] for name, node in nodes.items()} == {"head": "head", "desk": "ready"}
    assert nodes["desk"]["reason"] == "All guards allow it."
    token = token_path(world.head.home)
    assert token.stat().st_mode & 0o777 == 0o600
    assert world.head.type("drain", "nobody").stderr.startswith("error: there is no node of that name (nobody).")


def test_games_on_two_machines_are_those_of_one(world: World, alone, tmp_path) -> None:
    with world.backend(tmp_path) as backend:
        first = job("j", 40)
        contract.keeps_jobs_apart(backend, lambda name: job(name, 4))
        until(lambda: backend.finished(0.05) == [] and world.heard("desk plays too: 1 core."), "desk plays")
        asked = [job(f"j{number}", 40) for number in range(3)]
        found = contract.play(backend, *asked)
        assert list(found.values()) == [contract.play(alone, first)["j"]] * 3
        node = next(name for name in backend._dispatch.nodes() if name != "here")
        more = (job(f"more{number}", 10) for number in itertools.count())
        checked = lambda: backend._nodes[node].check is None  # noqa: E731
        until(
            lambda: checked() or not contract.play(backend, next(more)), "its first game was this machine's: they count"
        )
        contract.drops_in_silence(backend, lambda name: job(name, 10))
    snakes = [path.name for path in (cluster_dir(world.machines[1].home) / "snakes").iterdir() if path.is_dir()]
    assert sum(".built." in name for name in snakes) == 1


def test_a_node_that_is_killed_loses_no_game_and_comes_back(world: World, alone, tmp_path) -> None:
    desk = world.machines[1]
    with world.backend(tmp_path) as backend:
        backend.begin([])
        until(lambda: backend.finished(0.05) == [] and world.heard("desk plays too"), "desk plays")
        asked = job("j", 60, budget=400)
        backend.begin([GameOrder(asked, number) for number in range(60)])
        (node,) = [name for name in backend._dispatch.nodes() if name != "here"]
        told = []
        until(lambda: told.extend(backend.finished(0.05)) or backend._dispatch.at(node) > 1, "desk has games")
        held = backend._dispatch.at(node)
        desk.kill()
        until(lambda: told.extend(backend.finished(0.05)) or world.heard("desk does not play"), "it is noticed")
        assert held
        until(lambda: told.extend(backend.finished(0.05)) or len(told) >= 60, "all games")
    assert sorted(played.number for played in told) == list(range(60))
    want = contract.play(alone, asked)["j"]
    by_number = {played.number: played.result.transcript for played in told}
    assert [by_number[number] for number in range(60)] == [game.transcript for game in want]
    until(
        lambda: world.states() == {"head": "head", "desk": "ready"}, "desk came back by itself", look_s=1.0
    )  # each look is a start
