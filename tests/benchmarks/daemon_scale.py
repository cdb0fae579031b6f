"""A real `ouroboros up` with many schedules and a long history. Run it as a script; it prints figures.

    python tests/benchmarks/daemon_scale.py [--schedules 10000] [--executions 1000000] [--folder DIR]

1. Lateness: all schedules due in the same second, then spread over a minute. From the due instant until the row is
   committed, as another process sees it. Beside it stock APScheduler with as many cron jobs in memory, in the same
   second, on the same machine, in the same run: from the due instant until the job's function is called.
2. Start-up, status, the guide's queries, resident memory and CPU while idle, on a long history.
"""

import argparse
import json
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from store_scale import HISTORY, STATS, fill

from migrations.upgrade import upgrade
from runner import status
from runner.flow.command_arguments import PauseArguments, Verb
from runner.schedule import fires
from runner.store import commands, schedules
from runner.store.engine import Store
from schemas.automation import TrainingSchedule
from schemas.times import from_text

OUROBOROS = Path(sys.executable).with_name("ouroboros")
LEAD = timedelta(seconds=25)
IDLE_S = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=None, help="Holds the long history; made if it is not there.")
    options = parser.parse_args()
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, SQLite {sqlite3.sqlite_version}\n")
    lateness("ouroboros, all in one second", options.schedules, spread=False)
    apscheduler(options.schedules)
    lateness("ouroboros, spread over a minute", options.schedules, spread=True)
    long_history(options.folder, options.schedules, options.executions)


def lateness(title: str, count: int, *, spread: bool) -> None:
    """Every schedule falls due once within a minute; how late each one's row is there."""
    home = Path(tempfile.mkdtemp(prefix="daemon_scale_"))
    try:
        store = _new_store(home)
        first = (datetime.now(UTC) + LEAD + timedelta(seconds=count / 400)).replace(microsecond=0)
        with store.write() as session:
            for number in range(count):
                due = first + timedelta(seconds=number % 60 if spread else 0)
                cron = f"{due.minute} {due.hour} {due.day} {due.month} * {due.second}"
                named = TrainingSchedule(name=f"schedule_{number:05d}", cron_expression=cron)
                now = datetime.now(UTC)
                (coming,) = fires.check(named.name, cron, "UTC", now, 1)
                schedules.save(session, named, coming, now)
        store.close()
        with up(home):
            assert datetime.now(UTC) < first, "the start came too late for the first fire; raise LEAD"
            seen = _watch(home / "automation_tracking.db", count, first + timedelta(seconds=180))
        _tell(title, seen, count)
    finally:
        shutil.rmtree(home)


def _watch(database: Path, count: int, end: datetime) -> list[float]:
    """Look every few milliseconds which rows have come; seconds between due and seen, of each."""
    connection = sqlite3.connect(database)
    late: list[float] = []
    last = 0
    while len(late) < count and datetime.now(UTC) < end:
        rows = connection.execute("SELECT id, scheduled_for FROM occurrences WHERE id > ?", (last,)).fetchall()
        seen = datetime.now(UTC)
        late += [(seen - from_text(due)).total_seconds() for _, due in rows]
        last = max([last, *(number for number, _ in rows)])
        time.sleep(0.004)
    names = connection.execute("SELECT COUNT(*), COUNT(DISTINCT schedule_name) FROM occurrences").fetchone()
    connection.close()
    assert names == (count, count), f"rows and schedules: {names}"
    return late


def apscheduler(count: int) -> None:
    """Stock APScheduler as its documentation sets it up, told not to drop what is late."""
    from apscheduler.schedulers.background import BackgroundScheduler

    called: list[float] = []
    scheduler = BackgroundScheduler(timezone="UTC", job_defaults={"misfire_grace_time": None})
    scheduler.start(paused=True)
    due = (datetime.now(UTC) + timedelta(seconds=5 + count / 500)).replace(microsecond=0)
    for _ in range(count):
        scheduler.add_job(
            lambda: called.append(time.time()), "cron", minute=due.minute, hour=due.hour, second=due.second
        )
    assert datetime.now(UTC) < due, "adding the jobs took too long"
    scheduler.resume()
    end_s = time.time() + 300
    while len(called) < count and time.time() < end_s:
        time.sleep(0.05)
    scheduler.shutdown(wait=False)
    _tell("APScheduler 3, all in one second", [instant - due.timestamp() for instant in called], count)


def long_history(folder: Path | None, schedule_count: int, execution_count: int) -> None:
    """Start-up, queries, memory and idle CPU."""
    home = folder or Path(tempfile.mkdtemp(prefix="daemon_scale_"))
    try:
        database = home / "automation_tracking.db"
        if not database.exists():
            home.mkdir(parents=True, exist_ok=True)
            store = _new_store(home)
            fill(store, schedule_count, execution_count)
            with store.write() as session:
                session.connection().exec_driver_sql("UPDATE schedules SET next_run = '2999-01-01T00:00:00.000000Z'")
            store.checkpoint()
            store.close()
        size_mb = database.stat().st_size / 1e6
        print(f"\n{schedule_count} schedules, {execution_count} executions, {size_mb:.0f} MB")
        starts = []
        for _ in range(3):
            with up(home) as daemon:
                starts.append(daemon.started_s)
        print(f"start-up until READY: {_listed(starts, 's')}")
        with up(home) as daemon:
            _queries(home)
            used = daemon.cpu_s()
            time.sleep(IDLE_S)
            share = 100 * (daemon.cpu_s() - used) / IDLE_S
            print(f"idle: {share:.2f} % of a core over {IDLE_S:.0f} s, resident {daemon.resident_mb():.1f} MiB")
    finally:
        if folder is None:
            shutil.rmtree(home)
    first = Path(tempfile.mkdtemp(prefix="daemon_scale_"))
    try:
        (first / "settings.json").write_text(_no_run_now())
        with up(first, paused=False) as daemon:
            time.sleep(5)
            print(f"a first start: READY after {daemon.started_s:.2f} s, resident {daemon.resident_mb():.1f} MiB")
        with up(first, paused=False) as daemon:
            time.sleep(5)
            used = daemon.cpu_s()
            time.sleep(IDLE_S)
            share = 100 * (daemon.cpu_s() - used) / IDLE_S
            print(f"the second: READY after {daemon.started_s:.2f} s, resident {daemon.resident_mb():.1f} MiB")
            print(f"            with one waiting run {share:.2f} % of a core over {IDLE_S:.0f} s")
    finally:
        shutil.rmtree(first)


def _queries(home: Path) -> None:
    for name, query in (("guide: history", HISTORY), ("guide: statistics", STATS)):
        times = []
        for _ in range(9):
            began = time.perf_counter()
            connection = sqlite3.connect(home / "automation_tracking.db")
            connection.execute(query).fetchall()
            connection.close()
            times.append((time.perf_counter() - began) * 1000)
        print(f"{name}: {_listed(times, 'ms')}")
    store = Store(f"sqlite:///{home / 'automation_tracking.db'}", 60)
    times = []
    for _ in range(9):
        began = time.perf_counter()
        status.read_status(store, home, datetime.now(UTC))
        times.append((time.perf_counter() - began) * 1000)
    store.close()
    print(f"all that `status` asks: {_listed(times, 'ms')}")
    times = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([OUROBOROS, "status"], env=_environment(home), capture_output=True, check=True)
        times.append((time.perf_counter() - began) * 1000)
    print(f"`ouroboros status`, a process: {_listed(times, 'ms')}")


class Daemon:
    """A running `ouroboros up`."""

    def __init__(self, process: subprocess.Popen[bytes], started_s: float) -> None:
        self.process = process
        self.started_s = started_s

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 2**20


@contextmanager
def up(home: Path, *, paused: bool = True) -> Iterator[Daemon]:
    """Start it, paused so that nothing is trained here, and wait for READY; at the end it drains."""
    if paused:
        store = _new_store(home)
        with store.write() as session:
            commands.enqueue(session, Verb.PAUSE.value, PauseArguments(), "a benchmark", datetime.now(UTC))
        store.close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = home / f"notify-{time.time_ns()}"
        manager.bind(str(name))
        manager.settimeout(120)
        began = time.perf_counter()
        process = subprocess.Popen(
            [OUROBOROS, "up"],
            env=_environment(home) | {"NOTIFY_SOCKET": str(name)},
            cwd=home,
            stdout=subprocess.DEVNULL,
        )
        try:
            while b"READY=1" not in manager.recv(4096):
                pass
            yield Daemon(process, time.perf_counter() - began)
        finally:
            process.terminate()
            process.wait(120)
            name.unlink()


def _new_store(home: Path) -> Store:
    store = Store(f"sqlite:///{home / 'automation_tracking.db'}", 60)
    upgrade(store, 3, datetime.now(UTC))
    return store


def _environment(home: Path) -> dict[str, str]:
    # Without this variable, as on a user's machine: with it every start compiles all modules anew.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | {"OUROBOROS_HOME": str(home)}


def _no_run_now() -> str:
    hour = (datetime.now(UTC).hour + 12) % 24
    return json.dumps({"guards": {"allowed_hours": f"{hour:02d}:00-{hour:02d}:05"}})


def _tell(title: str, late: list[float], count: int) -> None:
    ordered = sorted(late)
    if not ordered:
        print(f"{title}: none of {count}")
        return
    p50, p99 = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    print(
        f"{title}: {len(ordered)} of {count}, p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms,"
        f" last {ordered[-1] * 1000:.0f} ms"
    )


def _listed(figures: list[float], unit: str) -> str:
    return f"median {statistics.median(figures):.2f} {unit} ({', '.join(f'{figure:.2f}' for figure in figures)})"


if __name__ == "__main__":
    main()
