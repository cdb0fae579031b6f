"""The daemon on a full disk (a small tmpfs in a mount name space of its own), and on a database that it cannot use."""

import json
import os
import shlex
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from daemon_world import settings_for
from left_out import OWN_MOUNTS, leave_out, own_mounts

from runner import cli
from runner.store.engine import Store
from schemas.database import HEAD

pytestmark = pytest.mark.sqlite_files


def test_a_full_disk_delays_and_loses_nothing_and_tells_nobody_twice(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=6m tmpfs {shlex.quote(str(disk))}"
    own_mounts(mount)
    script = Path(__file__).with_name("daemon_full_disk.py")
    inside = f"{mount} && exec {shlex.join([sys.executable, str(script), str(disk)])}"
    done = subprocess.run([*OWN_MOUNTS, "sh", "-c", inside], capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["status"] == "error"
    assert told["occurrences"] == [
        ["2026-03-01T01:00:00.000000Z", "cancelled"],
        ["2026-03-01T02:00:00.000000Z", "succeeded"],
    ]
    assert told["executions"] == [["cancelled"], ["succeeded"]]
    assert told["status afterwards"] in ("monitoring", "executing")
    assert told["alerts"] == 1
    assert any("the disk is full" in error for (error,) in told["errors"])
    assert (told["sound"], told["unsent"]) == ("ok", 0)
    assert sorted(told["pigeon"]) == ["1", "2"]


@pytest.fixture
def state(tmp_path, monkeypatch) -> Path:
    """A state folder for `ouroboros`, in this process."""
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def refused(capsys, home: Path) -> str:
    """What `ouroboros up` says when it refuses, and that it left the database as it was."""
    database = home / "automation_tracking.db"
    before = database.read_bytes()
    assert cli.run(["up"]) == 2
    assert database.read_bytes() == before
    assert not database.with_name(f"{database.name}-wal").exists()
    return capsys.readouterr().err


@pytest.mark.parametrize("kind", ["garbage", "torn"])
def test_a_damaged_database_is_refused_untouched_with_the_remedy(state, capsys, kind):
    database = state / "automation_tracking.db"
    if kind == "garbage":
        database.write_bytes(b"this was a database once " * 400)
    else:
        _new_database(state)
        whole = bytearray(database.read_bytes())
        whole[100:4096] = bytes(3996)
        database.write_bytes(whole)
    said = refused(capsys, state)
    assert "the database is damaged" in said
    assert str(database) in said
    assert "No backup of it is here." in said


def test_a_newer_database_is_refused_untouched(state, capsys):
    _new_database(state)
    connection = sqlite3.connect(state / "automation_tracking.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    said = refused(capsys, state)
    assert f"at revision 9999, which this version (at {HEAD}) does not know" in said
    assert "Install the newer version again" in said


def test_a_database_of_another_program_is_refused_untouched(state, capsys):
    connection = sqlite3.connect(state / "automation_tracking.db")
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    assert "tables of another program (recipes)" in refused(capsys, state)


def test_a_read_only_database_is_refused_with_the_remedy(state):
    _new_database(state)
    database = state / "automation_tracking.db"
    database.chmod(stat.S_IRUSR)
    # Root writes everywhere; in a user name space without a mapping it is an ordinary user.
    prefix = ["unshare", "--user"] if os.geteuid() == 0 else []
    if prefix and subprocess.run([*prefix, "true"], capture_output=True, check=False, timeout=60).returncode:
        leave_out("user name spaces are forbidden here, and root writes everywhere")
    command = [*prefix, str(Path(sys.executable).with_name("ouroboros")), "up"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2, done.stderr
    assert "the database may not be written" in done.stderr
    assert "write permission" in done.stderr


def _new_database(home: Path) -> None:
    from datetime import UTC, datetime

    from migrations.upgrade import upgrade

    store = Store(settings_for(home).database_url, 5)
    upgrade(store, 1, datetime.now(UTC))
    store.checkpoint()
    store.close()
    connection = sqlite3.connect(home / "automation_tracking.db")
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
