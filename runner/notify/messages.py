"""The messages: what happened -> the message that tells it, and whom it reaches. Pure; `render` makes mails of them."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from schemas.automation import TrainingSchedule
from schemas.execution import ExecutionResult, Outcome, QueuedRun
from schemas.message import Message, MessageKind, WinRatePoint
from schemas.model import PipelineState
from schemas.notification import NotificationSettings
from schemas.times import duration, wall_time

LOG_LINES = 40


def run_ended(
    result: ExecutionResult,
    schedule: TrainingSchedule,
    win_rates: Sequence[WinRatePoint],
    settings: NotificationSettings,
    before: PipelineState | None = None,
) -> Message | None:
    """The message of an ended run, or None where the schedule does not want one.

    A run that somebody cancelled is told as a completion: its work is saved, and nothing needs mending. That there is
    nothing left to do is told once, however many runs find it so.

    Args:
        before: the state at the end of the same worker's run before: what was reached then is not told as new.
    """
    good = result.success or result.outcome is Outcome.CANCELLED
    if not (schedule.notify_on_completion if good else schedule.notify_on_failure):
        return None
    kind = MessageKind.COMPLETION if good else MessageKind.FAILURE
    return Message(
        kind=kind,
        dedup_key=_nothing_left_key(result) if result.nothing_left else f"execution-{result.execution_id}-{kind.value}",
        subject=f"{result.schedule_name}: {_verdict(result, before)}",
        headline=_headline(result, before),
        facts=_facts(result, schedule.timezone, before),
        advice=_advice(result),
        log_tail=[] if good else list(result.log_tail[-LOG_LINES:]),
        link=run_link(result, settings),
        win_rates=[] if result.nothing_left else list(win_rates),
        recipients=addressees(schedule.notification_emails, settings),
        created_at=result.completed_at,
        result=result,
    )


def _nothing_left_key(result: ExecutionResult) -> str:
    reason = hashlib.sha256(result.added.encode()).hexdigest()[:12]
    return f"nothing-left-{result.schedule_name}-{result.worker}-{reason}"


def run_stagnated(result: ExecutionResult, schedule: TrainingSchedule, settings: NotificationSettings) -> Message:
    """A tuner or pipeline has gone on for long without an improvement.

    Told once for each best version, however many runs find nothing better than it; a worker that names no version is
    told of after each run.
    """
    best = result.state.best_model_version
    return Message(
        kind=MessageKind.STAGNATION,
        dedup_key=f"stagnation-{result.worker}-{best}" if best else f"execution-{result.execution_id}-stagnation",
        subject=f"{result.schedule_name}: no improvement for a long time",
        headline=f"Run {result.execution_id} of {result.schedule_name} found nothing better.",
        facts=_facts(result, schedule.timezone),
        advice="A local optimum may be reached: change the perturbation, the opponents or the snake itself.",
        link=run_link(result, settings),
        recipients=addressees(schedule.notification_emails, settings),
        created_at=result.completed_at,
        result=result,
    )


def run_deferred(
    occurrence_id: int,
    schedule: TrainingSchedule,
    scheduled_for: datetime,
    reason: str,
    settings: NotificationSettings,
    now: datetime,
) -> Message:
    """A run has waited for the guards longer than `deferral_alert_hours`; told once per occurrence."""
    waited = now - scheduled_for
    return Message(
        kind=MessageKind.DEFERRAL,
        dedup_key=f"occurrence-{occurrence_id}-deferral",
        subject=f"{schedule.name}: waiting for {duration(waited)}",
        headline=f"The run of {schedule.name} due at {_minute(scheduled_for, schedule.timezone)} has not started yet.",
        facts=[("Reason", reason), ("Waiting for", duration(waited))],
        advice=f"`ouroboros why {schedule.name}` tells more; the schedule's resource_requirements set the limits.",
        recipients=addressees(schedule.notification_emails, settings),
        created_at=now,
    )


def run_missed(run: QueuedRun, reason: str, settings: NotificationSettings, now: datetime) -> Message:
    """A run was still waiting at its start deadline and will not start any more."""
    due = _minute(run.scheduled_for, run.schedule.timezone)
    return Message(
        kind=MessageKind.FAILURE,
        dedup_key=f"occurrence-{run.occurrence_id}-missed",
        subject=f"{run.schedule_name}: missed",
        headline=f"The run of {run.schedule_name} due at {due} did not start in time.",
        facts=[("Waited for", reason), ("Start deadline", _minute(run.start_deadline, run.schedule.timezone))],
        advice=f"`ouroboros why {run.schedule_name}` tells more.",
        recipients=addressees(run.schedule.notification_emails, settings),
        created_at=now,
    )


def degraded(trigger_name: str, reason: str, settings: NotificationSettings, now: datetime) -> Message:
    """The champion does worse in production than its registered win rate says."""
    return Message(
        kind=MessageKind.DEGRADATION,
        dedup_key=f"degradation-{trigger_name}-{now:%Y%m%dT%H%M%S}",
        subject="the champion has become weaker",
        headline=f"Trigger {trigger_name} found that the champion loses more than it should.",
        facts=[("Finding", reason)],
        advice="A training run was queued; `ouroboros status` shows it.",
        recipients=addressees([], settings),
        created_at=now,
    )


def recovered_from_crash(
    last_heartbeat: datetime, runs: Sequence[str], settings: NotificationSettings, now: datetime
) -> Message:
    """The daemon did not stop cleanly last time; `runs` says what became of each run that was under way."""
    return Message(
        kind=MessageKind.CRASH_RECOVERY,
        dedup_key=f"crash-{last_heartbeat:%Y%m%dT%H%M%S.%f}",
        subject="the daemon was restarted after a crash",
        headline=f"The daemon was last alive at {_minute(last_heartbeat)} and did not stop cleanly.",
        facts=[("Away for", duration(now - last_heartbeat)), *(("Run", line) for line in runs)],
        advice="Look at the end of the newest-but-one file in the logs folder.",
        recipients=addressees([], settings),
        created_at=now,
    )


def alert(subject: str, detail: str, advice: str, key: str, settings: NotificationSettings, now: datetime) -> Message:
    """Something in the daemon itself needs a person."""
    return Message(
        kind=MessageKind.ALERT,
        dedup_key=f"alert-{key}",
        subject=subject,
        headline=detail,
        advice=advice,
        recipients=addressees([], settings),
        created_at=now,
    )


def test_message(addresses: Sequence[str], settings: NotificationSettings, now: datetime) -> Message:
    """What `ouroboros notify test` sends."""
    return Message(
        kind=MessageKind.TEST,
        dedup_key=f"test-{now:%Y%m%dT%H%M%S.%f}",
        subject="a test message",
        headline="If you can read this, Ouroboros can reach you.",
        recipients=list(addresses) or addressees([], settings),
        created_at=now,
    )


def digest(messages: Sequence[Message], settings: NotificationSettings, now: datetime) -> Message:
    """Several messages in one, oldest first; they are for the same people."""
    everyone = sorted({address for message in messages for address in message.recipients})
    return Message(
        kind=MessageKind.DIGEST,
        dedup_key=f"digest-{now:%Y%m%dT%H%M%S.%f}",
        subject=f"{len(messages)} messages",
        headline=f"Since {_minute(messages[0].created_at)}:",
        facts=[(_minute(message.created_at), f"{message.subject}. {message.headline}") for message in messages],
        win_rates=messages[-1].win_rates,
        recipients=everyone or addressees([], settings),
        created_at=now,
    )


def addressees(own: Sequence[str], settings: NotificationSettings) -> list[str]:
    """A schedule's own addresses and the general ones, each once."""
    return list(dict.fromkeys([*own, *settings.emails]))


def run_link(result: ExecutionResult, settings: NotificationSettings) -> str:
    """The run on the dashboard, or its folder where there is none."""
    if settings.dashboard_url:
        return f"{settings.dashboard_url.rstrip('/')}/executions/{result.execution_id}"
    return str(result.run_dir)


def _minute(instant: datetime, timezone: str = "UTC") -> str:
    return wall_time(instant, timezone, to="minutes")


def _verdict(result: ExecutionResult, before: PipelineState | None) -> str:
    if result.nothing_left:
        return "nothing left to do"
    if result.success:
        if not result.state.best_win_rate_games:
            return "completed"
        if _as_before(result, before):
            return f"completed, nothing better than {result.state.best_win_rate:.1%} found"
        return f"completed, best win rate {_win_rate(result)}"
    words = {Outcome.TIMED_OUT: "ran out of time", Outcome.LOST: "lost its worker", Outcome.CANCELLED: "was stopped"}
    return words.get(result.outcome, "failed")


def _as_before(result: ExecutionResult, before: PipelineState | None) -> bool:
    """The best is the one that an earlier run has told already: the same games of the same version."""
    state = result.state
    return before is not None and state.best_win_rate_games > 0 and _best(before) == _best(state)


def _best(state: PipelineState) -> tuple[object, ...]:
    return state.best_model_version, state.best_win_rate, state.best_win_rate_games


def _headline(result: ExecutionResult, before: PipelineState | None) -> str:
    if result.nothing_left:
        return f"Run {result.execution_id} of {result.schedule_name} played no game. {result.added}"
    lasted = duration(result.completed_at - result.started_at)
    ending = f" {result.error_message or result.added}" if result.error_message or result.added else ""
    return f"Run {result.execution_id} of {result.schedule_name} {_verdict(result, before)} after {lasted}.{ending}"


def _facts(result: ExecutionResult, timezone: str, before: PipelineState | None = None) -> list[tuple[str, str]]:
    state, usage = result.state, result.usage
    facts = [
        ("Started", _minute(result.started_at, timezone)),
        ("Asked for by", f"{result.trigger_type.value}, for {_minute(result.scheduled_for, timezone)}"),
        ("Worker", f"{result.worker}, attempt {result.attempt}"),
        ("Games played", f"{state.total_games_processed:,}"),
    ]
    if state.best_win_rate_games:
        facts.append(("Best win rate", f"{_win_rate(result)}{_since(result, before)}"))
    if state.best_model_version:
        facts.append(("Best version", state.best_model_version))
    if usage.samples:
        facts.append(("Peak memory", f"{usage.peak_memory_mb:,.0f} MB in {usage.peak_processes} processes"))
        facts.append(("CPU", f"{usage.mean_cpu_percent:.0f} % of a core on average, {usage.cpu_time_s:,.0f} s in all"))
    if usage.peak_gpu_memory_mb is not None:
        mean = "" if usage.mean_gpu_percent is None else f", {usage.mean_gpu_percent:.0f} % in use on average"
        facts.append(("GPU", f"{usage.peak_gpu_memory_mb:,.0f} MB at its peak{mean}"))
    if result.will_retry_at:
        facts.append(("Next attempt", _minute(result.will_retry_at, timezone)))
    return facts


def _since(result: ExecutionResult, before: PipelineState | None) -> str:
    """How it stands to what was known before this run."""
    if before is None or not before.best_win_rate_games:
        return ""
    if _as_before(result, before):
        return "; measured before this run, which found nothing better"
    return f"; before this run {before.best_win_rate:.1%} over {before.best_win_rate_games:,} games"


def _win_rate(result: ExecutionResult) -> str:
    state = result.state
    interval = ""
    if state.best_win_rate_low is not None and state.best_win_rate_high is not None:
        interval = f" (95 % interval {state.best_win_rate_low:.1%} to {state.best_win_rate_high:.1%})"
    return f"{state.best_win_rate:.1%}{interval} over {state.best_win_rate_games:,} games"


def _advice(result: ExecutionResult) -> str:
    if result.success or result.outcome is Outcome.CANCELLED:
        return ""
    if result.will_retry_at:
        return "It will be tried again by itself; nothing needs to be done yet."
    return f"It will not be tried again. `ouroboros why {result.schedule_name}` tells what led here."
