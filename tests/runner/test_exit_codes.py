"""What a supervisor reads: which ends of `ouroboros up` a restart can mend."""

import sqlite3
from configparser import ConfigParser
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrations.upgrade import upgrade
from runner import cli
from runner.store.engine import Store

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "ouroboros.service"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    (tmp_path / "settings.json").write_text('{"storage": {"busy_timeout_s": 0.1}}')
    store = Store(f"sqlite:///{tmp_path / 'automation_tracking.db'}", 5)
    upgrade(store, 1, datetime.now(UTC))
    store.close()
    return tmp_path


@pytest.fixture
def final() -> set[int]:
    """Exit codes after which systemd leaves the service down."""
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    assert unit["Service"]["Restart"] == "always"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0", "systemd itself must not give up after some tries"
    return {int(code) for code in unit["Service"]["RestartPreventExitStatus"].split()}


def test_a_database_that_is_locked_at_the_start_is_tried_again(home, final, capsys):
    other = sqlite3.connect(home / "automation_tracking.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    code = cli.run(["up"])
    other.close()
    assert "held by another process" in capsys.readouterr().err
    assert code == 75
    assert code not in final


def test_settings_that_cannot_be_used_are_final(home, final, capsys):
    (home / "settings.json").write_text('{"scheduler": {"slots": 0}}')
    code = cli.run(["up"])
    assert "slots" in capsys.readouterr().err
    assert code in final
