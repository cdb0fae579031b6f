"""An old history is moved whole: value by value, after a kill at any batch, and not at all without room for it."""

import errno
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrations import disk_space, rebuild, upgrade
from runner.store import administration, migrate
from runner.store.engine import Store
from schemas.automation import TrainingSchedule
from schemas.database import HEAD, UpgradeProgress
from schemas.errors import DatabaseBusyError, DatabaseFullError
from schemas.execution import ResourceUsage
from schemas.model import PipelineState

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RUNS = 57
SEQUENCES = "SELECT name, seq FROM sqlite_sequence"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of revision 0002 with every kind of row: waiting, running, failed, coalesced, edited by hand."""
    path = tmp_path_factory.mktemp("old") / "automation_tracking.db"
    store = Store(f"sqlite:///{path}", 30)
    store.create_file()
    with store.migration_transaction() as connection:
        upgrade._apply(connection, "0002")
    store.close()
    plain = sqlite3.connect(path)
    for number in range(1, RUNS + 1):
        _fill(plain, number)
    plain.execute("UPDATE executions SET pipeline_state_json = 'no JSON' WHERE id = 5")
    plain.execute("UPDATE occurrences SET definition_json = '[]' WHERE id = 7")
    plain.execute("UPDATE occurrences SET coalesced_into = 3, state = 'coalesced' WHERE id = 4")
    plain.execute("DELETE FROM executions WHERE id = ?", (RUNS,))
    plain.commit()
    plain.close()
    return path


def _fill(plain: sqlite3.Connection, number: int) -> None:
    at = f"2026-10-{1 + number % 28:02d}T{number % 24:02d}:30:00.{number:06d}Z"
    named = TrainingSchedule(name=f"s{number % 3}", cron_expression="0 2 * * *", priority=number % 2)
    tricky = 'iteration "a":1, {"b":"c"} \\"d\\":'
    state = PipelineState(
        best_win_rate=number / 100,
        best_win_rate_games=number,
        phases_completed=["ü", "b", '"c":'],
        operation_details=tricky,
        current_phase='"a":',
    )
    usage = ResourceUsage(samples=number, peak_gpu_memory_mb=None if number % 2 else 1.5)
    if number <= 3:
        plain.execute(
            "INSERT INTO schedules (name, definition_json, enabled, watermark, created_at, updated_at, run_count) "
            "VALUES (?, ?, 1, ?, ?, ?, 7)",
            (f"s{number % 3}", named.model_dump_json(), at, at, at),
        )
    plain.execute(
        "INSERT INTO occurrences (id, schedule_name, trigger_type, scheduled_for, state, reason, priority, queue_rank, "
        "not_before, start_deadline, attempt, definition_json, note, created_at, finished_at) "
        "VALUES (?, ?, 'scheduled', ?, ?, 'because', 1, -1, ?, ?, 1, ?, '', ?, ?)",
        (number, named.name, at, "succeeded", at, at, None if number == 9 else named.model_dump_json(), at, at),
    )
    plain.execute(
        "INSERT INTO executions (id, occurrence_id, schedule_name, trigger_type, scheduled_for, started_at, "
        "completed_at, success, status, pipeline_state_json, resource_usage_json, worker, worker_reason, attempt, "
        "seed, run_dir, identity_json, games_before) "
        "VALUES (?, ?, ?, 'scheduled', ?, ?, ?, 1, 'succeeded', ?, ?, 'tuner', '', 1, ?, '/r', NULL, 0)",
        (number, number, named.name, at, at, at, state.model_dump_json(), usage.model_dump_json(), number),
    )
    plain.execute(
        "INSERT INTO decisions (occurrence_id, schedule_name, kind, code, reason, first_at, last_at, count) "
        "VALUES (?, 's', 'launch', 'ok', '', ?, ?, 1)",
        (number, at, at),
    )


@pytest.fixture
def path(old: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(old, tmp_path / old.name))


def shown(path: Path) -> dict[str, list[dict[str, object]]]:
    """All that plain SQL sees of the history, JSON by value."""
    plain = sqlite3.connect(path)
    plain.row_factory = sqlite3.Row
    told = {}
    for table in ("occurrences", "executions", "decisions"):
        rows = [dict(row) for row in plain.execute(f"SELECT * FROM {table} ORDER BY id")]
        told[table] = [{name: _value(name, value) for name, value in row.items()} for row in rows]
    plain.close()
    return told


def _value(name: str, value: object) -> object:
    if name.endswith("_json") and isinstance(value, str) and value.startswith(("{", "[")):
        return json.loads(value)
    return value


def test_every_value_is_shown_as_before(path: Path) -> None:
    before = shown(path)
    told: list[UpgradeProgress] = []
    store = Store(f"sqlite:///{path}", 30)
    done = migrate.upgrade(store, 3, NOW, told.append)
    assert (done.before, done.after) == ("0002", HEAD)
    assert shown(path) == before
    assert administration.check(store).problems == ()
    store.close()
    assert (told[0].done, told[0].total) == (0, 2 * RUNS - 1)
    assert [step.done == step.total for step in told[-2:]] == [True, True], "told while indexes are made, too"
    assert f"{2 * RUNS - 1} rows" in told[0].sentence()
    assert "MB of free disk" in told[0].sentence()
    assert done.backup is not None
    assert shown(done.backup) == before, "the old database is its own backup"
    plain = sqlite3.connect(path)
    assert plain.execute("SELECT count(*) FROM definitions").fetchone()[0] == 7, "each version once"
    assert plain.execute("SELECT seq FROM sqlite_sequence WHERE name = 'execution_rows'").fetchone() == (RUNS,)
    plain.close()


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from migrations import rebuild, upgrade
from runner.store.engine import Store
rebuild.BATCH = 10
def told(progress):
    if progress.done >= int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
upgrade.upgrade(Store(f"sqlite:///{sys.argv[1]}", 5), 3, datetime.now(UTC), told)
"""


def test_killed_at_any_batch_it_goes_on_from_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shown(path)
    for at in (0, 10, 40, 57, 87, 113):
        done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(at)], check=False, timeout=120)
        assert done.returncode == -signal.SIGKILL
        assert shown(path) == before, "the old database is as it was"
    told: list[UpgradeProgress] = []
    monkeypatch.setattr(rebuild, "BATCH", 10)
    store = Store(f"sqlite:///{path}", 5)
    upgrade.upgrade(store, 3, NOW, told.append)
    store.close()
    assert told[0].done == 2 * RUNS - 1, "nothing is moved twice"
    assert shown(path) == before
    assert not list(path.parent.glob(".*")), "nothing is left lying about"


def test_what_was_moved_of_another_state_is_thrown_away(path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(path), "40"], check=False, timeout=120)
    plain = sqlite3.connect(path)
    plain.execute("UPDATE occurrences SET reason = 'an older version ran in between' WHERE id = 1")
    plain.commit()
    plain.close()
    before = shown(path)
    store = Store(f"sqlite:///{path}", 5)
    upgrade.upgrade(store, 3, NOW)
    store.close()
    assert shown(path) == before


def test_without_room_nothing_is_begun(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shown(path)
    usage = shutil.disk_usage(path.parent)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _folder: usage._replace(free=1_000_000))
    store = Store(f"sqlite:///{path}", 5)
    with pytest.raises(DatabaseFullError, match=r"needs \d+ MB of free disk; 1 MB are free"):
        upgrade.upgrade(store, 3, NOW)
    store.close()
    assert shown(path) == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_old_database_is_kept_where_there_are_no_hard_links(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, old = shown(path), path.read_bytes()

    def none(*_arguments: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    store = Store(f"sqlite:///{path}", 5)
    done = upgrade.upgrade(store, 3, NOW)
    store.close()
    assert done.backup is not None
    assert len(done.backup.read_bytes()) == len(old)
    assert shown(path) == before == shown(done.backup)


def test_a_program_that_has_the_database_open_is_said_to_be_in_the_way(path: Path) -> None:
    before = shown(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM executions").fetchone()
        store = Store(f"sqlite:///{path}", 0.2)
        with pytest.raises(DatabaseBusyError, match="must be upgraded, and another program has it open"):
            upgrade.upgrade(store, 3, NOW)
        store.close()
        other.execute("COMMIT")
    assert shown(path) == before


def test_what_runs_and_what_was_edited_by_hand_is_moved_too(path: Path) -> None:
    with closing(sqlite3.connect(path)) as plain, plain:
        plain.execute("UPDATE occurrences SET not_before = 'soon' WHERE id = 1")
        plain.execute("UPDATE executions SET identity_json = 'who' WHERE id IN (1, 2)")
        plain.execute("UPDATE executions SET completed_at = NULL WHERE id = 2")
        plain.execute("DELETE FROM decisions WHERE id = ?", (RUNS,))
        before = {rebuild._MOVED.get(name, name): last for name, last in plain.execute(SEQUENCES)}
    older = path.with_name(f"{path.name}.backup-0001-20250101T000000.000000Z")
    older.touch()
    store = Store(f"sqlite:///{path}", 5)
    done = upgrade.upgrade(store, 1, NOW)
    store.close()
    assert done.backup is not None and done.backup.exists()
    assert not older.exists(), "one backup is kept"
    with closing(sqlite3.connect(path)) as plain:
        moved = plain.execute("SELECT not_before FROM occurrences WHERE id = 1").fetchone()
        assert moved == ("1970-01-01T00:00:00.000000Z",)
        identities = plain.execute("SELECT identity_json FROM execution_rows WHERE id IN (1, 2) ORDER BY id").fetchall()
        assert identities == [(None,), ("who",)], "of what still runs"
        after = plain.execute(SEQUENCES).fetchall()
        assert len(after) == len(dict(after))
        assert before.items() <= dict(after).items(), "no id is given twice, that of a removed row neither"
        kept = plain.execute(
            "SELECT s.definition_json = d.definition_json FROM schedules s LEFT JOIN definitions d "
            "ON d.id = s.definition_id"
        ).fetchall()
        assert kept == [(1,)] * 3


WRITES = """
import sqlite3, sys
sqlite3.connect(sys.argv[1], timeout=0).execute("UPDATE occurrences SET reason = ''")
"""


def test_no_other_program_writes_the_old_database_while_it_is_moved(path: Path) -> None:
    said: list[str] = []

    def told(_progress: UpgradeProgress) -> None:
        if not said:
            other = [sys.executable, "-c", WRITES, str(path)]
            said.append(subprocess.run(other, capture_output=True, text=True, timeout=120, check=False).stderr)

    store = Store(f"sqlite:///{path}", 5)
    upgrade.upgrade(store, 3, NOW, told)
    store.close()
    assert "database is locked" in said[0]


def test_the_new_database_is_on_the_disk_before_it_has_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, partial, backup = (tmp_path / name for name in ("a.db", "partial", "backup"))
    path.write_text("old")
    path.chmod(0o640)
    partial.write_text("new")
    order: list[tuple[str, str]] = []
    monkeypatch.setattr(rebuild.os, "fsync", lambda _descriptor: order.append(("file", path.read_text())))
    monkeypatch.setattr(rebuild, "fsync_folder", lambda folder: order.append((folder.name, path.read_text())))
    rebuild._swap(path, partial, backup)
    assert order == [("file", "old"), (tmp_path.name, "new")]
    assert backup.read_text() == "old"
    assert path.stat().st_mode & 0o777 == 0o640
