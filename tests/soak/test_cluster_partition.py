"""Raylets in networks of their own: the packets of one are dropped for a minute, in silence."""

import importlib.util
import threading

import backend_contract as contract
import pytest
from cluster_world import World, here, job, played_once, until
from network_spaces import HERE, network_spaces

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray (the extra `cluster`)")
CUT_OFF_S = 60.0


@pytest.mark.timeout(1500)
def test_a_partition_of_a_minute_costs_its_games_a_second_way_and_nothing_else(tmp_path) -> None:
    with network_spaces("desk", "attic") as (desk, attic):
        world = World(host=HERE)
        try:
            world.join("desk", desk.address, desk.inside)
            world.join("attic", attic.address, attic.inside)
            for name in ("alone", "run"):
                (tmp_path / name).mkdir()
            alone = here(tmp_path / "alone")
            asked = job("j", 240, budget=300)
            want = [game.transcript for game in contract.play(alone, asked)["j"]]
            alone.close()

            def cut_off() -> None:
                until(world.machines[1].plays, "desk has games")
                desk.cut_off()
                until(lambda: world.heard("desk does not"), "it is noticed")
                threading.Event().wait(CUT_OFF_S)
                assert desk.dropped() > 0
                desk.mend()

            with world.backend(tmp_path / "run") as backend:
                world.wait_for(backend, "desk", "attic")
                assert played_once(backend, asked, cut_off) == want
                print([line for line in world.told if "desk" in line])
                world.told.clear()
                more = (job(f"more{number}", 20) for number in range(10_000))
                until(
                    lambda: world.heard("desk takes games again") or world.heard("desk plays too")
                    or not contract.play(backend, next(more)), "desk is back"
                )  # fmt: skip
            assert "attic" not in " ".join(line for line in world.told if line.startswith("⚠"))
        finally:
            world.close()
