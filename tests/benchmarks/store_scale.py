"""How the store carries 10,000 schedules and a history of 1,000,000 runs. Run it as a script; it prints figures.

    python tests/benchmarks/store_scale.py [--executions 1000000] [--schedules 10000] [--folder DIR] [--keep]

The history is made of rows as the daemon writes them (each schedule's own definition, the state and usage of a run),
oldest first, by SQL for speed; all that is measured goes through the store. Times are medians of several runs in one
process, the first one shown apart; beside them stands a bare `SELECT 1`, and for the writes a bare sqlite3 insert of
the same rows, measured in the same run.
"""

import argparse
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from migrations.upgrade import upgrade
from runner.store import decisions, due_schedules, heartbeat, history, occurrences, queue, schedules
from runner.store.columns import STATE_BASE, USAGE_BASE, changes
from runner.store.due_schedules import Account
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from schemas.automation import TrainingSchedule
from schemas.execution import ResourceUsage
from schemas.model import PipelineState, PipelineStatus
from schemas.times import to_text

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
REPEATS = 15
ROOM = 20_000

AT = "strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2025-11-20', '-' || ({count} - n) || ' minutes')"
UNTIL = "strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2025-11-20', '-' || ({count} - n - 1) || ' minutes')"

HISTORY = """
            SELECT schedule_name, started_at, completed_at, success,
                   json_extract(pipeline_state_json, '$.best_win_rate') as win_rate
            FROM executions
            ORDER BY started_at DESC
            LIMIT 10
"""
STATS = """
            SELECT schedule_name, run_count, success_count,
                   CAST(success_count AS FLOAT) / run_count as success_rate
            FROM schedule_runs
            ORDER BY run_count DESC
"""

START = """
import sys, time, resource
began, cpu = time.perf_counter(), time.process_time()
from datetime import UTC, datetime
from runner.store import history, heartbeat, queue, schedules
from runner.store.engine import Store
from migrations.upgrade import upgrade
imported, cpu_imported = time.perf_counter(), time.process_time()
store = Store(sys.argv[1], 60)
now = datetime.now(UTC)
upgrade(store, 3, now)
with store.write() as session:
    heartbeat.started(session, pid=1, host="h", boot_id="b", version="1", now=now)
    history.unfinished(session)
    schedules.next_due(session)
    queue.depth(session)
ready = time.perf_counter()
rss = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20
cpu_ready = time.process_time()
print(imported - began, cpu_imported - cpu, ready - imported, cpu_ready - cpu_imported, rss)
"""
STATE = PipelineState(
    status=PipelineStatus.CONTINUOUS_TRAINING,
    current_phase="tuning",
    champion_model="3f9c2a7b81de",
    best_model_version="3f9c2a7b81de",
    progress_percentage=100.0,
    total_training_time_hours=0.49873,
    total_games_processed=12_840,
    total_models_trained=1,
    best_win_rate=0.5478515625,
    best_win_rate_low=0.5129038127344123,
    best_win_rate_high=0.5823912371123456,
    best_win_rate_games=1024,
    operation_details="iteration 42, candidate at the gate, 53.1% after 256 seeds",
    iteration=41,
    games_per_second=7.153,
    seed=4_711_204_598_234,
    updated_at=NOW,
)
"""As a run of the tuner leaves it."""
USAGE = ResourceUsage(
    samples=900,
    peak_memory_mb=812.25,
    mean_cpu_percent=188.5,
    peak_cpu_percent=201.2,
    cpu_time_s=3401.22,
    peak_processes=5,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="store_scale_"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        measure(folder / "automation_tracking.db", options.schedules, options.executions)
    finally:
        if not options.keep:
            shutil.rmtree(folder)


def measure(path: Path, schedule_count: int, execution_count: int) -> None:
    store = Store(f"sqlite:///{path}", 60)
    if not path.exists():
        began = time.perf_counter()
        upgrade(store, 3, NOW)
        fill(store, schedule_count, execution_count)
        print(
            f"made {schedule_count} schedules and {execution_count} executions in {time.perf_counter() - began:.0f} s"
        )
    store.checkpoint()
    size = path.stat().st_size
    each = f"{size / max(1, execution_count):.0f} bytes an execution with its occurrence"
    print(f"database {size / 2**20:.0f} MiB ({each}), SQLite {sqlite3.sqlite_version}\n")
    start_up(store)
    queries(store)
    guide(path)
    commits(store, path)
    due_at_once(store, schedule_count)
    store.close()


def fill(store: Store, schedule_count: int, execution_count: int) -> None:
    """Whole rows, through one long transaction of plain SQL."""
    definition = TrainingSchedule(name="schedule_00000", cron_expression="* * * * *")
    with store.write() as session:
        for number in range(schedule_count):
            named = definition.model_copy(update={"name": name_of(number)})
            schedules.save(session, named, NOW, NOW - timedelta(minutes=1))
        at, until = AT.format(count=execution_count), UNTIL.format(count=execution_count)
        number = f"(1763596800 - ({execution_count} - n) * 60) * 1000000"
        until_number = f"{number} + 60000000"
        numbers = (
            f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {execution_count})"
        )
        name = f"printf('schedule_%05d', n % {schedule_count})"
        session.execute(
            text(f"""
            INSERT INTO occurrence_rows (id, schedule_name, trigger_type, scheduled_for, state, reason, priority,
                queue_rank, not_before, start_deadline, attempt, definition_id, note, created_at, finished_at)
            {numbers} SELECT n, {name}, 'scheduled', {at}, 'succeeded', '', 1, -1,
                {number}, {number}, 1, (SELECT definition_id FROM schedules WHERE name = {name}), '', {number},
                {until_number} FROM numbers
            """)
        )
        session.execute(
            text(f"""
            INSERT INTO execution_rows (id, occurrence_id, schedule_name, trigger_type, scheduled_for, started_at,
                completed_at, success, status, pipeline_state_changes_json, resource_usage_changes_json, worker,
                worker_reason, attempt, seed, run_dir, progress_at, run_dir_removed_at,
                games_before)
            {numbers} SELECT n, n, {name}, 'scheduled', {number}, {at},
                {until}, n % 7 > 0, CASE WHEN n % 7 > 0 THEN 'succeeded' ELSE 'failed' END, :state, :usage, 'tuner',
                'no GPU was found', 1, n * 7046029254386, '/home/somebody/automation/runs/' || n, {until_number},
                CASE WHEN n < {execution_count} * 0.95 THEN {until_number} END, 0
            FROM numbers
            """),
            {
                "state": changes(STATE.model_dump_json(), STATE_BASE),
                "usage": changes(USAGE.model_dump_json(), USAGE_BASE),
            },
        )
        session.execute(
            text(
                "UPDATE schedules SET run_count = :each, success_count = :each - :each / 7, failure_count = :each / 7"
            ),
            {"each": execution_count // schedule_count},
        )
        totals = {"all": execution_count, "failed": execution_count // 7}
        session.execute(
            text(
                "UPDATE totals SET settled = :all, failed = :failed, succeeded = :all - :failed, duration_s = :all * 60"
            ),
            totals,
        )


def start_up(store: Store) -> None:
    """In a fresh process, up to the moment from which the daemon could serve."""
    figures = []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", START, f"sqlite:///{store.path}"], capture_output=True, text=True, check=True
        )
        figures.append([float(word) for word in done.stdout.split()])
    wall, cpu, ready, ready_cpu, rss = (statistics.median(column) for column in zip(*figures, strict=True))
    print(f"start-up: imports {wall:.2f} s (CPU {cpu:.2f} s), resident {rss:.1f} MiB")
    print(f"          open to ready {ready * 1000:.1f} ms (CPU {ready_cpu * 1000:.1f} ms)\n")


def queries(store: Store) -> None:
    """What a status, `why`, `history` and the loop ask."""
    uses: dict[str, Callable[[Session], object]] = {
        "bare SELECT 1": lambda s: s.execute(text("SELECT 1")).scalar(),
        "statistics": history.statistics,
        "recent(10)": lambda s: history.recent(s, 10),
        "recent(10) of one schedule": lambda s: history.recent(s, 10, name_of(7)),
        "new games since the success of one schedule": lambda s: history.new_games_since_success(s, name_of(7)),
        "unfinished": history.unfinished,
        "next_due": due_schedules.next_due,
        "list_active (every schedule)": schedules.list_active,
        "upcoming(5)": lambda s: schedules.upcoming(s, NOW, 5),
        "due, limit 500": lambda s: due_schedules.due(s, NOW, 500),
        "queue.waiting(10)": lambda s: queue.waiting(s, NOW, 10),
        "why: occurrences and decisions": lambda s: (
            occurrences.recent(s, name_of(7), 10),
            decisions.of_schedule(s, name_of(7), 50),
        ),
        "status: daemon, statistics, recent(10)": lambda s: (
            heartbeat.get(s),
            history.statistics(s),
            history.recent(s, 10),
            history.unfinished(s),
            queue.depth(s),
        ),
    }
    for name, use in uses.items():
        report(name, lambda use=use: read_once(store, use))
    report("changed()", store.changed)
    print()


def read_once(store: Store, use: Callable[[Session], object]) -> None:
    with store.read() as session:
        use(session)


def guide(path: Path) -> None:
    """The operations guide's two queries, from a connection of its own each time, as its snippets do."""
    for name, query in (("guide: training history", HISTORY), ("guide: schedule statistics", STATS)):

        def ask(query: str = query) -> None:
            connection = sqlite3.connect(path)
            connection.execute(query).fetchall()
            connection.close()

        report(name, ask)
    print()


def commits(store: Store, path: Path) -> None:
    """One small transaction after another: what synchronous=FULL costs here."""
    steps = 300

    def heartbeats() -> None:
        for number in range(steps):
            with store.write() as session:
                heartbeat.loop_beat(session, "loop", NOW + timedelta(seconds=number))

    def bare(level: str) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute(f"PRAGMA synchronous = {level}")
        for number in range(steps):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE loops SET heartbeat_at = ?", (to_text(NOW + timedelta(seconds=number)),))
            connection.execute("COMMIT")
        connection.close()

    for name, use in (
        ("store, FULL", heartbeats),
        ("bare sqlite3, FULL", lambda: bare("FULL")),
        ("bare sqlite3, NORMAL", lambda: bare("NORMAL")),
    ):
        began = time.perf_counter()
        use()
        print(f"commits a second, {name:24} {steps / (time.perf_counter() - began):8.0f}")
    print()


def due_at_once(store: Store, schedule_count: int) -> None:
    """Every schedule due in the same minute: looked up, then recorded with new watermarks, in one transaction."""
    watch = Stopwatch()
    with store.write() as session:
        due = due_schedules.due(session, NOW, schedule_count)
        found = watch.look()
        following = NOW + timedelta(minutes=1)
        accounts = [Account(item.name, (NewOccurrence(item.schedule, NOW),), NOW, following) for item in due]
        recorded = due_schedules.account(session, accounts, NOW, ROOM)
        written = watch.look()
    committed = watch.look()
    assert recorded.created == len(due) == schedule_count
    print(f"{schedule_count} due at once, one transaction: look-up {found}, recording {written}, commit {committed}")
    with store.write() as session:
        again = due_schedules.account(session, accounts, NOW, ROOM)
        assert again.created == 0
    report("queue.depth, all waiting", lambda: read_once(store, queue.depth))
    report("queue.waiting(10), all waiting", lambda: read_once(store, lambda s: queue.waiting(s, NOW, 10)))
    names = [item.name for item in due[:500]]
    report("queue.active of 500 names", lambda: read_once(store, lambda s: queue.active(s, names)))
    with store.write() as session:
        session.execute(text("DELETE FROM occurrence_rows WHERE state = 'queued'"))
        session.execute(text("UPDATE schedules SET next_run = :now"), {"now": to_text(NOW)})
    print(f"\npeak resident of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def report(name: str, use: Callable[[], object]) -> None:
    walls, cpus = [], []
    for _ in range(REPEATS):
        began, cpu = time.perf_counter(), time.process_time()
        use()
        walls.append((time.perf_counter() - began) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
    wall, cpu_ms = statistics.median(walls), statistics.median(cpus)
    print(f"{name:42} first {walls[0]:8.2f} ms   median {wall:8.2f} ms   CPU {cpu_ms:8.2f} ms")


class Stopwatch:
    """Wall and CPU seconds since the last look: on a busy machine only the second can be compared."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def look(self) -> str:
        wall, cpu = time.perf_counter(), time.process_time()
        told = f"{wall - self._wall:.3f} s (CPU {cpu - self._cpu:.3f} s)"
        self._wall, self._cpu = wall, cpu
        return told


def name_of(number: int) -> str:
    return f"schedule_{number:05d}"


if __name__ == "__main__":
    main()
