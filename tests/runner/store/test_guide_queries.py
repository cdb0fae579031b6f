"""The operations guide's two snippets, run as they stand, while a run is under way and a writer holds the database."""

import gc
import re
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from left_out import needed_program
from sqlalchemy.orm import Session

from runner.store import games, history, queue, schedules, triggers
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from schemas.automation import TrainingSchedule, TriggerCondition, TriggerType
from schemas.execution import ExecutionResult, Outcome
from schemas.model import PipelineState

# The guide's own text; only the path of the database is relative to where the test stands.
GUIDE = '''
import sqlite3

# Query training history
def get_training_history():
    with sqlite3.connect('automation/automation_tracking.db') as conn:
        cursor = conn.execute("""
            SELECT schedule_name, started_at, completed_at, success, 
                   json_extract(pipeline_state_json, '$.best_win_rate') as win_rate
            FROM executions 
            ORDER BY started_at DESC 
            LIMIT 10
        """)
        
        for row in cursor.fetchall():
            print(f"Schedule: {row[0]}, Success: {row[3]}, Win Rate: {row[4]:.3f}")

# Query schedule statistics
def get_schedule_stats():
    with sqlite3.connect('automation/automation_tracking.db') as conn:
        cursor = conn.execute("""
            SELECT schedule_name, run_count, success_count, 
                   CAST(success_count AS FLOAT) / run_count as success_rate
            FROM schedule_runs 
            ORDER BY run_count DESC
        """)
        
        for row in cursor.fetchall():
            print(f"Schedule: {row[0]}, Runs: {row[1]}, Success Rate: {row[3]:.3f}")
'''  # noqa: W291, W293

NIGHTLY = TrainingSchedule(name="nightly", cron_expression="0 2 * * *")


@pytest.fixture
def three_runs(store: Store, now: datetime) -> None:
    """Three runs of one schedule, the last one under way; another schedule and two triggers, one of which has run."""
    with store.write() as session:
        schedules.save(session, NIGHTLY, now, now)
        schedules.save(session, TrainingSchedule(name="never", cron_expression="0 2 * * *"), now, now)
        for name in ("data", "idle"):
            condition = TriggerCondition(name=name, trigger_type=TriggerType.DATA_DRIVEN, condition_function="f")
            triggers.save(session, condition, now)
        triggers.checked(session, "data", "6000 new games", now, fired=True)
        for day, rate in enumerate([0.5, 0.625, None]):
            run(session, now + timedelta(days=day), rate, success=day == 1)


@pytest.fixture
def state_folder(store: Store, three_runs: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the guide looks for the database."""
    assert store.path is not None
    folder = tmp_path / "elsewhere" / "automation"
    folder.mkdir(parents=True)
    (folder / "automation_tracking.db").symlink_to(store.path)
    monkeypatch.chdir(folder.parent)
    return folder


def run(session: Session, at: datetime, rate: float | None, *, success: bool) -> None:
    new = NewOccurrence(NIGHTLY, at, TriggerType.DATA_DRIVEN, "data")
    occurrence_id = queue.record(session, new, at, 100).occurrence_id
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
    if rate is None:
        return
    result = ExecutionResult(
        execution_id=execution_id,
        schedule_name="nightly",
        trigger_type=TriggerType.DATA_DRIVEN,
        scheduled_for=at,
        started_at=at,
        completed_at=at + timedelta(hours=1),
        attempt=1,
        worker="tuner",
        outcome=Outcome.SUCCEEDED if success else Outcome.FAILED,
        success=success,
        state=PipelineState(best_win_rate=rate, best_win_rate_games=400),
        run_dir=Path("/r"),
    )
    assert history.finish(session, result)


@pytest.mark.sqlite_files
@pytest.mark.usefixtures("state_folder")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the guide leaves its connections to the garbage collector
def test_the_guides_snippets_run_unchanged(store: Store, now: datetime, capsys: pytest.CaptureFixture[str]) -> None:
    snippets: dict[str, Callable[[], None]] = {}
    exec(compile(GUIDE, "operations-guide.md", "exec"), snippets)  # type: ignore[arg-type]
    with store.write() as session:
        games.advance(session, Path("/held"), 1, 0, 1, now)
        snippets["get_training_history"]()
        told = capsys.readouterr().out.splitlines()
        snippets["get_schedule_stats"]()
        stats = capsys.readouterr().out.splitlines()
    gc.collect()  # here, where its warning is expected: not in whatever test comes next
    assert told == [
        "Schedule: nightly, Success: None, Win Rate: 0.625",
        "Schedule: nightly, Success: 1, Win Rate: 0.625",
        "Schedule: nightly, Success: 0, Win Rate: 0.500",
    ]
    assert sorted(stats) == [
        "Schedule: data, Runs: 2, Success Rate: 0.500",
        "Schedule: nightly, Runs: 2, Success Rate: 0.500",
    ]


@pytest.mark.usefixtures("three_runs")
def test_the_guides_two_queries_answer_on_every_database(store: Store) -> None:
    history_query, counters_query = re.findall(r'execute\("""(.*?)"""\)', GUIDE, re.DOTALL)
    with store.read() as session:
        runs = session.connection().exec_driver_sql(history_query).fetchall()
        counters = session.connection().exec_driver_sql(counters_query).fetchall()
    assert [(row[0], row[3], f"{row[4]:.3f}") for row in runs] == [
        ("nightly", None, "0.625"),
        ("nightly", True, "0.625"),
        ("nightly", False, "0.500"),
    ]
    assert sorted((row[0], row[1], f"{row[3]:.3f}") for row in counters) == [
        ("data", 2, "0.500"),
        ("nightly", 2, "0.500"),
    ]


@pytest.mark.usefixtures("three_runs")
def test_the_view_holds_what_the_interface_names(store: Store) -> None:
    with store.read() as session:
        found = session.connection().exec_driver_sql("SELECT * FROM schedule_runs ORDER BY schedule_name")
        names, rows = list(found.keys()), [tuple(row) for row in found]
    assert names == ["schedule_name", "next_run", "last_run", "run_count", "success_count", "failure_count"]
    assert rows == [
        ("data", None, "2026-11-21T12:00:00.000000Z", 2, 1, 1),
        ("nightly", "2026-11-21T12:00:00.000000Z", "2026-11-23T12:00:00.000000Z", 2, 1, 1),
    ]


@pytest.mark.sqlite_files
def test_the_sqlite3_shell_reads_instants(state_folder: Path) -> None:
    hours = "CAST(round((julianday(completed_at) - julianday(started_at)) * 24) AS INT)"
    query = f"SELECT {hours} FROM executions WHERE success"
    done = subprocess.run(
        [needed_program("sqlite3"), "-readonly", str(state_folder / "automation_tracking.db"), query],
        capture_output=True,
        text=True,
        check=True,
        timeout=90,
    )
    assert done.stdout == "1\n"
