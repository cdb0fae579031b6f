"""Retention, checks, backups and exports."""

import csv
import json
import os
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

from runner.store import administration, backup, commands, decisions, history, outbox, queue, retention, trigger_files
from runner.store.administration import ExportFormat
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from runner.store.retention import Pruned
from runner.store.states import OutboxState
from schemas.automation import TrainingSchedule
from schemas.errors import StateError
from schemas.execution import Decision, DecisionKind, ExecutionResult, Outcome
from schemas.message import Message, MessageKind
from schemas.model import PipelineState
from schemas.service import StorageSettings

DAY = timedelta(days=1)
KEEP = StorageSettings(keep_decisions_days=10, keep_occurrences_days=100, keep_run_folders_days=30)


def finished_run(session: Session, at: datetime) -> tuple[int, int]:
    """A run with a decision, a mail, a command and a trigger file around it, all at the same time."""
    schedule = TrainingSchedule(name="nightly", cron_expression="0 2 * * *")
    occurrence_id = queue.record(session, NewOccurrence(schedule, at), at, 100).occurrence_id
    launch = Decision(kind=DecisionKind.LAUNCH, code="ok", reason="all free")
    decisions.record(session, occurrence_id, "nightly", launch, at)
    execution_id = queue.begin(
        session,
        occurrence_id,
        at,
        worker="tuner",
        worker_reason="",
        seed=1,
        run_dir=lambda number: Path(f"/r/{number}"),
    )
    assert execution_id is not None
    result = ExecutionResult(
        execution_id=execution_id,
        schedule_name="nightly",
        trigger_type="scheduled",
        scheduled_for=at,
        started_at=at,
        completed_at=at,
        attempt=1,
        worker="tuner",
        outcome=Outcome.SUCCEEDED,
        success=True,
        state=PipelineState(),
        run_dir=Path("/r"),
    )
    assert history.finish(session, result)
    assert queue.finish(session, occurrence_id, Outcome.SUCCEEDED, "", at)
    told = Message(kind=MessageKind.COMPLETION, dedup_key=f"run-{execution_id}", subject="", headline="", created_at=at)
    outbox.put(session, told, execution_id=execution_id)
    for record in outbox.take_due(session, at, 1):
        outbox.mark_sent(session, record.outbox_id, "<id>", at)
    commands.answer(session, commands.enqueue(session, "trigger", None, "ann", at), True, "queued", at)
    file_id = trigger_files.claim(session, "x", Path(f"/claimed/{execution_id}"), "00", at)
    trigger_files.mark_queued(session, file_id, occurrence_id)
    trigger_files.mark_archived(session, file_id, "succeeded")
    return occurrence_id, execution_id


def test_what_is_too_old_goes_and_what_is_not_stays(store: Store, now: datetime) -> None:
    with store.write() as session:
        ancient, old, young = (finished_run(session, now - days * DAY) for days in (101, 50, 5))
        waiting = TrainingSchedule(name="waits", cron_expression="0 2 * * *")
        queue.record(session, NewOccurrence(waiting, now - 500 * DAY), now - 500 * DAY, 100)
        folders = retention.expired_run_folders(session, KEEP, now, 10)
        assert [(folder.execution_id, folder.path) for folder in folders] == [
            (ancient[1], Path(f"/r/{ancient[1]}")),
            (old[1], Path(f"/r/{old[1]}")),
        ]
        talk = retention.prune(session, KEEP, now, 10)
        assert talk == Pruned(2, 0, 0, 2, 2, 1, 0), "occurrences stay: their folders would be forgotten"
        assert talk.total == 7
        retention.mark_run_folders_removed(session, [folder.execution_id for folder in folders], now)
        assert retention.expired_run_folders(session, KEEP, now, 10) == []
        pruned = retention.prune(session, KEEP, now, 10)
        assert pruned == Pruned(0, 1, 1, 0, 0, 0, 0)
        assert pruned.total == 2
        assert retention.prune(session, KEEP, now, 10).nothing
        assert history.get(session, ancient[1]) is None
        assert [record.execution_id for record in history.recent(session, 9)] == [young[1], old[1]]
        assert [row.occurrence_id for row in decisions.of_schedule(session, "nightly", 9)] == [young[0]]
        counts = {
            table: session.execute(text(f"SELECT count(*) FROM {table}")).scalar()
            for table in ("decisions", "outbox", "commands", "drops", "occurrences")
        }
        assert counts == {"decisions": 1, "outbox": 1, "commands": 1, "drops": 2, "occurrences": 3}
        assert history.statistics(session).total_executions == 3, "counters stay"
    assert administration.check(store).problems == ()


def test_what_is_exactly_as_old_as_it_may_be_stays(store: Store, now: datetime) -> None:
    with store.write() as session:
        _, oldest = finished_run(session, now - 100 * DAY)
        finished_run(session, now - 30 * DAY)
        finished_run(session, now - 10 * DAY)
        given_up = Message(
            kind=MessageKind.COMPLETION, dedup_key="up", subject="", headline="", created_at=now - 100 * DAY
        )
        outbox.put(session, given_up, state=OutboxState.FAILED)
        folders = retention.expired_run_folders(session, KEEP, now, 10)
        assert [folder.execution_id for folder in folders] == [oldest]
        retention.mark_run_folders_removed(session, [oldest], now)
        assert retention.prune(session, KEEP, now, 10) == Pruned(2, 0, 0, 2, 2, 0, 0)
        gone = retention.prune(session, KEEP, now + timedelta(microseconds=1), 10)
        assert gone == Pruned(1, 1, 1, 2, 1, 1, 0)


def test_a_folder_that_cannot_go_now_holds_no_other_up(store: Store, now: datetime) -> None:
    with store.write() as session:
        first, second, third = (finished_run(session, now - days * DAY)[1] for days in (90, 80, 70))
        folders = retention.expired_run_folders(session, KEEP, now, 1, passing_over={first})
        assert [folder.execution_id for folder in folders] == [second]
        folders = retention.expired_run_folders(session, KEEP, now, 2, passing_over={second})
        assert [folder.execution_id for folder in folders] == [first, third]


def test_pruning_goes_in_batches(store: Store, now: datetime) -> None:
    with store.write() as session:
        for hours in range(5):
            _, execution_id = finished_run(session, now - 200 * DAY + timedelta(hours=hours))
            retention.mark_run_folders_removed(session, [execution_id], now)
    removed = []
    while True:
        with store.write() as session:
            pruned = retention.prune(session, KEEP, now, 2)
        if pruned.nothing:
            break
        removed.append((pruned.occurrences, pruned.definitions))
    assert removed == [(2, 0), (2, 0), (1, 0), (0, 1)], "what nothing refers to any more goes last"


@pytest.mark.sqlite_files
def test_freed_space_goes_back_to_the_file_system(store: Store, now: datetime) -> None:
    assert store.path is not None
    with store.write() as session:
        for number in range(3000):
            commands.enqueue(session, "x" * 32, None, "somebody with a long name" * 20, now + number * DAY)
    store.checkpoint()
    large = store.path.stat().st_size
    with store.write() as session:
        session.execute(text("DELETE FROM commands"))
    retention.give_back_space(store)
    assert store.path.stat().st_size < large / 2
    assert store.path.with_name(f"{store.path.name}-wal").stat().st_size == 0


def test_check_tells_of_contradictions_and_counts_rows(store: Store, now: datetime) -> None:
    with store.write() as session:
        occurrence_id, _ = finished_run(session, now)
    report = administration.check(store)
    assert report.problems == ()
    assert dict(report.rows)["executions"] == 1
    assert report.size_bytes > 0
    assert store.size_bytes() >= report.size_bytes
    with store.write() as session:
        session.execute(text("UPDATE occurrence_rows SET state = 'running'"))
    [problem] = administration.check(store).problems
    assert problem == f"occurrence {occurrence_id} is running with 0 executions under way"


@pytest.mark.sqlite_files
def test_check_tells_of_a_changed_schema_and_dangling_rows(store: Store, now: datetime) -> None:
    assert store.path is not None
    with store.write() as session:
        finished_run(session, now)
    plain = sqlite3.connect(store.path)
    plain.execute("DELETE FROM occurrence_rows")
    plain.execute("ALTER TABLE loops ADD COLUMN mood TEXT")
    plain.commit()
    plain.close()
    problems = administration.check(store).problems
    assert any("execution_rows row 1 points at a missing row of occurrence_rows" in problem for problem in problems)
    assert any("mood" in problem for problem in problems)


@pytest.mark.sqlite_files
def test_check_tells_of_damage_and_of_an_old_revision(store: Store) -> None:
    assert store.path is not None
    with store.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    [problem] = administration.check(store).problems
    assert problem.startswith("the database is at revision 0000")
    store.checkpoint()
    store.close()
    with store.path.open("r+b") as file:
        file.truncate(5000)
        file.seek(100)
        file.write(os.urandom(4000))
    [damage] = administration.check(store).problems
    assert "the database is damaged" in damage


@pytest.mark.sqlite_files
def test_a_backup_opens_as_it_is(store: Store, now: datetime, tmp_path: Path) -> None:
    with store.write() as session:
        finished_run(session, now)
    made = backup.checked_copy(store, tmp_path / "copy.db", now)
    copy = Store(f"sqlite:///{made}", 5)
    assert administration.check(copy).rows == administration.check(store).rows
    with copy.write() as session:
        finished_run(session, now + DAY)
    copy.close()
    with pytest.raises(StateError, match="never overwrites"):
        backup.checked_copy(store, made, now)
    with pytest.raises(StateError, match="no such folder"):
        backup.checked_copy(store, tmp_path / "nowhere" / "copy.db", now)


def test_exports_hold_every_row(store: Store, now: datetime, tmp_path: Path) -> None:
    with store.write() as session:
        finished_run(session, now)
        finished_run(session, now + DAY)
        session.execute(text("UPDATE execution_rows SET resource_usage_changes_json = 'damaged' WHERE id = 2"))
    written = administration.export(store, tmp_path / "lines", ExportFormat.JSONL)
    with store.look() as connection:
        made = set(inspect(connection).get_table_names()) - {"alembic_version", "occurrence_rows", "execution_rows"}
    assert {path.stem for path in written} == made | {"occurrences", "executions"}
    assert {"executions.jsonl", "occurrences.jsonl", "definitions.jsonl", "models.jsonl", "evaluations.jsonl"} <= {
        path.name for path in written
    }
    lines = [json.loads(line) for line in (tmp_path / "lines" / "executions.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [1, 2]
    assert lines[0]["pipeline_state_json"]["best_win_rate"] == 0
    assert lines[0]["identity_json"] is None
    assert lines[1]["resource_usage_json"] == "damaged"
    administration.export(store, tmp_path / "sheets", ExportFormat.CSV)
    with (tmp_path / "sheets" / "occurrences.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["scheduled_for"] for row in rows] == ["2026-11-21T12:00:00.000000Z", "2026-11-22T12:00:00.000000Z"]
    assert json.loads(rows[0]["definition_json"])["name"] == "nightly"
    assert not list(tmp_path.rglob("*.tmp"))
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(StateError, match="cannot export"):
        administration.export(store, blocked / "below", ExportFormat.CSV)


def test_a_batch_of_one_row_and_one_definition_is_not_nothing():
    assert not Pruned(1, 0, 0, 0, 0, 0, 1).nothing
    assert not Pruned(0, 0, 0, 0, 0, 0, 1).nothing
    assert Pruned(0, 0, 0, 0, 0, 0, 0).nothing


@pytest.mark.sqlite_files
def test_a_file_that_gives_no_space_back_is_left_as_it_is(tmp_path):
    """Made by another program, without incremental vacuum: its free pages stay, and nobody waits for them."""
    path = tmp_path / "plain.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE TABLE t (x); WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
            " INSERT INTO t SELECT zeroblob(4000) FROM n; DELETE FROM t;"
        )
        free = database.execute("PRAGMA freelist_count").fetchone()[0]
    store = Store(f"sqlite:///{path}", 5)
    assert store.release_pages(10) == free > 100
    retention.give_back_space(store)
    assert store.release_pages(10) == free
    store.close()
