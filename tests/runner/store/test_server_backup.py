"""Copies of a server's history and the way back: as a dump, and as a file where there is no pg_dump; killed or not."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from postgresql_server import PrivateServer

from migrations.upgrade import upgrade
from runner import cli
from runner.store import administration, backup, games, migrate, move, server_backup
from runner.store.engine import Store
from schemas.database import HEAD, nightly_backups
from schemas.errors import StateError
from schemas.service import StorageSettings

KEEP = StorageSettings(backup_interval_hours=24, keep_nightly_backups=2)
DAY = timedelta(days=1)


@pytest.fixture
def store(postgresql: PrivateServer, postgresql_own: str) -> Iterator[Store]:
    """A history of this test's own: schemas come and go in it."""
    found = Store(postgresql.url(postgresql_own), 10)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The upgrades that a file needs, without a process for each."""
    monkeypatch.setattr(server_backup, "upgrade", upgrade)


@pytest.fixture(params=[".dump", ".db"])
def suffix(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the server's programs, and on a machine that has none."""
    if request.param == ".db":
        monkeypatch.setattr(server_backup, "_installed", tuple)
    return str(request.param)


def count(store: Store, games_seen: int, now: datetime) -> None:
    """Leave a number in the database by which its state is known."""
    with store.write() as session:
        games.advance(session, Path("/games"), 1, 0, games_seen, now)


def counted(store: Store) -> int:
    with store.look() as connection:
        return int(connection.exec_driver_sql("SELECT coalesce(sum(games), 0) FROM game_files").scalar_one())


def schemas(store: Store) -> list[str]:
    with store.look() as connection:
        names = connection.exec_driver_sql("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1")
        return [name for name in names.scalars() if name not in {"information_schema", "public"}]


def test_a_copy_a_night_and_back_to_it(store: Store, suffix: str, now: datetime, tmp_path: Path) -> None:
    made = []
    for night in range(3):
        count(store, 1, now)
        made.append(backup.periodic(store, tmp_path, KEEP, now + night * DAY))
        assert backup.periodic(store, tmp_path, KEEP, now + night * DAY + timedelta(hours=23)) is None
    found = nightly_backups(tmp_path / "automation_tracking.db")
    assert found == [made[2], made[1]]
    assert sorted(each.name for each in (tmp_path / "backups").iterdir()) == [each.name for each in found[::-1]]
    assert {each.suffix for each in found} == {suffix}
    count(store, 5, now)

    done = backup.restore(store, tmp_path, None, now)
    assert (done.source, counted(store)) == (found[0], 3)
    assert administration.check(store).problems == ()
    [aside] = schemas(store)
    assert aside in done.aside
    with store.look() as connection:
        assert connection.exec_driver_sql(f"SELECT sum(games) FROM {aside}.game_files").scalar_one() == 8
    count(store, 1, now)  # ids go on
    assert backup.restore(store, tmp_path, found[1], now).source == found[1]
    assert (counted(store), len(schemas(store))) == (2, 2)
    again = backup.checked_copy(store, tmp_path / f"again{suffix}", now)  # without what was put aside
    assert again.stat().st_size < 1.2 * found[1].stat().st_size


def test_a_daemon_writes_on_while_a_file_is_made(
    store: Store, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count(store, 1, now)
    compared = move._compared

    def compare(*given: Any) -> move.MovedTable:
        count(store, 1, now)
        return compared(*given)

    monkeypatch.setattr(move, "_compared", compare)
    made = backup.checked_copy(store, tmp_path / "copy.db", now)
    assert counted(store) > 1
    copy = Store(f"sqlite:///{made}", 5)
    assert (counted(copy), copy.integrity()) == (1, [])
    copy.close()


@pytest.mark.parametrize("damage", ["cut", "bytes", "other", "none"])
def test_a_damaged_copy_is_passed_over(store: Store, now: datetime, tmp_path: Path, damage: str) -> None:
    count(store, 1, now)
    sound = backup.periodic(store, tmp_path, KEEP, now)
    assert sound is not None
    count(store, 1, now)
    newer = backup.periodic(store, tmp_path, KEEP, now + DAY)
    assert newer is not None
    whole = newer.read_bytes()
    middle = whole.rindex(b"\x78\x9c") + 4  # in compressed rows
    newer.write_bytes({
        "cut": whole[: len(whole) // 2], "bytes": whole[:middle] + b"\xff" * 40 + whole[middle + 40 :],
        "other": b"PGDMP is how it begins", "none": b"",
    }[damage])  # fmt: skip
    done = backup.restore(store, tmp_path, None, now)
    assert (done.source, counted(store), len(done.passed_over)) == (sound, 1, 1)
    with pytest.raises(StateError):
        backup.restore(store, tmp_path, newer, now)
    assert counted(store) == 1


def test_by_command_and_from_a_file_that_was_sqlites_own(
    store: Store, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path / "home"))
    url = store.url.render_as_string(hide_password=False)
    assert cli.run(["init"]) == 0
    assert cli.run(["db", "backup", str(tmp_path / "file.db")]) == 0
    (tmp_path / "home" / "settings.json").write_text(json.dumps({"storage": {"database_url": url}}))
    count(store, 7, now)
    capsys.readouterr()
    assert cli.run(["db", "backup"]) == 0
    dump = Path(capsys.readouterr().out.strip())
    assert (dump.parent, dump.suffix) == (tmp_path / "home", ".dump")
    assert cli.run(["db", "restore", str(tmp_path / "file.db")]) == 0
    told = capsys.readouterr().out
    assert re.search(r"the old database is kept as the schema replaced_\d{8}t\d{6} of postgresql", told), told
    assert (counted(store), migrate.stored_revision(store)) == (0, HEAD)
    assert cli.run(["db", "restore", str(dump)]) == 0
    assert counted(store) == 7
    (tmp_path / "home" / "settings.json").unlink()
    assert cli.run(["db", "restore", str(dump)]) == 2
    assert "this is a dump of a PostgreSQL server" in capsys.readouterr().err


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from runner.store import backup, server_backup
from runner.store.engine import Store
from sqlalchemy import event
from migrations.upgrade import upgrade
server_backup.upgrade = upgrade
if sys.argv[3] == "file":
    server_backup._installed = tuple
steps = 0
def step():
    global steps
    steps += 1
    if steps == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(lambda event, _: step() if event == "subprocess.Popen" else None)
store = Store(sys.argv[1], 10)
event.listen(store._writers, "before_cursor_execute", lambda *_: step())
event.listen(store._writers, "commit", lambda *_: step())
backup.restore(store, Path(sys.argv[2]), None, datetime.now(UTC))
print(steps)
"""


def test_a_restore_killed_at_any_step_leaves_one_whole_history(
    store: Store, suffix: str, now: datetime, tmp_path: Path
) -> None:
    count(store, 1, now)
    assert backup.periodic(store, tmp_path, KEEP, now) is not None
    count(store, 1, now)
    url, kind = store.url.render_as_string(hide_password=False), "file" if suffix == ".db" else "dump"

    def restore(step: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", KILLED, url, str(tmp_path), kind, str(step)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    whole = restore(10_000)
    assert whole.returncode == 0, whole.stderr
    steps = int(whole.stdout)
    assert counted(store) == 1
    for step in (steps - 1,) if kind == "file" else (steps // 2, steps):
        count(store, 1, now)
        seen = counted(store)
        assert restore(step).returncode == -signal.SIGKILL
        assert (counted(store), migrate.stored_revision(store)) in {(seen, HEAD), (1, HEAD)}
