"""The open database and the file at its path; a database on a disk that may not be written."""

import sqlite3
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from left_out import OWN_MOUNTS, own_mounts

from migrations.upgrade import upgrade
from runner import cli
from runner.store import opened_file, schedules
from runner.store.engine import Store
from runner.store.opened_file import connect_read_only
from schemas.automation import TrainingSchedule
from schemas.errors import DatabaseReadOnlyError, StateError
from schemas.sqlite_errors import sqlite_error

pytestmark = pytest.mark.sqlite_files

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path):
    opened = Store(f"sqlite:///{tmp_path / 'history.db'}", 5)
    upgrade(opened, 1, NOW)
    with opened.write() as session:
        schedules.save(session, TrainingSchedule(name="nightly", cron_expression="0 3 * * *"), NOW, NOW)
    yield opened
    opened.close()


def names(store: Store) -> list[str]:
    with store.read() as session:
        return [record.name for record in schedules.list_active(session)]


def test_a_removed_file_is_noticed_and_all_it_held_is_rescued(store, tmp_path):
    store.hold_to_file()
    assert store.file_trouble() == ""
    for file in tmp_path.glob("history.db*"):
        file.unlink()
    assert store.file_trouble() == "removed"
    store.rescue_to(tmp_path / "rescued.db")
    rescued = Store(f"sqlite:///{tmp_path / 'rescued.db'}", 5)
    assert names(rescued) == ["nightly"]
    rescued.close()


def test_a_replaced_file_is_noticed_and_no_later_connection_takes_it_for_the_old_one(store, tmp_path):
    store.hold_to_file()
    other = Store(f"sqlite:///{tmp_path / 'other.db'}", 5)
    upgrade(other, 1, NOW)
    other.close()
    (tmp_path / "other.db").replace(tmp_path / "history.db")
    assert store.file_trouble() == "replaced by another file"
    with pytest.raises(StateError, match="was replaced by another file while it was in use"):
        names(store)


def read_only_disk(monkeypatch: pytest.MonkeyPatch, path: Path) -> sqlite3.Connection:
    """As `connect_read_only` finds it there: root may write everything, so SQLite's refusal is played."""
    real, tried = opened_file._tried, []

    def refusing(uri: str, busy_timeout_s: float) -> sqlite3.Connection:
        tried.append(uri)
        if len(tried) == 1:
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error
        return real(uri, busy_timeout_s)

    with monkeypatch.context() as patch:
        patch.setattr(opened_file, "_tried", refusing)
        return connect_read_only(path, 5)


def rows(connection: sqlite3.Connection) -> list[tuple[str]]:
    try:
        return connection.execute("SELECT name FROM schedules").fetchall()
    finally:
        connection.close()


def test_a_file_without_a_log_is_read_on_a_read_only_disk(store, tmp_path, monkeypatch):
    store.checkpoint()
    store.close()
    before = sorted(path.name for path in tmp_path.iterdir())
    assert rows(read_only_disk(monkeypatch, tmp_path / "history.db")) == [("nightly",)]
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_what_stands_only_in_the_log_is_read_on_a_read_only_disk_too(store, tmp_path, monkeypatch):
    left = tmp_path / "left"  # as a machine that lost its power leaves it: a log, no shared memory
    left.mkdir()
    for name in ("history.db", "history.db-wal"):
        (left / name).write_bytes((tmp_path / name).read_bytes())
    assert (left / "history.db-wal").stat().st_size > 0
    assert rows(read_only_disk(monkeypatch, left / "history.db")) == [("nightly",)]
    assert sorted(path.name for path in left.iterdir()) == ["history.db", "history.db-wal"]


def test_a_database_that_is_there_but_on_a_read_only_disk_is_not_called_absent(tmp_path, monkeypatch):
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    path = tmp_path / "history.db"
    fault = sqlite_error(error, str(path), 5)
    assert fault is not None and "there is no database here" in str(fault)
    path.touch()
    monkeypatch.setattr("os.access", lambda *_: False)
    assert isinstance(sqlite_error(error, str(path), 5), DatabaseReadOnlyError)


@pytest.mark.parametrize("log", ["none", "left behind"])
def test_the_history_on_a_read_only_mount_is_shown(store, tmp_path, log):
    """The real thing, where a mount name space can be had."""
    home = tmp_path / "home"
    home.mkdir()
    if log == "none":
        store.checkpoint()
        store.close()
    for file in tmp_path.glob("history.db*"):
        if not file.name.endswith("-shm"):
            (home / file.name.replace("history", "automation_tracking")).write_bytes(file.read_bytes())
    mount = f"mount --bind {home} {home} && mount -o remount,ro,bind {home}"
    own_mounts(mount)
    space = [*OWN_MOUNTS, "sh", "-c"]
    python = "import sys; from runner.cli import run; sys.exit(run(sys.argv[1:]))"
    command = f"{mount} && OUROBOROS_HOME={home} {cli.sys.executable} -c '{python}'"
    told = subprocess.run([*space, f"{command} schedules"], capture_output=True, text=True, check=False, timeout=60)
    assert "nightly" in told.stdout, told.stderr
    if log == "none":
        return
    refused = subprocess.run(
        [*space, f"{command} schedules remove nightly"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (refused.returncode, "may not be written" in refused.stderr) == (2, True), refused.stderr
