"""Upgrades: from nothing and from every released revision, once, in one piece, with a backup; newer ones refused."""

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

import migrations.upgrade as upgrading
from migrations.upgrade import alembic_config, drift, upgrade
from runner.store import migrate
from runner.store.administration import check
from runner.store.engine import Store
from runner.store.migrate import stored_revision
from schemas.database import HEAD, UpgradeReport
from schemas.errors import DatabaseBusyError, DatabaseNewerError, StateError

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RELEASED = [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()]

SOME_ROWS = {
    "0001": """
        INSERT INTO schedules (name, definition_json, enabled, watermark, created_at, updated_at, run_count,
                               success_count)
        VALUES ('nightly', '{"name": "nightly", "cron_expression": "0 2 * * *"}', 1, '2026-11-20T02:00:00.000000Z',
                '2026-11-20T02:00:00.000000Z', '2026-11-20T02:00:00.000000Z', 4, 3);
        INSERT INTO occurrences (id, schedule_name, trigger_type, scheduled_for, state, reason, priority, queue_rank,
                                 not_before, start_deadline, attempt, note, created_at)
        VALUES (11, 'nightly', 'scheduled', '2026-11-20T02:00:00.000000Z', 'running', '', 1, -1,
                '2026-11-20T02:00:00.000000Z', '2026-11-20T14:00:00.000000Z', 1, '', '2026-11-20T02:00:00.000000Z');
        INSERT INTO executions (id, occurrence_id, schedule_name, trigger_type, scheduled_for, started_at, status,
                                pipeline_state_json, worker, worker_reason, attempt, seed, run_dir, games_before)
        VALUES (5, 11, 'nightly', 'scheduled', '2026-11-20T02:00:00.000000Z', '2026-11-20T02:00:01.000000Z', 'running',
                '{"best_win_rate": 0.5}', 'tuner', 'no GPU', 1, 9, '/runs/5', 0);
    """,
    "0002": """
        INSERT INTO models (id, name, version, status, architecture, training_phase, encoder_id, weights_file, sha256,
                            size_bytes, parameters, created_at, code_revision, card_json)
        VALUES ('first-0123456789ab', 'first', 1, 'champion', 'CNN_Simple', 'bootstrap', 'ouroboros-1-00000000',
                'first-0123456789ab.safetensors', '0123456789abcdef', 10, 2, '2026-11-21T02:00:00.000000Z', '', '{}');
        INSERT INTO model_events (kind, model_id, at, evidence_json)
        VALUES ('promoted', 'first-0123456789ab', '2026-11-21T02:00:00.000000Z', '{}');
        INSERT INTO evaluations (model_id, opponent, snakes, games, wins, draws, losses, win_rate, low, high, seed,
                                 conditions, evaluated_at, evaluation_json)
        VALUES ('first-0123456789ab', 'heuristic:strong', 2, 4, 1, 0, 3, 0.25, 0.1, 0.6, 7, '11x11 standard',
                '2026-11-21T02:00:00.000000Z', '{}');
    """,
    "0003": """
        INSERT INTO clock_changes (at, step_s, slept_s, detail)
        VALUES ('2026-11-29T02:00:00.000000Z', -86400.0, 0.0, 'the clock was set back by 1 day.');
        INSERT INTO daemon (id, pid, host, boot_id, started_at, heartbeat_at, status, paused, paused_note,
                            stopped_cleanly, version, step, step_since)
        VALUES (1, 7, 'h', 'b', '2026-11-29T02:00:00.000000Z', '2026-11-29T02:00:00.000000Z', 'error', 0, '', 0, '1',
                'triggers', '2026-11-29T02:00:00.000000Z');
    """,
    "0004": """
        INSERT INTO definitions (id, sha256, definition_json) VALUES (9, '00', '{"name": "nightly"}');
        UPDATE occurrence_rows SET definition_id = 9 WHERE id = 11;
    """,
    "0005": """
        INSERT INTO arena_games (game_id, state, challenged, snake_id, snake_name, own_seats, board, game_type,
                                 snakes_json, created_at, attempts, reason)
        VALUES ('g', 'kept', 0, 's', 'Ouroboros', 1, '11x11', 'Standard', '[]', '2026-11-29T02:00:00.000000Z', 0, '');
        INSERT INTO arena_results (game_id, snake_id, snake_name, opponents, score, ended_at)
        VALUES ('g', 's', 'Ouroboros', 1, 1.0, '2026-11-29T02:00:00.000000Z');
    """,
    "0006": """
        INSERT INTO api_tokens (name, sha256, scope, created_at)
        VALUES ('ci', '0123', 'read', '2026-11-29T02:00:00.000000Z');
        INSERT INTO commands (id, verb, arguments_json, requested_by, requested_at)
        VALUES (3, 'pause', '{}', 'me', '2026-11-29T02:00:00.000000Z');
        INSERT INTO idempotency_keys (sha256, request_sha256, command_id) VALUES ('4567', '89ab', 3);
    """,
}
"""Rows that a database of this revision may hold beside those of the revisions before. A new revision gets its own
entry; a released one never changes."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "automation_tracking.db"


def opened(path: Path) -> Store:
    return Store(f"sqlite:///{path}", busy_timeout_s=60)


def at_revision(path: Path, revision: str) -> None:
    """A database as a release with that newest revision left it, with rows in it."""
    for step in sorted(RELEASED):
        if step <= revision:
            brought_to(path, step)
            with closing(sqlite3.connect(path)) as plain, plain:
                plain.executescript(SOME_ROWS[step])
            plain.close()


def brought_to(path: Path, revision: str) -> None:
    """One revision up, the way that a release takes."""
    store = opened(path)
    store.create_file()
    if revision == "0004":
        assert upgrading._rebuild(store, "0003", 1, NOW, lambda _told: None)
        path.with_name(f"{path.name}.backup-0003-{NOW:%Y%m%dT%H%M%S.%fZ}").unlink()
    else:
        with store.migration_transaction() as connection:
            upgrading._apply(connection, revision)
    store.close()


def test_the_head_known_cheaply_is_alembics() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [HEAD]


def test_up_from_nothing_makes_exactly_the_tables_of_the_code(path: Path) -> None:
    store = opened(path)
    assert stored_revision(store) is None
    done = upgrade(store, 3, NOW)
    assert (done.before, done.after, done.backup) == (None, HEAD, None)
    with store.look() as connection:
        assert drift(connection) == []
    assert check(store).problems == ()
    assert [entry.name for entry in path.parent.iterdir() if "backup" in entry.name] == []
    store.close()


@pytest.mark.parametrize("revision", RELEASED)
def test_up_from_every_released_revision_with_data(path: Path, revision: str) -> None:
    at_revision(path, revision)
    store = opened(path)
    upgrade(store, 3, NOW)
    report = check(store)
    assert report.problems == ()
    assert {("schedules", 1), ("occurrences", 1), ("executions", 1)} <= set(report.rows)
    ours = ("models", "model_events", "evaluations")
    assert [(table, rows) for table, rows in report.rows if table in ours] == [
        (table, 1 if revision >= "0002" else 0) for table in sorted(ours)
    ]
    store.close()
    with closing(sqlite3.connect(path)) as plain, plain:
        found = plain.execute("SELECT schedule_name, run_count, success_count FROM schedule_runs").fetchall()
        assert found == [("nightly", 4, 3)]
        assert plain.execute("SELECT id, run_dir FROM executions").fetchall() == [(5, "/runs/5")]
    plain.close()


def test_every_released_revision_has_rows_to_try() -> None:
    assert set(SOME_ROWS) == set(RELEASED)


def pretend_older(path: Path) -> None:
    """Mark the database as one revision behind, as far as `upgrade` can tell."""
    with closing(sqlite3.connect(path)) as plain, plain:
        plain.execute("UPDATE alembic_version SET version_num = '0000'")
    plain.close()


class FakeUpgrade:
    """Stands in for Alembic's application of the revisions after `0000`, of which none exists yet."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, fails: bool = False) -> None:
        self.runs = 0
        self.fails = fails
        monkeypatch.setattr(upgrading, "_apply", self.apply)
        monkeypatch.setattr(upgrading, "_refuse_unknown", lambda _store, _revision: None)

    def apply(self, connection) -> None:  # type: ignore[no-untyped-def]
        self.runs += 1
        connection.exec_driver_sql("CREATE TABLE half_done (a)")
        if self.fails:
            raise StateError("the migration failed")
        connection.exec_driver_sql("DROP TABLE half_done")
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{HEAD}'")


def test_an_existing_database_is_backed_up_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_revision(path, "0001")
    applied = FakeUpgrade(monkeypatch)
    store = opened(path)
    torn = path.with_name(".automation_tracking.db.backup-0000-20260101T000000.000000Z.77.tmp")
    torn.write_bytes(b"half")
    older = path.with_name("automation_tracking.db.backup-0005-20250101T000000.000000Z")  # of a newer revision
    older.write_bytes(b"")
    backups = []
    for day in range(4):
        pretend_older(path)
        done = upgrade(store, keep_backups=2, now=NOW + timedelta(days=day))
        assert done.before == "0000"
        assert done.backup is not None
        backups.append(done.backup)
    assert applied.runs == 4
    assert not torn.exists()
    assert not older.exists()
    assert [backup.exists() for backup in backups] == [False, False, True, True]
    assert backups[3].name == "automation_tracking.db.backup-0000-20261124T120000.000000Z"
    copy = opened(backups[3])
    assert stored_revision(copy) == "0000"
    assert copy.integrity() == []
    copy.close()
    store.close()


def test_a_migration_that_fails_leaves_the_old_database(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_revision(path, "0001")
    pretend_older(path)
    FakeUpgrade(monkeypatch, fails=True)
    store = opened(path)
    with pytest.raises(StateError, match="the migration failed"):
        upgrade(store, 3, NOW)
    assert stored_revision(store) == "0000"
    store.close()
    with closing(sqlite3.connect(path)) as plain, plain:
        assert plain.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half_done'").fetchone() == (0,)
    plain.close()


def test_a_migration_that_leaves_dangling_rows_is_undone(path: Path) -> None:
    at_revision(path, "0001")
    store = opened(path)
    with pytest.raises(StateError, match="dangling"), store.migration_transaction() as connection:
        connection.exec_driver_sql("DELETE FROM occurrences")
    with closing(sqlite3.connect(path)) as plain, plain:
        assert plain.execute("SELECT count(*) FROM occurrences").fetchone() == (1,)
    plain.close()


@pytest.mark.parametrize("unclean", [False, True])
def test_a_newer_database_is_refused_untouched(path: Path, unclean: bool) -> None:
    at_revision(path, "0001")
    other = sqlite3.connect(path)
    other.execute("UPDATE alembic_version SET version_num = '9999'")
    other.commit()
    if not unclean:  # otherwise the change is still in the write-ahead log, as after a crash
        other.close()
    before = fingerprint(path)
    store = opened(path)
    with pytest.raises(DatabaseNewerError, match=r"revision 9999.*newer version"):
        upgrade(store, 3, NOW)
    store.close()
    assert fingerprint(path) == before
    assert [entry.name for entry in path.parent.iterdir() if "backup" in entry.name] == []
    other.close()


def test_a_database_of_another_program_is_refused_untouched(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as plain, plain:
        plain.execute("CREATE TABLE recipes (name)")
    plain.close()
    before = fingerprint(path)
    with pytest.raises(DatabaseNewerError, match=r"another program \(recipes\)"):
        upgrade(opened(path), 3, NOW)
    assert fingerprint(path) == before


def fingerprint(path: Path) -> list[str]:
    """The file and its write-ahead log, byte for byte."""
    return [
        hashlib.sha256(file.read_bytes()).hexdigest()
        for file in (path, path.with_name(f"{path.name}-wal"))
        if file.exists() and file.stat().st_size
    ]


AT_ONCE = """
import sys
from datetime import UTC, datetime
from runner.store.engine import Store
from migrations.upgrade import upgrade
store = Store(sys.argv[1], 60)
print("ready", flush=True)
sys.stdin.readline()
print(upgrade(store, 3, datetime.now(UTC)).before)
"""


def test_processes_that_start_together_upgrade_once(path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", AT_ONCE, f"sqlite:///{path}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    befores = [child.communicate(timeout=120)[0].strip() for child in children]
    assert sorted(befores) == [HEAD, HEAD, "None"]
    store = opened(path)
    assert check(store).problems == ()
    store.close()


@pytest.mark.parametrize("meanwhile", [HEAD, "9999"])
def test_what_another_process_did_meanwhile_is_seen_under_the_lock(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    path = Path(shutil.copy(empty_database, tmp_path / "automation_tracking.db"))
    with closing(sqlite3.connect(path)) as plain, plain:
        plain.execute("UPDATE alembic_version SET version_num = ?", (meanwhile,))
    monkeypatch.setattr(upgrading, "stored_revision", lambda _store: "0005")
    store = opened(path)
    if meanwhile == HEAD:
        assert upgrade(store, 3, NOW) == UpgradeReport(before=HEAD, after=HEAD)
    else:
        with pytest.raises(DatabaseNewerError, match="revision 9999"):
            upgrade(store, 3, NOW)
    store.close()
    assert not list(tmp_path.glob("*.backup-*"))


LOADED = """
import sys
from datetime import UTC, datetime
from runner.store.engine import Store
from runner.store.migrate import upgrade
done = upgrade(Store(sys.argv[1], 5), 3, datetime.now(UTC))
assert not [name for name in sys.modules if name.split(".")[0] in ("alembic", "mako", "migrations", "pipeline")]
print(done.before, done.after)
"""


def test_who_upgrades_by_the_child_loads_no_alembic(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "migrations").mkdir(parents=True)
    (elsewhere / "migrations" / "__main__.py").write_text("raise SystemExit('not ours')")
    for said in (f"None {HEAD}", f"{HEAD} {HEAD}"):
        done = subprocess.run(
            [sys.executable, "-P", "-c", LOADED, f"sqlite:///{path}"],
            check=True,
            timeout=120,
            cwd=elsewhere,
            capture_output=True,
            text=True,
        )
        assert done.stdout.strip() == said


def test_the_child_backs_up_and_tells_it(path: Path) -> None:
    at_revision(path, "0001")
    store = opened(path)
    done = migrate.upgrade(store, 3, NOW)
    assert (done.before, done.after) == ("0001", HEAD)
    assert done.backup == path.with_name(f"{path.name}.backup-0001-20261121T120000.000000Z")
    assert done.backup.exists()
    store.close()


def test_what_the_child_refuses_is_raised_here_as_the_same_error(path: Path) -> None:
    at_revision(path, "0001")
    with closing(sqlite3.connect(path)) as plain, plain:
        plain.execute("UPDATE alembic_version SET version_num = '9999'")
    plain.close()
    before = fingerprint(path)
    store = opened(path)
    with pytest.raises(DatabaseNewerError, match=r"revision 9999.*newer version") as caught:
        migrate.upgrade(store, 3, NOW)
    assert caught.value.where == str(path)
    store.close()
    assert fingerprint(path) == before


def test_the_child_ends_busy_with_the_code_for_try_again(path: Path) -> None:
    at_revision(path, "0001")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    child = [sys.executable, "-m", "migrations", f"sqlite:///{path}", "--busy-timeout-s=0.05"]
    done = subprocess.run(child, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == DatabaseBusyError.exit_code
    assert "another program has it open" in done.stderr
    impatient = Store(f"sqlite:///{path}", busy_timeout_s=0.05)
    with pytest.raises(DatabaseBusyError, match="another program has it open"):
        migrate.upgrade(impatient, 3, NOW)
    holder.execute("ROLLBACK")
    holder.close()
    assert migrate.upgrade(impatient, 3, NOW).after == HEAD
    impatient.close()


def test_a_child_that_ends_without_a_report_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate.sys, "executable", str(path.parent / "shot"))
    path.parent.mkdir()
    (path.parent / "shot").write_text("#!/bin/sh\necho out of luck >&2\nkill -9 $$\n")
    (path.parent / "shot").chmod(0o755)
    with pytest.raises(StateError, match=r"ended with code -9: out of luck.*Nothing was changed"):
        migrate.upgrade(opened(path), 3, NOW)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER TABLE models ADD COLUMN colour TEXT", "remove_column"),
        ("DROP TABLE evaluations", "add_table"),
        ("ALTER TABLE schedules ADD COLUMN colour TEXT", "remove_column"),
        (
            "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, '''0''', '''7''') "
            "WHERE name = 'schedules'",
            "modify_default",
        ),
    ],
)
def test_a_table_that_is_not_the_codes_is_told(empty_database: Path, tmp_path: Path, change: str, told: str) -> None:
    path = Path(shutil.copy(empty_database, tmp_path / "automation_tracking.db"))
    with closing(sqlite3.connect(path)) as plain:
        plain.executescript(change)
    plain.close()
    store = opened(path)
    assert any(told in problem for problem in check(store).problems)
    store.close()


def test_the_database_allows_one_champion(path: Path) -> None:
    at_revision(path, HEAD)
    with closing(sqlite3.connect(path)) as plain, plain:
        for model_id, status in (("b", "retired"), ("c", "retired"), ("d", "candidate")):
            plain.execute(
                "INSERT INTO models SELECT ?, ?, 1, ?, architecture, training_phase, NULL, encoder_id, weights_file, "
                "sha256, size_bytes, parameters, created_at, code_revision, NULL, NULL, card_json "
                "FROM models WHERE name = 'first'",
                (model_id, model_id, status),
            )
        with pytest.raises(sqlite3.IntegrityError):
            plain.execute("UPDATE models SET status = 'champion' WHERE id = 'd'")
    plain.close()


def test_downgrade_is_not_offered() -> None:
    for script in ScriptDirectory.from_config(alembic_config()).walk_revisions():
        assert not hasattr(script.module, "downgrade")
