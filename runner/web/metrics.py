"""`/metrics` for Prometheus, `/healthz` and `/readyz` for whoever watches the processes."""

import os
import resource
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from litestar import MediaType, Response, get
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from runner.silence import silence
from runner.web.problems import ProblemError
from runner.web.read import figures, runs
from runner.web.read.daemon import DaemonView, read_daemon
from runner.web.read.figures import Figures
from runner.web.read.runs import Run
from runner.web.site import Site
from schemas.errors import StateError

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


@get("/healthz", include_in_schema=False, sync_to_thread=False)
def healthz() -> dict[str, str]:
    """The web process answers."""
    return {"status": "ok"}


@get("/readyz", include_in_schema=False, sync_to_thread=True)
def readyz(site: Site) -> dict[str, str]:
    """The database can be read, and a daemon lives and gives signs; 503 with the reason otherwise."""
    if not site.daemon_lives():
        raise ProblemError(503, "no daemon is running; `ouroboros up` starts one")
    with site.history.snapshot() as rows:
        daemon = read_daemon(rows)
    if daemon is None:
        raise ProblemError(503, "the daemon is starting")
    if told := silence(daemon.heartbeat_at, daemon.step, site.clock()):
        raise ProblemError(503, f"the daemon lives and gives {told}")
    return {"status": "ready"}


@get("/metrics", include_in_schema=False, sync_to_thread=True)
def metrics(site: Site) -> Response[bytes]:
    """All figures of this moment."""
    registry = CollectorRegistry()
    registry.register(_Look(site))
    return Response(generate_latest(registry), media_type=MediaType.TEXT, headers={"content-type": _TEXT})


class _Look:
    """One scrape."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: registering must not look."""
        return []

    def collect(self) -> Iterable[Metric]:
        """What the database tells; without one, only that and the machine."""
        yield from _machine(self._site.settings.home)
        try:
            alive = self._site.daemon_lives()
            yield _gauge("daemon_up", "1 while a daemon lives.", float(alive))
            with self._site.history.snapshot() as rows:
                now = self._site.clock()
                daemon, seen = read_daemon(rows), figures.look(rows, now)
                executions, outbox = figures.executions(rows), figures.outbox(rows)
                current, latest = runs.under_way(rows), runs.latest(rows, 1)
        except StateError:
            yield _gauge("database_readable", "1 while the history can be read.", 0)
            return
        yield _gauge("database_readable", "1 while the history can be read.", 1)
        if daemon is not None:
            age_s = (now - daemon.heartbeat_at).total_seconds()
            yield _gauge("daemon_heartbeat_age_seconds", "Since its last sign of life.", age_s)
            yield _gauge("daemon_paused", "1 while nothing new is started.", float(daemon.paused))
        yield from _processes(daemon, alive)
        yield from _scheduling(seen)
        yield from _runs(executions, current, latest)
        yield _labelled("outbox_messages", "Messages by state.", "state", {
            "pending": outbox.pending, "sent": outbox.sent, "failed": outbox.failed, "digest": outbox.digest,
        })  # fmt: skip
        yield _gauge("outbox_undelivered", "Pending messages that failed at least once.", outbox.waiting)
        yield _gauge("production_games", "Games of snakes in production counted so far.", seen.production_games)
        yield _ladder(seen)


def _scheduling(seen: Figures) -> Iterable[Metric]:
    yield _gauge("schedule_overdue_seconds", "How far the most overdue schedule is past its time.", seen.overdue_s)
    if seen.last_lateness_s is not None:
        words = "How long after its time the latest run began, waiting included."
        yield _gauge("run_lateness_seconds", words, seen.last_lateness_s)
    yield _gauge("queue_length", "Runs that wait.", seen.queue_depth)
    yield _gauge("queue_oldest_seconds", "How long the oldest of them has waited.", seen.queue_age_s)
    yield _labelled("guard_holds", "Waiting runs by the guard that holds them back.", "guard", seen.held_by)
    skips = GaugeMetricFamily(
        "ouroboros_skips_last_day", "Due times of the last day that did not run, by reason.", labels=["state", "reason"]
    )
    for item in seen.skips:
        skips.add_metric([item.state, item.reason], item.count)
    yield skips


def _runs(counted: figures.ExecutionTotals, current: list[Run], latest: list[Run]) -> Iterable[Metric]:
    outcomes = CounterMetricFamily("ouroboros_runs", "Settled executions by outcome.", labels=["outcome"])
    cancelled = counted.settled - counted.succeeded - counted.failed
    for outcome, count in (("succeeded", counted.succeeded), ("failed", counted.failed), ("cancelled", cancelled)):
        outcomes.add_metric([outcome], count)
    yield outcomes
    yield CounterMetricFamily("ouroboros_run_seconds", "Time of all settled executions.", value=counted.duration_s)
    yield _gauge("runs_under_way", "Executions that have not ended.", counted.under_way)
    speeds = {run.schedule: run.state.games_per_second or 0.0 for run in current}
    yield _labelled("games_per_second", "Of the runs under way.", "schedule", speeds)
    games = {run.schedule: float(run.state.total_games_processed) for run in current}
    yield _labelled("run_games", "Games of the runs under way so far.", "schedule", games)
    yield from _strength(latest)


def _strength(latest: list[Run]) -> Iterable[Metric]:
    """The best win rate with its interval; nothing while no games are behind it."""
    if not latest or latest[0].state.best_win_rate_games == 0:
        return
    state = latest[0].state
    bounds = {"value": state.best_win_rate, "low": state.best_win_rate_low, "high": state.best_win_rate_high}
    told = {name: value for name, value in bounds.items() if value is not None}
    yield _labelled("best_win_rate", "Of the best snake, with its 95 % interval.", "bound", told)
    yield _gauge("best_win_rate_games", "Games behind it.", state.best_win_rate_games)


def _ladder(seen: Figures) -> Metric:
    ratings = GaugeMetricFamily(
        "ouroboros_arena_rating", "Of our snakes on the Arena's ladders.", labels=["leaderboard", "snake"]
    )
    for item in seen.ladder:
        ratings.add_metric([item.leaderboard, item.snake], item.rating)
    return ratings


def _machine(home: Path) -> Iterable[Metric]:
    with suppress(OSError):
        yield _gauge("disk_free_bytes", "Where the state folder lies.", shutil.disk_usage(home).free)
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free_kib = int(next(line for line in lines if line.startswith("MemAvailable")).split()[1])
        yield _gauge("memory_free_bytes", "Available to new processes.", free_kib * 1024)
    yield _gauge("load_per_core", "Over one minute.", os.getloadavg()[0] / (os.cpu_count() or 1))


def _processes(daemon: DaemonView | None, alive: bool) -> Iterable[Metric]:
    found = {"web": _resident_bytes("self")}
    if daemon is not None and alive:
        found["daemon"] = _resident_bytes(str(daemon.pid))
    told = {name: size for name, size in found.items() if size is not None}
    yield _labelled("resident_memory_bytes", "Of our processes.", "process", told)


def _resident_bytes(process: str) -> float | None:
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()
    return None


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ouroboros_{name}", words, value=value)


def _labelled(name: str, words: str, label: str, values: dict[str, int] | dict[str, float]) -> Metric:
    family = GaugeMetricFamily(f"ouroboros_{name}", words, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
