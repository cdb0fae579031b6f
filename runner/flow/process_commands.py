"""Carry out what people asked through the `commands` table, in order, each in the transaction of its effect."""

import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from runner.flow.command_arguments import CancelArguments, NoArguments, PauseArguments, TriggerArguments, Verb
from runner.flow.definition_commands import DEFINITION_HANDLERS, Handlers, handle_command
from runner.flow.enqueue import enqueue_run, schedule_for
from runner.flow.runtime import Runtime
from runner.flow.watch import WatchRuns
from runner.store import commands, heartbeat, queue, schedules, triggers
from schemas.automation import TriggerType
from schemas.errors import BadInputError

COMMANDS_PER_TICK = 100
_log = logging.getLogger("ouroboros.commands")


class ProcessCommands:
    """Answers every command, with what was done or why it was not."""

    def __init__(self, runtime: Runtime, watch: WatchRuns, stop: Callable[[], None]) -> None:
        self._runtime = runtime
        self._watch = watch
        self._stop = stop
        self._handlers: Handlers = {
            Verb.TRIGGER: (TriggerArguments, self._trigger),
            Verb.PAUSE: (PauseArguments, self._pause),
            Verb.RESUME: (NoArguments, self._resume),
            Verb.CANCEL: (CancelArguments, self._cancel),
            Verb.STOP: (NoArguments, self._stop_daemon),
            **DEFINITION_HANDLERS,
        }

    def __call__(self, now: datetime) -> None:
        """Handle what is pending."""
        if self._runtime.idle.nothing_new:
            return
        with self._runtime.store.read() as session:
            if not commands.pending(session, 1):
                return
        stopping = False
        with self._runtime.store.write() as session:
            for command in commands.pending(session, COMMANDS_PER_TICK):
                ok, answer = handle_command(self._handlers, session, command, now)
                commands.answer(session, command.command_id, ok, answer, now)
                _log.info("%s, asked by %s: %s", command.verb, command.requested_by, answer)
                stopping = stopping or (ok and command.verb == Verb.STOP)
            self._runtime.reach("commands.answering")
        self._runtime.reach("commands.answered")
        if stopping:  # only once the answer is committed: whoever asked waits for it
            self._stop()

    def _trigger(self, session: Session, asked: TriggerArguments, now: datetime) -> str:
        limit = self._runtime.settings.scheduler.max_queue_length
        kind = TriggerType.EMERGENCY if asked.emergency else TriggerType.MANUAL
        note = asked.note or "asked for by hand"
        if (known := schedules.get(session, asked.name)) is not None:
            recorded = enqueue_run(session, known.schedule, kind, now, limit, note=note)
        elif (trigger := triggers.get(session, asked.name)) is not None:
            schedule = schedule_for(session, trigger.condition)
            recorded = enqueue_run(session, schedule, kind, now, limit, trigger_name=asked.name, note=note)
        else:
            raise BadInputError(
                "no schedule or trigger of that name",
                where=asked.name,
                remedy="`ouroboros schedules` and `ouroboros triggers` list them.",
            )
        return f"{asked.name}: occurrence {recorded.occurrence_id} is {recorded.state.value}"

    def _pause(self, session: Session, asked: PauseArguments, now: datetime) -> str:
        heartbeat.set_paused(session, True, asked.note)
        return "paused: runs under way go on, nothing new starts"

    def _resume(self, session: Session, asked: NoArguments, now: datetime) -> str:
        heartbeat.set_paused(session, False, "")
        return "resumed"

    def _cancel(self, session: Session, asked: CancelArguments, now: datetime) -> str:
        done = []
        for execution_id, run in self._watch.runs.items():
            if asked.execution_id == execution_id or asked.schedule_name == run.execution.schedule_name:
                self._watch.cancel_occurrence(run.execution.occurrence_id)
                done.append(f"run {execution_id} is being stopped")
        if asked.schedule_name is not None:
            busy = queue.active(session, [asked.schedule_name]).get(asked.schedule_name)
            for occurrence_id in busy.queued if busy else ():
                queue.cancel(session, occurrence_id, "cancelled by hand", now)
                done.append(f"occurrence {occurrence_id} waits no more")
        if not done:
            raise BadInputError(
                "nothing of that name runs or waits", where=str(asked.schedule_name or asked.execution_id)
            )
        return "; ".join(done)

    def _stop_daemon(self, session: Session, asked: NoArguments, now: datetime) -> str:
        return "stopping: runs under way are asked to save and stop, and go on at the next start"
