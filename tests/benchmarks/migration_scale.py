"""How long a long history of revision 0002 takes to be moved to the newest, and what disk. Run it as a script.

    python tests/benchmarks/migration_scale.py [--executions 1000000] [--schedules 10000] [--folder DIR] [--keep]

A run is an execution with its occurrence. The old database holds whole rows as that revision's daemon wrote them. The
upgrade is the child process that a start runs; it is killed once (SIGKILL) when a third is done, and goes on.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from store_scale import HISTORY, STATE, STATS, USAGE

from migrations import upgrade
from runner.store.engine import Store
from schemas.automation import TrainingSchedule
from schemas.database import HEAD, upgrade_progress
from schemas.execution import ProcessIdentity

AT = "strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2026-11-20', '-' || ({count} - n) || ' minutes')"
UNTIL = "strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2026-11-20', '-' || ({count} - n - 1) || ' minutes')"
IDENTITY = ProcessIdentity(boot_id="9f1c3d52-7f7a-4a9e-8b1c-5a0c6a8d5f11", pid=214_332, start_ticks=18_833_211)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="migration_scale_"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        measure(folder / "automation_tracking.db", options.schedules, options.executions)
    finally:
        if not options.keep:
            shutil.rmtree(folder)


def measure(path: Path, schedules: int, executions: int) -> None:
    began = time.perf_counter()
    make_old(path, schedules, executions)
    old_bytes = path.stat().st_size
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; made in {time.perf_counter() - began:.0f} s")
    print(
        f"revision 0002: {old_bytes / 1e6:.0f} MB, {old_bytes / executions:.0f} bytes an execution and its occurrence"
    )
    first = run(path, kill_at=executions * 2 // 3)
    second = run(path, kill_at=None)
    new_bytes = path.stat().st_size
    print(f"killed after {first:.1f} s, done {second:.1f} s after that; load {os.getloadavg()[0]:.1f}")
    print(
        f"revision {HEAD}: {new_bytes / 1e6:.0f} MB, {new_bytes / executions:.0f} bytes an execution and its occurrence"
    )
    for query in (HISTORY, STATS):
        asked = time.perf_counter()
        plain = sqlite3.connect(path)
        rows = plain.execute(query).fetchall()
        plain.close()
        print(f"  {len(rows)} rows of a query of the guide in {(time.perf_counter() - asked) * 1000:.1f} ms")


def run(path: Path, kill_at: int | None) -> float:
    """The child process of a start; seconds until its end."""
    command = [sys.executable, "-m", "migrations", f"sqlite:///{path}", "--keep-backups=1"]
    began, peak = time.perf_counter(), 0
    over = threading.Event()
    partials = f".{path.name}.upgrade-*"

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.2):
            peak = max(peak, sum(file.stat().st_blocks * 512 for file in path.parent.glob(partials)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = False
        for line in child.stdout:
            told = upgrade_progress(line)
            if told is None:
                print(f"  {line.strip()}")
            elif not said:
                said = True
                print(f"  {told.sentence()}")
            elif kill_at is not None and told.done >= kill_at:
                child.kill()
    over.set()
    watcher.join()
    print(f"  at most {peak / 1e6:.0f} MB of disk beside the old database")
    return time.perf_counter() - began


def make_old(path: Path, schedule_count: int, executions: int) -> None:
    """A database of revision 0002, filled by SQL."""
    store = Store(f"sqlite:///{path}", 60)
    store.create_file()
    with store.migration_transaction() as connection:
        upgrade._apply(connection, "0002")
    store.checkpoint()
    store.close()
    definition = TrainingSchedule(name="schedule_00000", cron_expression="* * * * *").model_dump_json()
    at, until = AT.format(count=executions), UNTIL.format(count=executions)
    numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {executions})"
    schedules = numbers.replace(str(executions), str(schedule_count))
    name = f"printf('schedule_%05d', n % {schedule_count})"
    named = f"replace(:definition, 'schedule_00000', {name})"
    with closing(sqlite3.connect(path)) as plain, plain:
        plain.execute("PRAGMA synchronous = OFF")
        plain.execute(
            f"""
            INSERT INTO schedules (name, definition_json, enabled, watermark, created_at, updated_at, run_count,
                success_count, failure_count) {schedules} SELECT {name}, {named}, 1, :now, :now, :now, 100, 90, 10
            FROM numbers""",
            {"definition": definition, "now": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"},
        )
        plain.execute(
            f"""
            INSERT INTO occurrences (id, schedule_name, trigger_type, scheduled_for, state, reason, priority,
                queue_rank, not_before, start_deadline, attempt, definition_json, note, created_at, finished_at)
            {numbers} SELECT n, {name}, 'scheduled', {at}, 'succeeded', '', 1, -1, {at}, {at}, 1, {named}, '', {at},
                {until} FROM numbers""",
            {"definition": definition},
        )
        plain.execute(
            f"""
            INSERT INTO executions (id, occurrence_id, schedule_name, trigger_type, scheduled_for, started_at,
                completed_at, success, status, pipeline_state_json, resource_usage_json, worker, worker_reason, attempt,
                seed, run_dir, identity_json, progress_at, run_dir_removed_at,
                games_before)
            {numbers} SELECT n, n, {name}, 'scheduled', {at}, {at}, {until}, n % 7 > 0,
                CASE WHEN n % 7 > 0 THEN 'succeeded' ELSE 'failed' END, :state, :usage, 'tuner', 'no GPU was found', 1,
                n * 7046029254386, '/home/somebody/automation/runs/' || n, :identity, {until},
                CASE WHEN n < {executions} * 0.95 THEN {until} END, 0 FROM numbers""",
            {
                "state": STATE.model_dump_json(),
                "usage": USAGE.model_dump_json(),
                "identity": IDENTITY.model_dump_json(),
            },
        )
    plain.close()


if __name__ == "__main__":
    main()
