"""What the daemon is doing, as its database tells: for the status command and for `get_runner_status`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from runner import leader
from runner.silence import silence
from runner.store import clock_changes, heartbeat, history, ladder, outbox, queue, schedules, triggers
from runner.store.engine import Store
from runner.store.heartbeat import DaemonRecord, LoopRecord
from runner.store.history import ExecutionRecord, Statistics
from runner.store.ladder import LastSync
from runner.store.outbox import MailTrouble
from runner.store.schedules import ScheduleRecord
from runner.store.triggers import TriggerRecord
from schemas.automation import RunnerStatus
from schemas.execution import QueuedRun
from schemas.times import to_text

RECENT = 10
QUEUE_SHOWN = 50
SCHEDULES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class StatusReport:
    """One consistent look at everything."""

    daemon: DaemonRecord | None
    alive: bool
    """A process holds the database's lock right now."""
    schedules: list[ScheduleRecord]
    schedule_count: int
    """Of all, shown or not."""
    triggers: list[TriggerRecord]
    current: list[ExecutionRecord]
    recent: list[ExecutionRecord]
    queued: list[QueuedRun]
    """The head of the queue."""
    queue_depth: int
    statistics: Statistics
    loops: list[LoopRecord]
    mail: MailTrouble
    """Messages that could not be delivered."""
    silence: str
    """That the daemon lives and gives no sign, for how long, and where it stands; empty: it does."""
    clock: list[str]
    """What happened to the wall clock in the last day, in words."""
    stand_by: list[str]
    """Daemons that wait to take over a server's database, each as `HOST:PID`."""
    arena: LastSync | None
    """The newest synchronisation with the public Arena; None: there was none."""

    @property
    def status(self) -> RunnerStatus:
        """What the daemon is doing; IDLE when none lives, ERROR where it gives no sign."""
        if self.silence:
            return RunnerStatus.ERROR
        return self.daemon.status if self.daemon is not None and self.alive else RunnerStatus.IDLE

    @property
    def paused(self) -> bool:
        """Launches are held back."""
        return self.daemon is not None and self.daemon.paused


def read_status(store: Store, home: Path, now: datetime | None = None) -> StatusReport:
    """Look once, in one snapshot.

    Args:
        now: give only the schedules that a person wants to see at this moment: those that fire next, and those that do
            not fire because somebody said so. None: all of them.

    Raises:
        StateError: the database cannot be read.
    """
    alive = leader.daemon_is_running(home, store)
    stand_by = leader.leader_and_stand_bys(store)[1]
    with store.read() as session:
        daemon = heartbeat.get(session)
        return StatusReport(
            daemon=daemon,
            alive=alive,
            schedules=schedules.list_active(session) if now is None else _worth_showing(session, now),
            schedule_count=schedules.count_active(session),
            triggers=triggers.list_active(session),
            current=history.unfinished(session),
            recent=history.recent(session, RECENT),
            queued=queue.queued(session, QUEUE_SHOWN),
            queue_depth=queue.depth(session),
            statistics=history.statistics(session),
            loops=heartbeat.loops(session),
            mail=outbox.trouble(session),
            silence=_silence(daemon, now or datetime.now(UTC)) if daemon is not None and alive else "",
            clock=clock_changes.lately(session, now or datetime.now(UTC)),
            stand_by=stand_by,
            arena=ladder.last_sync(session),
        )


def _silence(daemon: DaemonRecord, now: datetime) -> str:
    return silence(daemon.heartbeat_at, daemon.step, now)


def _worth_showing(session: Session, now: datetime) -> list[ScheduleRecord]:
    return [
        *schedules.upcoming(session, now, SCHEDULES_SHOWN)[:SCHEDULES_SHOWN],
        *schedules.not_firing(session, SCHEDULES_SHOWN),
    ]


def as_dictionary(seen: StatusReport) -> dict[str, Any]:
    """The form that the operations guide's snippets read; plain values that JSON can hold."""
    status = RunnerStatus.PAUSED if seen.paused and seen.alive and not seen.current else seen.status
    return {
        "status": status.value,
        "running": seen.alive,
        "silence": seen.silence,
        "host": seen.daemon.host if seen.daemon is not None else None,
        "stand_by": seen.stand_by,
        "paused": seen.paused,
        "schedules": [schedule_as_dictionary(record) for record in seen.schedules],
        "triggers": [trigger_as_dictionary(record) for record in seen.triggers],
        "recent_executions": [execution_as_dictionary(record) for record in seen.recent],
        "current_execution": execution_as_dictionary(seen.current[0]) if seen.current else None,
        "queued": [
            {"schedule_name": run.schedule_name, "scheduled_for": to_text(run.scheduled_for), "reason": run.reason}
            for run in seen.queued
        ],
        "undelivered": {"waiting": seen.mail.waiting, "given_up": seen.mail.failed, "reason": seen.mail.reason},
        "arena": seen.arena.model_dump(mode="json") if seen.arena else None,
        "statistics": {
            "total_executions": seen.statistics.total_executions,
            "successful_executions": seen.statistics.successful_executions,
            "failure_rate": seen.statistics.failure_rate,
            "last_execution": _text(seen.statistics.last_execution),
            "average_execution_time_hours": seen.statistics.average_execution_time_hours,
        },
    }


def execution_as_dictionary(record: ExecutionRecord) -> dict[str, Any]:
    """One execution in plain values."""
    return {
        "id": record.execution_id,
        "schedule_name": record.schedule_name,
        "trigger_type": record.trigger_type.value,
        "scheduled_for": to_text(record.scheduled_for),
        "started_at": to_text(record.started_at),
        "completed_at": _text(record.completed_at),
        "success": record.success,
        "status": record.status.value,
        "error_message": record.error_message,
        "worker": record.worker,
        "worker_reason": record.worker_reason,
        "attempt": record.attempt,
        "pipeline_state": record.state.model_dump(mode="json"),
        "resource_usage": record.usage.model_dump(mode="json") if record.usage else None,
        "run_dir": str(record.run_dir),
    }


def schedule_as_dictionary(record: ScheduleRecord) -> dict[str, Any]:
    """One schedule in plain values."""
    return {
        "name": record.name,
        "cron_expression": record.readable.cron_expression if record.readable else None,
        "timezone": record.readable.timezone if record.readable else None,
        "enabled": record.enabled,
        "paused_note": record.paused_note,
        "priority": record.readable.priority if record.readable else None,
        "next_run": _text(record.next_run),
        "last_run": _text(record.last_run),
        "run_count": record.run_count,
        "success_count": record.success_count,
        "failure_count": record.failure_count,
    }


def trigger_as_dictionary(record: TriggerRecord) -> dict[str, Any]:
    """One trigger in plain values."""
    return {
        "name": record.name,
        "trigger_type": record.condition.trigger_type.value,
        "enabled": record.enabled,
        "last_triggered": _text(record.last_triggered),
        "last_checked": _text(record.last_checked),
        "last_verdict": record.last_verdict,
    }


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else to_text(instant)
