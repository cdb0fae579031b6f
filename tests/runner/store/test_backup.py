"""Nightly copies are whole, few and found again; a restore loses neither database, killed or not."""

import errno
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from runner import cli
from runner.state_folder import held
from runner.store import backup, games
from runner.store.engine import Store
from schemas.database import all_backups, backups_of, nightly_backups, undo_unfinished, way_back
from schemas.errors import DatabaseFullError, StateError
from schemas.service import StorageSettings
from schemas.settings import get_config

pytestmark = pytest.mark.sqlite_files

KEEP = StorageSettings(backup_interval_hours=24, keep_nightly_backups=2)
DAY = timedelta(days=1)


def count(store: Store, games_seen: int, now: datetime) -> None:
    """Leave a number in the database by which its state is known."""
    with store.write() as session:
        games.advance(session, Path("/games"), 1, 0, games_seen, now)


def counted(path: Path) -> int:
    plain = sqlite3.connect(path)
    (found,) = plain.execute("SELECT sum(games) FROM game_files").fetchone()
    plain.close()
    return int(found)


def test_a_copy_a_night_is_made_and_the_newest_are_kept(store: Store, now: datetime) -> None:
    assert store.path is not None
    made = []
    for night in range(4):
        count(store, 1, now)
        made.append(backup.periodic(store, store.path.parent, KEEP, now + night * DAY))
        assert backup.periodic(store, store.path.parent, KEEP, now + night * DAY + timedelta(hours=23)) is None
    assert nightly_backups(store.path) == [made[3], made[2]]
    assert made[3] == backups_of(store.path) / "automation_tracking-20261124T120000Z.db"
    assert [counted(path) for path in nightly_backups(store.path)] == [4, 3]
    assert sorted(entry.name for entry in backups_of(store.path).iterdir()) == sorted(p.name for p in made[2:])


def test_a_copy_from_a_time_to_come_does_not_end_the_copies(store: Store, now: datetime) -> None:
    """The clock was a year ahead once."""
    backup.periodic(store, store.path.parent, KEEP, now + 365 * DAY)
    assert backup.periodic(store, store.path.parent, KEEP, now) is not None


def test_a_torn_copy_of_a_killed_daemon_is_removed(store: Store, now: datetime) -> None:
    assert store.path is not None
    backups_of(store.path).mkdir()
    torn = backups_of(store.path) / ".automation_tracking-20260101T000000Z.db.77.tmp"
    torn.write_bytes(b"half")
    backup.periodic(store, store.path.parent, KEEP, now)
    assert not torn.exists()


def test_without_room_no_copy_is_begun_and_the_older_ones_stay(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.path is not None
    first = backup.periodic(store, store.path.parent, KEEP, now)
    monkeypatch.setattr(backup, "_ROOM", 10**9)
    with pytest.raises(DatabaseFullError, match="MB are free"):
        backup.periodic(store, store.path.parent, KEEP, now + DAY)
    assert nightly_backups(store.path) == [first]


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    path.write_bytes(content)


@pytest.fixture
def home(store: Store, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with two nightly copies, of 1 and of 2 games, and a database that has counted 3."""
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    for night in range(2):
        count(store, 1, now)
        backup.periodic(store, store.path.parent, KEEP, now + night * DAY)
    count(store, 1, now)
    store.checkpoint()
    store.close()
    return tmp_path


def test_a_damaged_database_is_restored_from_the_newest_and_kept(home: Path, capsys: pytest.CaptureFixture) -> None:
    database = home / "automation_tracking.db"
    damage(database)
    broken = database.read_bytes()
    assert cli.run(["db", "check"]) == 2
    newest = home / "backups" / "automation_tracking-20261122T120000Z.db"
    assert str(newest) in capsys.readouterr().err, "the message names a file that is there"
    assert cli.run(["db", "restore"]) == 0
    said = capsys.readouterr().out
    (aside,) = home.glob("automation_tracking.db.replaced-*")
    assert f"restored from {newest}" in said
    assert str(aside) in said
    assert aside.read_bytes() == broken
    assert counted(database) == 2
    assert cli.run(["db", "check"]) == 0


def test_a_restore_keeps_the_old_database_where_there_are_no_hard_links(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(home / "automation_tracking.db")
    broken = (home / "automation_tracking.db").read_bytes()

    def none(*_arguments: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    assert cli.run(["db", "restore"]) == 0
    (aside,) = home.glob("automation_tracking.db.replaced-*")
    assert aside.read_bytes() == broken
    assert counted(home / "automation_tracking.db") == 2
    assert not list(home.glob(".*.tmp"))


def test_a_named_backup_is_taken(home: Path) -> None:
    assert cli.run(["db", "restore", str(home / "backups" / "automation_tracking-20261121T120000Z.db")]) == 0
    assert counted(home / "automation_tracking.db") == 1


def test_a_damaged_backup_is_passed_over_and_said(home: Path, capsys: pytest.CaptureFixture) -> None:
    damage(home / "backups" / "automation_tracking-20261122T120000Z.db")
    assert cli.run(["db", "restore"]) == 0
    said = capsys.readouterr()
    assert "passed over: this backup is damaged itself" in said.err
    assert counted(home / "automation_tracking.db") == 1


@pytest.mark.parametrize("what", ["damaged", "absent", "itself", "none"])
def test_what_cannot_be_restored_leaves_the_database(home: Path, what: str, capsys: pytest.CaptureFixture) -> None:
    given = home / "backups" / "automation_tracking-20261122T120000Z.db"
    if what == "damaged":
        damage(given)
    elif what == "absent":
        given.unlink()
    elif what == "itself":
        given = home / "automation_tracking.db"
    elif what == "none":
        for copy in all_backups(home / "automation_tracking.db"):
            copy.unlink()
    assert cli.run(["db", "restore", *([] if what == "none" else [str(given)])]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert counted(home / "automation_tracking.db") == 3
    assert not list(home.glob("*.replaced-*"))


def test_a_restore_is_refused_while_a_daemon_runs(
    home: Path, store: Store, now: datetime, capsys: pytest.CaptureFixture
) -> None:
    with held(get_config(), store, now):
        assert cli.run(["db", "restore"]) == 2
    assert "another daemon" in capsys.readouterr().err
    assert counted(home / "automation_tracking.db") == 3


def test_without_a_backup_the_message_names_none(tmp_path: Path) -> None:
    assert "No backup of it is here" in way_back(tmp_path / "automation_tracking.db")


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from runner.store import backup
from runner.store.engine import Store
steps = 0
def watched(event, arguments):
    global steps
    if event in ("os.rename", "os.link", "os.remove", "os.truncate") and arguments and sys.argv[2] in str(arguments[0]):
        steps += 1
        if steps == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watched)
backup.restore(Store(f"sqlite:///{sys.argv[1]}/automation_tracking.db", 5), Path(sys.argv[1]), None, datetime.now(UTC))
print(steps)
"""


def test_a_restore_killed_at_any_step_leaves_one_whole_database(home: Path) -> None:
    """A database with a write-ahead log that is not in the file yet; killed before each change of a name."""
    database = home / "automation_tracking.db"
    killed, wal = 0, database.with_name("automation_tracking.db-wal")
    for step in range(1, 20):
        for aside in home.glob("*.replaced-*"):
            aside.unlink()
        _leave_four_in_the_log(database)
        assert wal.stat().st_size > 0
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(home), "automation_tracking", str(step)],
            capture_output=True,
            timeout=60,
            check=False,
        )
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        undo_unfinished(database)
        assert database.stat().st_nlink == 1, "else the next start takes it for two databases"
        asides = [counted(path) for path in home.glob("*.replaced-*Z")]
        assert (counted(database), asides) in ((4, []), (2, [4])), f"step {step}: the old one whole, or the new one"
        killed += 1
    assert done.returncode == 0
    assert counted(database) == 2
    assert [counted(path) for path in home.glob("*.replaced-*Z")] == [4]
    assert killed >= 3
    assert not list(home.glob("*.restoring.*")), "nor does half a copy stay"


def _leave_four_in_the_log(database: Path) -> None:
    """Make the count 4, in the log only, by a process that is killed."""
    program = (
        "import os, signal, sqlite3, sys\n"
        "plain = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "plain.execute('UPDATE game_files SET games = 3')\n"
        "plain.execute('PRAGMA journal_mode = WAL')\n"
        "plain.execute('PRAGMA wal_checkpoint(TRUNCATE)')\n"
        "plain.execute('UPDATE game_files SET games = 4')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(database)], check=False, timeout=60)


def test_a_folder_that_is_no_backup_is_refused(store: Store, tmp_path: Path, now: datetime) -> None:
    plain = sqlite3.connect(tmp_path / "other.db")
    plain.execute("CREATE TABLE recipes (name)")
    plain.close()
    with pytest.raises(StateError, match="another program"):
        backup.restore(store, tmp_path, tmp_path / "other.db", now)
    assert not list(tmp_path.glob("*.replaced-*"))
