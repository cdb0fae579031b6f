"""Every query of the hot path is answered from an index, in its order: shown by SQLite's own query plans."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from runner.store import commands, decisions, due_schedules, history, occurrences, outbox, queue, retention, schedules
from runner.store.engine import Store
from schemas.service import StorageSettings

pytestmark = pytest.mark.sqlite_files

NOW = datetime.fromisoformat("2026-11-21T12:00:00+00:00")
Use = Callable[[Session], object]

HISTORY_OF_THE_GUIDE = """
            SELECT schedule_name, started_at, completed_at, success,
                   json_extract(pipeline_state_json, '$.best_win_rate') as win_rate
            FROM executions
            ORDER BY started_at DESC
            LIMIT 10
"""


@contextmanager
def plans_of(store: Store) -> Iterator[list[str]]:
    """Collects the plan of every SELECT and UPDATE that is executed within."""
    plans: list[str] = []

    def explain(_connection, cursor, statement, parameters, *_rest) -> None:  # type: ignore[no-untyped-def]
        if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE")):
            explaining = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[3] for row in explaining)

    for engine in (store._readers, store._writers):
        event.listen(engine, "before_cursor_execute", explain)
    yield plans


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (lambda s: due_schedules.due(s, NOW, 500), ["SEARCH schedules USING INDEX ix_schedules_due (next_run<?)"]),
        (
            lambda s: schedules.upcoming(s, NOW, 5),
            [
                "SEARCH schedules USING INDEX ix_schedules_due (next_run<?)",
                "SEARCH schedules USING INDEX ix_schedules_due (next_run>?)",
            ],
        ),
        (due_schedules.next_due, ["SEARCH schedules USING INDEX ix_schedules_due (next_run>?)"]),
        (
            lambda s: queue.waiting(s, NOW, 10),
            [
                "SCAN occurrence_rows USING INDEX ix_occurrences_queue",
                "SEARCH definitions_1 USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
            ],
        ),
        (queue.depth, ["SCAN occurrence_rows USING COVERING INDEX"]),
        (
            lambda s: queue.next_not_before(s, NOW),
            ["SEARCH occurrence_rows USING COVERING INDEX ix_occurrences_not_before"],
        ),
        (queue.next_start_deadline, ["SEARCH occurrence_rows USING COVERING INDEX ix_occurrences_start_deadline"]),
        (
            lambda s: queue.expire(s, NOW),
            [
                "SEARCH occurrence_rows USING INDEX ix_occurrences_start_deadline",
                "SEARCH definitions_1 USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
            ],
        ),
        (
            lambda s: queue.active(s, ["a", "b"]),
            ["SEARCH occurrence_rows USING COVERING INDEX ix_occurrences_active", "USE TEMP B-TREE FOR ORDER BY"],
        ),
        (
            lambda s: occurrences.recent(s, "a", 5),
            ["SEARCH occurrence_rows USING INDEX sqlite_autoindex_occurrence_rows_1"],
        ),
        (lambda s: history.recent(s, 10), ["SCAN execution_rows"]),  # by its key, backwards
        (lambda s: history.recent(s, 10, "a"), ["SEARCH execution_rows USING INDEX ix_executions_schedule"]),
        (
            lambda s: history.new_games_since_success(s, "a"),
            ["SEARCH execution_rows USING INDEX ix_executions_success"],
        ),
        (history.unfinished, ["SCAN execution_rows USING INDEX ix_executions_unfinished"]),
        (
            history.statistics,
            [
                "SEARCH totals USING INTEGER PRIMARY KEY",
                "SCAN execution_rows USING INDEX ix_executions_unfinished",
                "SEARCH execution_rows USING COVERING INDEX ix_executions_started_at",
            ],
        ),
        (lambda s: history._last_state(s, "tuner"), ["SEARCH execution_rows USING INDEX ix_executions_worker"]),
        (lambda s: history.of_occurrence(s, 1), ["SEARCH execution_rows USING INDEX ix_executions_occurrence"]),
        (lambda s: decisions.of_schedule(s, "a", 9), ["SEARCH decisions USING INDEX ix_decisions_schedule"]),
        (lambda s: commands.pending(s, 10), ["SEARCH commands USING INDEX ix_commands_handled_at"]),
        (lambda s: outbox.take_due(s, NOW, 10), ["SEARCH outbox USING COVERING INDEX ix_outbox_due"]),
        (lambda s: outbox.sent_since(s, NOW), ["SEARCH outbox USING INDEX ix_outbox_sent_at"]),
        (
            lambda s: retention.expired_run_folders(s, StorageSettings(), NOW, 10),
            ["SEARCH execution_rows USING INDEX ix_executions_run_folder"],
        ),
    ],
)
def test_plan(store: Store, use: Use, expected: list[str]) -> None:
    with plans_of(store) as plans, store.read() as session:
        use(session)
    assert len(plans) == len(expected), plans
    for found, wanted in zip(plans, expected, strict=True):
        assert found.startswith(wanted), plans


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (HISTORY_OF_THE_GUIDE, "SCAN execution_rows USING INDEX ix_executions_started_at"),
        (
            "SELECT worker FROM executions WHERE completed_at IS NULL",
            "SCAN execution_rows USING INDEX ix_executions_unfinished",
        ),
        ("SELECT * FROM executions WHERE id = 7", "SEARCH execution_rows USING INTEGER PRIMARY KEY (rowid=?)"),
        (
            "SELECT reason FROM occurrences WHERE state = 'queued' ORDER BY queue_rank, scheduled_for",
            "SCAN o USING INDEX ix_",
        ),
        (
            "SELECT reason FROM occurrences WHERE schedule_name = 'a' ORDER BY scheduled_for DESC",
            "SEARCH o USING INDEX sq",
        ),
    ],
)
def test_a_view_is_as_quick_as_its_table(store: Store, query: str, expected: str) -> None:
    """The guide's and the README's queries run on views: no sorting, no copy of the history, no join for nothing."""
    assert store.path is not None
    with closing(sqlite3.connect(store.path)) as plain:
        plan = [row[3] for row in plain.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert len(plan) == 1, plan
    assert plan[0].startswith(expected), plan


def test_removing_old_rows_scans_no_table(store: Store) -> None:
    """Foreign keys included: each child column that a removed parent is looked for in has its index. (No
    model's row is ever removed.)"""
    assert store.path is not None
    with closing(sqlite3.connect(store.path)) as plain:
        children = plain.execute(
            """
            SELECT child.name, key."from" FROM sqlite_master AS child, pragma_foreign_key_list(child.name) AS key
            WHERE child.type = 'table' AND key."table" <> 'models'
            """
        ).fetchall()
        assert {"occurrence_rows", "execution_rows", "decisions", "outbox", "drops"} <= {table for table, _ in children}
        for table, column in children:
            plan = [row[3] for row in plain.execute(f"EXPLAIN QUERY PLAN SELECT 1 FROM {table} WHERE {column} = 7")]
            assert all(step.startswith(f"SEARCH {table} USING") for step in plan), plan


def test_pruning_uses_the_age_indexes(store: Store) -> None:
    with plans_of(store) as plans, store.write() as session:
        retention._prune_occurrences(session, NOW - timedelta(days=700), 10)
    assert plans[0].startswith("SEARCH occurrence_rows USING COVERING INDEX ix_occurrences_finished_at"), plans


def test_plans_are_seen(tmp_path: Path) -> None:
    """`plans_of` would be blind if statements were executed elsewhere: it must see one."""
    store = Store(f"sqlite:///{tmp_path / 'x.db'}", 5)
    store.create_file()
    with plans_of(store) as plans, store.read() as session:
        session.connection().exec_driver_sql("SELECT name FROM sqlite_master")
    store.close()
    assert plans == ["SCAN sqlite_master"]
