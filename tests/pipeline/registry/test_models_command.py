"""`ouroboros models`, from the shell's side."""

import json
import subprocess
import sys

import pytest

from runner import cli

pytestmark = pytest.mark.sqlite_files


@pytest.fixture(autouse=True)
def own_state(settings, monkeypatch):
    monkeypatch.setenv("OUROBOROS_HOME", str(settings.home))
    monkeypatch.delenv("OUROBOROS_CONFIG", raising=False)


@pytest.fixture
def said(capsys):
    def run(*arguments: str, code: int = 0) -> str:
        assert cli.run(["models", *arguments]) == code
        out, err = capsys.readouterr()
        return out + err

    return run


def test_an_empty_shelf(said):
    assert "No models" in said()
    assert said("list", "--json") == ""
    assert "0 models are sound" in said("verify")
    assert "no champion before the first" in said("rollback", code=2)


def test_a_folder_where_nothing_ran_is_left_alone(said, tmp_path, monkeypatch):
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path / "nowhere"))
    assert "nothing has run here yet" in said("list", code=2)
    assert not (tmp_path / "nowhere").exists()


def test_promoting_rolling_back_and_retiring_by_hand(said, put, model_store):
    old, new = put("old"), put("new", 1.0)
    assert said("promote", "old") == f"{old.id} is the champion.\n"
    said("promote", new.id, "--reason", "a hunch")
    assert model_store.champion().id == new.id
    assert model_store.events(new.id)[-1].evidence["reason"] == "a hunch"
    assert "cannot be retired" in said("retire", "champion", code=2)
    assert said("rollback") == f"{old.id} is the champion again.\n"
    assert said("retire", "new") == f"{new.id} is retired.\n"
    shown = said("show", "champion")
    for expected in (old.id, old.sha256, "rolled_back", "it began with random weights", "champion"):
        assert expected in shown


def test_an_id_that_fits_none_or_several(said, put):
    put("same"), put("same", 1.0)
    assert "2 models begin so" in said("show", "same", code=2)
    assert "no such model" in said("show", "other", code=2)


def test_lists_and_details_tell_numbers_with_the_games_behind_them(said, put, model_store):
    parent = put("parent")
    measured = {"win_rate": {"value": 0.5625, "low": 0.51, "high": 0.61, "games": 2000, "seed": 5, "how": "duels"}}
    card = put("child", parent_id=parent.id, measured=measured, claimed={"strategic_score": 87.5})
    listed = said("list", "--name", "child")
    assert "0.562 [0.510, 0.610] / 2,000 games" in listed
    assert parent.id not in listed
    assert "not measured" in said("list", "--phase", "bootstrap")
    shown = said("show", "child")
    assert "claimed at registration, with nothing behind it" in shown
    assert parent.id in shown
    assert json.loads(said("show", "child", "--json")) == json.loads(card.model_dump_json())
    lines = said("list", "--json").splitlines()
    assert {json.loads(line)["id"] for line in lines} == {parent.id, card.id}
    assert said("list", "--status", "champion").startswith("No models")


def test_what_looks_like_markup_is_shown_as_it_is(said, put):
    put("[red]x", notes="[bold]y[/bold]", training_phase="[blue]")
    assert "[blue]" in said()
    assert "[bold]y[/bold]" in said("show", "red")


def test_verify_names_the_damaged_one_and_ends_with_2(said, put, model_store):
    card = put()
    put("good", 1.0)
    (model_store.folder / card.weights_file).write_bytes(b"torn")
    told = said("verify", code=2)
    assert f"damaged: {card.id}: its 4 bytes are not those that were registered" in told
    assert "1 models are sound, 1 damaged" in told
    assert "damaged" in said()


def test_the_command_is_installed_and_loads_neither_torch_nor_the_compiler(settings, put):
    put()
    code = (
        "import sys\nfrom runner import cli\nassert cli.run(['models']) == 0\n"
        "assert {'torch', 'numba', 'scipy'}.isdisjoint(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)
