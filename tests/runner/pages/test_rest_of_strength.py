"""What the REST interface tells of strength is what the pages' readers and the files hold."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from lived_in import HOSTILE_ID
from served_site import Served

from schemas.game import GameLog


def test_the_tuner_s_runs(site: Served) -> None:
    runs = site.get("/api/v1/tuner/runs").json
    assert runs
    details = [site.get(f"/api/v1/tuner/runs/{run['run']}").json for run in runs]
    assert all(each["complete"] for each in details)
    promoted = [each for each in details if each["promotions"]]
    assert promoted
    assert all(each["decisions"].get("accepted", 0) == len(each["promotions"]) for each in details)
    assert sum(each["games"] for each in details) > 0
    assert any(effect["kind"] for each in details for effect in each["effects"].values())
    report = site.get(f"/api/v1/tuner/runs/{runs[0]['run']}/report")
    assert report.status in {200, 404}
    if report.status == 200:
        assert "sandbox" in report.headers["content-security-policy"]


@pytest.mark.parametrize("run", ["..%2F..%2Fsettings.json", "none", "%2e%2e"])
def test_no_report_lies_outside_its_folder(site: Served, run: str) -> None:
    assert site.get(f"/api/v1/tuner/runs/{run}/report").status == 404


def test_tournaments(site: Served) -> None:
    (name,) = site.get("/api/v1/tournaments").json
    pairings = site.get(f"/api/v1/tournaments/{name}").json["pairings"]
    assert len(pairings) == 3
    assert all(each["low"] <= each["score"] <= each["high"] and each["games"] >= 20 for each in pairings)
    assert site.get("/api/v1/tournaments/none").status == 404


def test_models_and_what_was_measured(site: Served) -> None:
    whole = site.get("/api/v1/models").json["items"]
    first = site.get("/api/v1/models?limit=1").json
    assert first["items"] == whole[:1]
    if first["next"]:
        assert site.get(f"/api/v1/models?limit=200&cursor={first['next']}").json["items"] == whole[1:]
    assert site.get(f"/api/v1/models/{whole[0]['id']}").json == whole[0]
    measured = site.get("/api/v1/evaluations").json["items"]
    own = site.get(f"/api/v1/evaluations?model={measured[0]['model_id']}").json["items"]
    assert own == [each for each in measured if each["model_id"] == measured[0]["model_id"]]
    assert all(each["wins"] + each["draws"] + each["losses"] == each["games"] for each in measured)


def test_games_and_the_ladder(site: Served) -> None:
    page = site.get("/api/v1/games?limit=2").json
    assert len(page["items"]) == 2
    rest = site.get(f"/api/v1/games?cursor={page['next']}").json["items"]
    ids = [each["game_id"] for each in [*page["items"], *rest]]
    assert len(ids) > 2
    for game_id in (ids[0], HOSTILE_ID):
        found = site.get(f"/api/v1/games/{quote(game_id, safe='')}")
        assert GameLog.model_validate_json(found.body).game_id == game_id
    assert site.get("/api/v1/games/none").status == 404
    won = site.get("/api/v1/games?outcome=win").json["items"]
    assert {each["outcome"] for each in won} <= {"win"}
    ratings = site.get("/api/v1/arena/ratings").json
    assert ratings
    metrics = site.get("/metrics").body.decode()
    assert "ouroboros_arena_rating{" in metrics


def test_the_machine_against_what_a_schedule_asks(site: Served) -> None:
    guards = site.get("/api/v1/guards").json
    assert guards
    for each in guards:
        names = [gauge["name"] for gauge in each["gauges"]]
        assert names[:3] == ["CPU in use", "Memory free", "Disk free"]
        assert each["gauges"][2]["value"] > 0


def test_settings_are_the_served_ones(site: Served, lived_in: Path) -> None:
    told = site.get("/api/v1/settings").json
    assert json.loads(site.settings.model_dump_json())["scheduler"] == told["scheduler"]
    assert told["home"] == str(lived_in)
