"""The list of settings says what the models say, and something reads every one of them."""

import ast
import json
from pathlib import Path

import pytest

import schemas
from runner import cli
from schemas.settings import Settings
from schemas.settings_list import list_settings, page

ROOT = Path(schemas.__file__).parents[1]


def test_the_page_is_what_the_models_say() -> None:
    assert (ROOT / "schemas/SETTINGS.md").read_text() == page(), "python -m schemas.settings_list > schemas/SETTINGS.md"


def test_each_setting_has_a_meaning_and_a_kind_in_words() -> None:
    rows = list_settings()
    assert [row.name for row in rows if not row.meaning] == []
    assert [row.name for row in rows if "." in row.kind or "[" in row.kind] == []
    assert len({row.name for row in rows}) == len(rows) > 150


def read_attributes() -> set[str]:
    """Every name that some line of the program reads after a dot, or as a keyword's text."""
    found = set()
    for package in ("runner", "pipeline", "schemas"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                    found.add(node.attr)
    return found


def test_something_reads_every_setting() -> None:
    read = read_attributes()
    assert [row.name for row in list_settings() if row.name.rpartition(".")[2] not in read] == []


def test_a_group_one_setting_and_what_is_none(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    (tmp_path / "settings.json").write_text('{"guards": {"cpu_window_s": 3}}')
    assert cli.run(["config", "guards.cpu_window_s", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["name"], told["in_force"], told["default"], told["limits"]) == (
        "guards.cpu_window_s", 3.0, 10.0, "above 0",
    )  # fmt: skip
    assert cli.run(["config", "training_phases", "--json"]) == 0
    rates = json.loads(capsys.readouterr().out)[0]["in_force"]
    assert rates == {name: phase.learning_rate for name, phase in Settings().training_phases.items()}
    assert cli.run(["config", "guards"]) == 0
    assert "cpu_window_s" in capsys.readouterr().out
    assert cli.run(["config", "guard"]) == 2
    assert "'guard' is no setting and no group" in capsys.readouterr().err
