"""`status`, `next`, `explain`, `why`, `history`, the queue: what can be asked without changing anything."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

from litestar import MediaType, get
from litestar.params import Parameter

from runner.schedule import fires
from runner.schedule.describe import describe, seconds_first_warning
from runner.silence import silence
from runner.store.states import ExecutionStatus
from runner.web.api.answers import (
    READS,
    UNUSABLE,
    DaemonStatus,
    Explained,
    MailFigures,
    MailListing,
    OccurrenceStory,
    QueueListing,
    RunDetails,
    RunListing,
    Totals,
    Why,
)
from runner.web.api.paging import MOST, PAGE, cursor_of, key_of
from runner.web.problems import ProblemError
from runner.web.read import definitions, figures, news, runs, waiting
from runner.web.read.daemon import DaemonView, read_daemon, read_loops
from runner.web.read.rows import Rows
from runner.web.read.waiting import Fire
from runner.web.site import Site
from schemas.automation import RunnerStatus
from schemas.times import from_text

RECENT = 10
QUEUE_SHOWN = 50
_DEEPEST = 1_000_000
"""Page of a queue: more never waits."""
_LOG_NAME = "worker.log"
Limit = Annotated[int, Parameter(ge=1, le=MOST, description="How many at most.")]
Cursor = Annotated[str | None, Parameter(description="`next` of the page before.", max_length=1000)]
Name = Annotated[str, Parameter(max_length=100, description="A schedule's or trigger's name.")]


def _status_of(daemon: DaemonView | None, alive: bool, quiet: str, busy: bool) -> RunnerStatus:
    if quiet:
        return RunnerStatus.ERROR
    if daemon is None or not alive:
        return RunnerStatus.IDLE
    return RunnerStatus.PAUSED if daemon.paused and not busy else daemon.status


@get("/status", responses=READS, sync_to_thread=True, summary="What the daemon does, what waits, what comes next")
def status(site: Site) -> DaemonStatus:
    """As `ouroboros status`."""
    now, alive = site.clock(), site.daemon_lives()
    with site.history.snapshot() as rows:
        daemon, current = read_daemon(rows), runs.under_way(rows)
        queued, depth = waiting.queue(rows, QUEUE_SHOWN)
        quiet = silence(daemon.heartbeat_at, daemon.step, now) if daemon is not None and alive else ""
        return DaemonStatus(
            status=_status_of(daemon, alive, quiet, bool(current)),
            running=alive,
            silence=quiet,
            paused=daemon is not None and daemon.paused,
            daemon=daemon,
            loops=read_loops(rows),
            current=current,
            recent=runs.latest(rows, RECENT),
            queued=queued,
            queue_depth=depth,
            schedule_count=definitions.schedule_count(rows),
            next_fires=waiting.coming(rows, now),
            statistics=_totals(rows),
            mail=_mail(rows),
            clock=figures.clock_lately(rows, now),
        )


@get("/executions", responses=READS, sync_to_thread=True, summary="The history, newest first")
def executions(
    site: Site,
    limit: Limit = PAGE,
    cursor: Cursor = None,
    schedule: Annotated[str, Parameter(max_length=100, description="Only of this schedule.")] = "",
    trigger: Annotated[str, Parameter(max_length=100, description="A trigger's type or name.")] = "",
    outcome: Annotated[ExecutionStatus | None, Parameter(description="Only those that ended so.")] = None,
    since: Annotated[str | None, Parameter(description="Begun at or after: ISO 8601 with its offset.")] = None,
    until: Annotated[str | None, Parameter(description="Begun before.")] = None,
) -> RunListing:
    """As `ouroboros history`. A rare kind is sought 200,000 rows at a time: a page may be short or empty although
    `next` leads on."""
    before = key_of(cursor, [int])
    wanted = runs.RunFilter(
        schedule=schedule,
        trigger=trigger,
        outcome=outcome.value if outcome else "",
        since=_instant(since, "since"),
        until=_instant(until, "until"),
        before=int(before[0]) if before else None,
    )
    with site.history.snapshot() as rows:
        page = runs.find(rows, wanted, limit)
    return RunListing(page.runs, None if page.before is None else cursor_of(page.before))


@get("/executions/{run_id:int}", responses=READS, sync_to_thread=True, summary="All that is known of an execution")
def execution(site: Site, run_id: Annotated[int, Parameter(ge=1, le=2**62)]) -> RunDetails:
    """Its state, what was decided about it, its attempts and what was told of it."""
    with site.history.snapshot() as rows:
        run = _known(rows, run_id)
        return RunDetails(
            run=run,
            occurrence=waiting.occurrence(rows, run.occurrence_id),
            decisions=waiting.decisions(rows, run.occurrence_id),
            attempts=runs.attempts(rows, run.occurrence_id),
            messages=news.letters_of(rows, run_id),
        )


@get(
    "/executions/{run_id:int}/log",
    responses=READS,
    sync_to_thread=True,
    media_type=MediaType.TEXT,
    summary="The end of an execution's log",
)
def execution_log(
    site: Site,
    run_id: Annotated[int, Parameter(ge=1, le=2**62)],
    lines: Annotated[int, Parameter(ge=1, le=1000, description="How many lines.")] = 100,
) -> str:
    """Plain text, at most 12 kB; empty where its folder was removed."""
    with site.history.snapshot() as rows:
        run = _known(rows, run_id)
    told = runs.tail(Path(run.folder) / _LOG_NAME, lines, site.settings.runs_dir.absolute())
    return "".join(f"{each}\n" for each in told)


@get("/queue", responses=READS, sync_to_thread=True, summary="What waits, and why")
def queue(site: Site, limit: Limit = PAGE, cursor: Cursor = None) -> QueueListing:
    """In the order in which it should start."""
    skipped = key_of(cursor, [int])
    start = min(max(0, int(skipped[0])), _DEEPEST) if skipped else 0
    with site.history.snapshot() as rows:
        items, depth = waiting.queue(rows, start + limit)
    end = start + limit
    return QueueListing(items[start:], depth, cursor_of(end) if depth > end else None)


@get("/next", responses=READS, sync_to_thread=True, summary="The coming fires of all schedules")
def next_fires(site: Site, limit: Annotated[int, Parameter(ge=1, le=50)] = 10) -> list[Fire]:
    """As `ouroboros next`."""
    with site.history.snapshot() as rows:
        return waiting.coming(rows, site.clock(), limit)


@get("/explain", responses=READS | UNUSABLE, sync_to_thread=True, summary="A cron line in English, and its next fires")
def explain(
    site: Site,
    cron: Annotated[str, Parameter(max_length=1000, description="Five fields, or six with the seconds last.")],
    timezone: Annotated[str, Parameter(max_length=100, description="IANA name.")] = "UTC",
    name: Annotated[str, Parameter(max_length=100, description="`H` fields depend on it.")] = "example",
) -> Explained:
    """As `ouroboros explain`."""
    coming = fires.check(name, cron, timezone, site.clock())
    return Explained(describe(cron, timezone, name), seconds_first_warning(cron, timezone, name), coming)


@get("/why/{name:str}", responses=READS, sync_to_thread=True, summary="Why a schedule or trigger did or did not run")
def why(site: Site, name: Name, limit: Annotated[int, Parameter(ge=1, le=100)] = 5) -> Why:
    """As `ouroboros why`, from the rows."""
    with site.history.snapshot() as rows:
        schedule, trigger = definitions.schedule(rows, name), definitions.trigger(rows, name)
        known = waiting.occurrences(rows, name, limit)
        if schedule is None and trigger is None and not known:
            raise ProblemError(404, f"nothing of the name {name} ever fell due")
        story = [
            OccurrenceStory(item, waiting.decisions(rows, item.id), runs.attempts(rows, item.id)) for item in known
        ]
        return Why(name, schedule, trigger, figures.clock_lately(rows, site.clock()), story)


@get("/mail", responses=READS, sync_to_thread=True, summary="What the outbox holds")
def mail(site: Site, limit: Limit = PAGE) -> MailListing:
    """As `ouroboros notify waiting`: what waits and what was given up, newest first."""
    with site.history.snapshot() as rows:
        return MailListing(_mail(rows), news.undelivered(rows, limit))


def _known(rows: Rows, run_id: int) -> runs.Run:
    run = runs.one(rows, run_id)
    if run is None:
        raise ProblemError(404, f"no execution {run_id}")
    return run


def _totals(rows: Rows) -> Totals:
    found = figures.executions(rows)
    settled = found.settled or 1
    return Totals(
        total_executions=found.settled + found.under_way,
        successful_executions=found.succeeded,
        failed_executions=found.failed,
        failure_rate=found.failed / settled,
        average_execution_time_hours=found.duration_s / settled / 3600,
    )


def _mail(rows: Rows) -> MailFigures:
    found = figures.outbox(rows)
    return MailFigures(found.pending, found.sent, found.failed, found.digest, found.waiting, found.reason)


def _instant(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        return from_text(text)
    except (ValueError, OverflowError) as error:
        raise ProblemError(400, f"{name}: no instant such as 2026-11-29T12:00:00Z") from error
