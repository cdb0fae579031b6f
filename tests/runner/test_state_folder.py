"""`ouroboros init`, and whose database it is when two folders name one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrations.upgrade import upgrade
from runner import cli
from runner.service import Service
from runner.state_folder import held
from runner.store import queue, schedules
from runner.store.engine import Store
from schemas.automation import create_default_schedules
from schemas.errors import StateError
from schemas.service import StorageSettings
from schemas.settings import Settings

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_schedules_can_be_added_before_the_first_start(tmp_path, monkeypatch, capsys):
    home = tmp_path / "deep" / "home"
    monkeypatch.setenv("OUROBOROS_HOME", str(home))
    assert cli.run(["schedules"]) == 2
    assert "`ouroboros init` makes the database" in capsys.readouterr().err
    assert cli.run(["init"]) == 0
    assert f"Made {home}" in capsys.readouterr().out
    assert {"triggers", "runs", "automation_tracking.db"} <= {path.name for path in home.iterdir()}
    assert cli.run(["schedules", "add", "--name", "mine", "--cron", "0 3 * * *"]) == 0
    assert cli.run(["init"]) == 0
    assert "is ready already: 1 schedules" in capsys.readouterr().out
    with Service(Settings(home=home)) as service, service.store.read() as session:
        assert [record.name for record in schedules.list_active(session)] == ["mine"]
        assert queue.depth(session) == 0
        assert cli.run(["init"]) == 0, "harmless beside a daemon too"


def made(settings: Settings) -> Settings:
    """With its database, made in this process: the daemon's child would cost each test a second."""
    settings.home.mkdir(exist_ok=True)
    store = Store(settings.database_url, 5)
    upgrade(store, 1, NOW)
    store.close()
    return settings


def test_the_first_start_begins_no_run_where_none_is_wanted(tmp_path):
    settings = made(Settings(home=tmp_path / "home"))
    with Service(settings, first_run=False) as service, service.store.read() as session:
        assert schedules.count_active(session) == len(create_default_schedules())
        assert queue.depth(session) == 0


def test_a_folder_that_cannot_be_made_is_told_of(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path / "file" / "home"))
    assert cli.run(["init"]) == 2
    assert "cannot take the lock of the state folder: Not a directory" in capsys.readouterr().err


@contextmanager
def held_by(settings: Settings) -> Iterator[None]:
    """As a daemon's start does."""
    store = Store(settings.database_url, 5)
    try:
        with held(settings, store, NOW):
            yield
    finally:
        store.close()


def test_two_folders_that_name_one_database_have_one_daemon(tmp_path, monkeypatch, capsys):
    url = f"sqlite:///{tmp_path / 'history.db'}"
    homes = [tmp_path / "one", tmp_path / "two"]
    settings = [Settings(home=home, storage=StorageSettings(database_url=url)) for home in homes]
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "settings.json").write_text(json.dumps({"storage": {"database_url": url}}))
    made(settings[0])
    with held_by(settings[0]):
        with pytest.raises(StateError, match=f"serves this database: process .* from the state folder {homes[0]}"):
            held_by(settings[1]).__enter__()
        monkeypatch.setenv("OUROBOROS_HOME", str(homes[1]))
        assert cli.run(["status", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["running"], "the second folder's commands see who serves"


def test_one_folder_with_two_databases_has_one_daemon(tmp_path: Path):
    home = tmp_path / "home"
    other = Settings(home=home, storage=StorageSettings(database_url=f"sqlite:///{tmp_path / 'other.db'}"))
    with held_by(Settings(home=home)), pytest.raises(StateError, match="serves this state folder"):
        held_by(other).__enter__()
    with held_by(other):
        pass
