"""The store on SQLite and on PostgreSQL side by side, in one interleaved run: times, bytes, a move's rows a second.

    python tests/benchmarks/store_databases.py [--executions 2000] [--fsync]

Whole runs (queued, begun, settled, finished) are written through the store by turns of 50 on one database and the
other; then the questions that a daemon and its pages ask are asked by turns. `wall` is the median of all turns, `cpu`
the processor time of this process alone: a server works in processes of its own. The private server syncs its disk only
with --fsync; SQLite always does.
"""

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import postgresql_server
from postgresql_server import private_server

from migrations.upgrade import upgrade
from runner.store import decisions, due_schedules, heartbeat, history, move, queue
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from schemas.automation import TrainingSchedule
from schemas.execution import Decision, DecisionKind, ExecutionResult, Outcome, ResourceUsage
from schemas.model import PipelineState, PipelineStatus

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TURN = 50
ASKED = 40
STATE = PipelineState(
    status=PipelineStatus.COMPLETED,
    best_win_rate=0.55,
    best_win_rate_low=0.5,
    best_win_rate_high=0.6,
    best_win_rate_games=400,
    total_games_processed=400,
    operation_details="iteration 12",
)
GUIDE = "SELECT schedule_name, started_at, json_extract(pipeline_state_json, '$.best_win_rate') FROM executions"
GUIDE += " ORDER BY started_at DESC LIMIT 10"
Measured = dict[tuple[str, str], list[tuple[float, float]]]


def run(store: Store, number: int) -> None:
    """One run from the queue to its end, in the transactions of a daemon."""
    schedule = TrainingSchedule(name=f"s{number % 50}", cron_expression="0 2 * * *")
    at = NOW + timedelta(minutes=number)
    with store.write() as session:
        occurrence = queue.record(session, NewOccurrence(schedule, at), at, 1000).occurrence_id
    with store.write() as session:
        execution = queue.begin(session, occurrence, at, worker="tuner", worker_reason="no GPU", seed=number,
                                run_dir=lambda n: Path(f"/runs/{n:08d}"))  # fmt: skip
        assert execution is not None
        launch = Decision(kind=DecisionKind.LAUNCH, code="tuner", reason="all free")
        decisions.record(session, occurrence, schedule.name, launch, at)
    ended = ExecutionResult(execution_id=execution, schedule_name=schedule.name, trigger_type="scheduled",
                            scheduled_for=at, started_at=at, completed_at=at, attempt=1, worker="tuner",
                            outcome=Outcome.SUCCEEDED, success=True, state=STATE,
                            usage=ResourceUsage(samples=9, peak_memory_mb=310.5), run_dir=Path("/r"))  # fmt: skip
    with store.write() as session:
        history.finish(session, ended)
        queue.finish(session, occurrence, Outcome.SUCCEEDED, "", at)


def questions() -> dict[str, Callable[[Session], object]]:
    """What is asked again and again."""
    return {
        "heartbeat": heartbeat.get,
        "due schedules": lambda s: due_schedules.due(s, NOW, 500),
        "head of the queue": lambda s: queue.waiting(s, NOW, 20),
        "recent 10": lambda s: history.recent(s, 10),
        "statistics": history.statistics,
        "guide's query": lambda s: s.connection().exec_driver_sql(GUIDE).fetchall(),
    }


def timed(measured: Measured, what: str, name: str, act: Callable[[], object], times: int = 1) -> None:
    """Wall and processor milliseconds of one."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    act()
    measured[what, name].append(
        ((time.perf_counter() - wall_s) * 1e3 / times, (time.process_time() - cpu_s) * 1e3 / times)
    )


def measure(stores: dict[str, Store], executions: int) -> Measured:
    """All of it, by turns."""
    measured: Measured = defaultdict(list)
    for first in range(0, executions, TURN):
        for name, store in stores.items():
            turn = range(first, first + TURN)
            timed(measured, "a whole run", name, lambda: [run(store, n) for n in turn], TURN)  # noqa: B023
    for _ in range(ASKED):
        for what, ask in questions().items():
            for name, store in stores.items():
                timed(measured, what, name, lambda: _read(store, ask))  # noqa: B023
        for name, store in stores.items():
            timed(measured, "anything new?", name, store.changed)
    return measured


def _read(store: Store, ask: Callable[[Session], object]) -> None:
    with store.read() as session:
        ask(session)


def show(measured: Measured) -> None:
    """A line for each question."""
    print(f"{'milliseconds':20} {'sqlite wall':>12} {'cpu':>8} {'postgresql wall':>16} {'cpu':>8} {'ratio wall':>11}")
    for what in dict.fromkeys(what for what, _ in measured):
        (lite_wall, lite_cpu), (wall, cpu) = (
            [statistics.median(one[k] for one in measured[what, name]) for k in (0, 1)]
            for name in ("sqlite", "postgresql")
        )
        print(f"{what:20} {lite_wall:12.3f} {lite_cpu:8.3f} {wall:16.3f} {cpu:8.3f} {wall / lite_wall:10.1f}x")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executions", type=int, default=2_000)
    parser.add_argument("--fsync", action="store_true")
    wanted = parser.parse_args()
    if wanted.fsync:
        postgresql_server._SETTINGS |= {"fsync": "on", "full_page_writes": "on"}
    with ExitStack() as stack:
        server = stack.enter_context(private_server())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stores = {"sqlite": Store(f"sqlite:///{folder / 'history.db'}", 30),
                  "postgresql": Store(server.url(server.new_database()), 30)}  # fmt: skip
        for store in stores.values():
            stack.callback(store.close)
            upgrade(store, 1, NOW)
        empty = {name: store.size_bytes() for name, store in stores.items()}
        show(measure(stores, wanted.executions))
        stores["sqlite"].checkpoint()
        for name, store in stores.items():
            grown = store.size_bytes() - empty[name]
            print(f"{name}: {grown / wanted.executions:,.0f} bytes an execution with its occurrence and decision")
        target = Store(server.url(server.new_database()), 30)
        stack.callback(target.close)
        upgrade(target, 1, NOW)
        began_s = time.perf_counter()
        rows = sum(table.rows for table in move.move(stores["sqlite"], target))
        took_s = time.perf_counter() - began_s
        print(f"db move: {rows:,} rows copied and compared in {took_s:.1f} s, {rows / took_s:,.0f} rows/s")
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory of this process {peak_mb:.0f} MB; load {Path('/proc/loadavg').read_text().split()[:3]}")


if __name__ == "__main__":
    main()
