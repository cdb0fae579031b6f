"""Look at the triggers whose time has come, outside the loop, and record the runs of those that fire.

What fired, its cursor and its run are one transaction: killed before it, the condition holds again at the next look;
killed after it, the cursor keeps the same games or file from firing twice.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from runner.flow.enqueue import enqueue_run, schedule_for
from runner.flow.runtime import Runtime
from runner.notify import messages
from runner.store import trigger_files, triggers
from runner.store.triggers import TriggerRecord, UnreadableTrigger
from runner.triggers.built_in import TriggerFileParameters
from runner.triggers.conditions import MANUAL_FILE
from runner.triggers.context import ConditionContext
from runner.triggers.evaluation import Evaluator, TriggerEvaluation
from runner.triggers.store_view import StoreView
from runner.triggers.trigger_files import (
    ClaimedFile,
    claim_trigger_file,
    finish_claims,
    name_when_claimed,
    reject,
    trigger_file_waits,
    unrecorded,
)
from schemas.automation import TriggerCondition, TriggerType
from schemas.errors import ScheduleError, StateError
from schemas.machine import ResourceSnapshot
from schemas.outside_text import error_line
from schemas.times import to_text

FILE_INTERVAL_S = 1.0
"""A trigger file is looked for at least so often, whatever its trigger's interval."""
KEEP_LOOK_S = 60.0
"""A look that found nothing new, or failed as before, is written down this often; trigger files are looked at every
second."""
_log = logging.getLogger("ouroboros.triggers")


@dataclass(frozen=True, slots=True)
class _Firing:
    """What fired, and is to be written down."""

    trigger: TriggerCondition
    file: ClaimedFile | None
    """The file that asked for it, moved out of its place already."""
    why: str
    cursor: str | None


class CheckTriggers:
    """Starts looks and collects what they found; holds only looks under way."""

    def __init__(
        self,
        runtime: Runtime,
        wake: Callable[[], None],
        machine: Callable[[datetime], ResourceSnapshot],
        working_dir: Path,
    ) -> None:
        self._runtime = runtime
        self._machine = machine
        self.working_dir = working_dir
        self._evaluator = Evaluator(wake, runtime.clock.monotonic_s)
        self._known: dict[str, TriggerRecord] = {}
        """As the database had them when it last changed."""
        self._looked_at_s: dict[str, float] = {}
        self._kept_at_s: dict[str, float] = {}
        self._left: list[_Firing] = []
        """Their files are claimed, and the database would not take them."""

    def __call__(self, now: datetime) -> None:
        """Collect what earlier looks found, then begin new ones. One that cannot be dealt with holds up no other."""
        troubles = [*self._record_left(now), *self._take_all(self._evaluator.collect(), now)]
        self._read(now)
        for record in self._known.values():
            troubles += self._look_or_tell(record, now)
        if troubles:
            raise troubles[0]

    def _record_left(self, now: datetime) -> list[StateError]:
        """What fired, and could not be written down at an earlier turn."""
        left, self._left = self._left, []
        troubles = []
        for firing in left:
            try:
                self._record_firing(firing, now)
            except StateError as error:
                troubles.append(error)
        return troubles

    def _take_all(self, evaluations: Sequence[TriggerEvaluation], now: datetime) -> list[StateError]:
        troubles = []
        for evaluation in evaluations:
            try:
                self._take_or_tell(evaluation, now)
            except StateError as error:  # of the database, not of this trigger: its condition holds at the next look
                troubles.append(error)
        return troubles

    def _read(self, now: datetime) -> None:
        if self._runtime.idle.nothing_new:
            return
        with self._runtime.store.read() as session:
            known, unreadable = triggers.look_up(session)
        self._known = {record.name: record for record in known}
        for broken in unreadable:
            if broken.enabled:
                self._stop(broken, now)

    def take_over(self, now: datetime) -> None:
        """Record the trigger files that an earlier daemon had claimed when it was killed, as their trigger's runs."""
        with self._runtime.store.read() as session:
            manual = [record for record in triggers.list_active(session) if _is_manual(record)]
            known = trigger_files.claimed_paths(session)
        for record in manual:
            try:
                self._take_over_file(record, known, now)
            except Exception as error:  # noqa: BLE001 - of this one's file: the others are taken over all the same
                told = error_line(error)
                _log.error("What trigger %s had claimed cannot be taken over yet: %s", record.name, told)

    def _take_over_file(self, record: TriggerRecord, known: frozenset[Path], now: datetime) -> None:
        path, folder = self._trigger_file(record.condition), self._runtime.settings.triggers_dir
        finish_claims(path, folder)
        for claimed in unrecorded(folder, known):
            if claimed.original_name == name_when_claimed(path.name):
                self._record_firing(_Firing(record.condition, claimed, "claimed before a restart", None), now)

    def close(self) -> None:
        """Wait a moment for looks under way."""
        self._evaluator.close()

    def _stop(self, broken: UnreadableTrigger, now: datetime) -> None:
        message = messages.alert(
            subject=f"trigger {broken.name} is disabled",
            detail=broken.problem,
            advice="Save it anew with `ouroboros triggers add`. The others go on.",
            key=f"trigger-{broken.name}-{now:%Y%m%dT%H%M%S}",
            settings=self._runtime.settings.notifications,
            now=now,
        )
        with self._runtime.store.write() as session:
            triggers.stop(session, broken.name, broken.problem, now)
            self._runtime.notifier.put(session, message, now)
        _log.error("Trigger %s is disabled: %s", broken.name, broken.problem)

    def _look_or_tell(self, record: TriggerRecord, now: datetime) -> list[StateError]:
        try:
            self._look_at(record, now)
        except StateError as error:
            return [error]
        except Exception as error:  # noqa: BLE001 - of this trigger's file, say: the others are looked at all the same
            self._looked_at_s[record.name] = self._runtime.clock.monotonic_s()
            self._keep_error(TriggerEvaluation(record.condition, None, error_line(error)), now)
        return []

    def _look_at(self, record: TriggerRecord, now: datetime) -> None:
        """Begin a look if its time has come; in the cooldown, say what waits for its end."""
        if not record.enabled or record.paused_note is not None:
            return
        interval_s, clock_s = record.condition.check_interval_s, self._runtime.clock.monotonic_s()
        if _is_manual(record):  # somebody waits for it
            interval_s = min(interval_s, FILE_INTERVAL_S)
        if clock_s - self._looked_at_s.get(record.name, float("-inf")) < interval_s:
            return
        until = _cooldown_end(record, now)
        if until is None:
            looked = self._begin(record, now)
        else:
            looked = _is_manual(record)
            if looked:
                self._tell_of_cooldown(record, until, now)
        if looked:
            self._looked_at_s[record.name] = clock_s

    def _tell_of_cooldown(self, record: TriggerRecord, until: datetime, now: datetime) -> None:
        file = self._trigger_file(record.condition)
        verdict = f"{file.name} is there and waits: in cooldown until {to_text(until)}"
        if record.last_verdict == verdict or not trigger_file_waits(file, now):
            return
        with self._runtime.store.write() as session:
            triggers.checked(session, record.name, verdict, now)
        _log.info("Trigger %s: %s", record.name, verdict)

    def _begin(self, record: TriggerRecord, now: datetime) -> bool:
        settings = self._runtime.settings
        context = ConditionContext(
            trigger_name=record.name,
            now=now,
            parameters=record.condition.parameters,
            cursor="" if record.cursor_json == "{}" else record.cursor_json,
            settings=settings,
            working_dir=self.working_dir,
            view=StoreView(self._runtime.store, settings.games_dir, now, lambda: self._machine(now)),
        )
        return self._evaluator.start(record.condition, context)

    def _take_or_tell(self, evaluation: TriggerEvaluation, now: datetime) -> None:
        try:
            self._take(evaluation, now)
        except StateError:
            raise
        except Exception as error:  # noqa: BLE001 - one trigger's trouble costs a row and an alert, and no other
            _log.exception("Trigger %s", evaluation.trigger.name)
            self._keep_error(TriggerEvaluation(evaluation.trigger, None, error_line(error)), now)

    def _take(self, evaluation: TriggerEvaluation, now: datetime) -> None:
        if evaluation.verdict is None:
            self._keep_error(evaluation, now)
        elif evaluation.verdict.fired:
            self._fire(evaluation, now)
        else:
            self._keep_look(evaluation, now)

    def _keep_look(self, evaluation: TriggerEvaluation, now: datetime) -> None:
        """Nothing fired: write it down when the cursor has moved, or after a while."""
        assert evaluation.verdict is not None
        name, verdict, clock_s = evaluation.trigger.name, evaluation.verdict, self._runtime.clock.monotonic_s()
        record = self._known.get(name)
        if record is None:
            return
        moved = verdict.cursor not in ("", record.cursor_json)
        if not moved and clock_s - self._kept_at_s.get(name, float("-inf")) < KEEP_LOOK_S:
            return
        with self._runtime.store.write() as session:
            triggers.checked(session, name, verdict.reason, now, cursor_json=verdict.cursor or None)
        self._kept_at_s[name] = clock_s

    def _keep_error(self, evaluation: TriggerEvaluation, now: datetime) -> None:
        name, settings = evaluation.trigger.name, self._runtime.settings.notifications
        verdict, clock_s = f"could not look: {evaluation.error}", self._runtime.clock.monotonic_s()
        record = self._known.get(name)
        again = record is not None and record.last_verdict == verdict
        if again and clock_s - self._kept_at_s.get(name, float("-inf")) < KEEP_LOOK_S:
            return
        message = messages.alert(
            subject=f"trigger {name} cannot be looked at",
            detail=evaluation.error,
            advice="Mend its condition; until then it does not fire. It is looked at again at its interval.",
            key=f"trigger-{name}-{now:%Y%m%d}",
            settings=settings,
            now=now,
        )
        with self._runtime.store.write() as session:
            triggers.checked(session, name, verdict, now)
            self._runtime.notifier.put(session, message, now)
        self._kept_at_s[name] = clock_s
        _log.warning("Trigger %s: %s", name, evaluation.error)

    def _fire(self, evaluation: TriggerEvaluation, now: datetime) -> None:
        """Record the run, the cursor and the firing together."""
        trigger, verdict = evaluation.trigger, evaluation.verdict
        assert verdict is not None
        file: ClaimedFile | None = None
        if trigger.condition_function == MANUAL_FILE:
            file = self._claim(trigger, now)
            if file is None:
                return  # gone again, or taken by an earlier look
        self._runtime.reach("trigger.judged")
        self._record_firing(_Firing(trigger, file, verdict.reason, verdict.cursor or None), now)

    def _record_firing(self, firing: _Firing, now: datetime) -> None:
        """Write down what fired.

        Raises:
            StateError: not now. Where its file is claimed, so that no later look would find it, it is kept.
        """
        try:
            with self._runtime.store.write() as session:
                reason, problem = self._record_in(session, firing, now)
        except StateError:
            if firing.file is not None:
                self._left.append(firing)
            raise
        except Exception as error:
            if firing.file is not None:  # it is out of its place, and must end somewhere
                reject(firing.file.path, f"it could not be recorded: {error_line(error)}")
            raise
        trigger, file = firing.trigger, firing.file
        self._runtime.reach("trigger.recorded")
        if file is not None and problem:
            reject(file.path, problem)
        _log.info("Trigger %s fired: %s", trigger.name, reason)

    def _record_in(self, session: Session, firing: _Firing, now: datetime) -> tuple[str, str]:
        trigger = firing.trigger
        problem = self._record(session, trigger, firing.file, firing.why, now)
        fired = not problem
        reason = f"{firing.why}; {problem}" if problem else firing.why
        triggers.checked(session, trigger.name, reason, now, cursor_json=firing.cursor, fired=fired)
        if trigger.trigger_type is TriggerType.PERFORMANCE_DRIVEN and fired:
            message = messages.degraded(trigger.name, reason, self._runtime.settings.notifications, now)
            self._runtime.notifier.put(session, message, now)
        return reason, problem

    def _record(
        self, session: Session, trigger: TriggerCondition, file: ClaimedFile | None, reason: str, now: datetime
    ) -> str:
        """Queue the run, and the trigger file's row with it; why there is none, or ""."""
        number = None
        if file is not None:
            number = trigger_files.claim(session, file.original_name, file.path, file.sha256, file.received_at)
        problem = file.problem if file is not None else ""
        if not problem:
            try:
                occurrence_id = self._ask(session, trigger, file, reason, now)
            except ScheduleError as error:
                problem = str(error)
            else:
                if number is not None:
                    trigger_files.mark_queued(session, number, occurrence_id)
                return ""
        if number is not None:
            trigger_files.mark_rejected(session, number, problem)
        return problem

    def _ask(
        self, session: Session, trigger: TriggerCondition, file: ClaimedFile | None, reason: str, now: datetime
    ) -> int:
        request = file.request if file is not None else None
        if request is not None and request.schedule is not None:
            trigger = trigger.model_copy(update={"schedule": request.schedule})
        schedule = schedule_for(session, trigger)
        priority, kind = trigger.priority, trigger.trigger_type
        if request is not None:
            training = request.training_over(schedule.training_config)
            schedule = schedule.model_copy(update={"training_config": training})
            priority = priority if request.priority is None else request.priority
            kind = TriggerType.EMERGENCY if request.emergency else kind
            reason = request.note or reason
        recorded = enqueue_run(
            session,
            schedule,
            kind,
            now,
            self._runtime.settings.scheduler.max_queue_length,
            trigger_name=trigger.name,
            priority=priority,
            note=reason,
            fold=file is None,
        )
        return recorded.occurrence_id

    def _claim(self, trigger: TriggerCondition, now: datetime) -> ClaimedFile | None:
        return claim_trigger_file(self._trigger_file(trigger), self._runtime.settings.triggers_dir, now)

    def _trigger_file(self, trigger: TriggerCondition) -> Path:
        return self.working_dir / TriggerFileParameters.model_validate(trigger.parameters).trigger_file


def _cooldown_end(record: TriggerRecord, now: datetime) -> datetime | None:
    """None: it may fire."""
    last = record.last_triggered
    # A clock that was set back must not stretch a cooldown: a firing in the future counts as none.
    if last is None or last > now:
        return None
    end = last + timedelta(hours=record.condition.cooldown_hours)
    return end if now < end else None


def _is_manual(record: TriggerRecord) -> bool:
    return record.condition.condition_function == MANUAL_FILE
