"""Commands that change definitions: schedules, triggers, mail that is to be tried again.

The command line changes them itself and leaves its row; whoever steers from a browser or by REST asks. So each change
has its row with who, when and what came of it. None of these needs a daemon: where none lives, whoever asks starts
`python -m runner.flow.definition_commands`, and need not load what changes definitions. A daemon that starts meanwhile
is no harm: each command is answered once, in the transaction of its effect.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from pydantic import ValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from runner import schedule_service
from runner.flow.command_arguments import (
    NamedArguments,
    NoArguments,
    ScheduleArguments,
    SwitchArguments,
    TriggerDefinitionArguments,
    Verb,
)
from runner.store import commands, outbox, schedules, triggers
from runner.store.commands import Command
from runner.store.engine import Store
from schemas.base import Frozen
from schemas.errors import BadInputError, OuroborosError, ScheduleError, StateError
from schemas.outside_text import REASON_LIMIT, error_line, line
from schemas.settings import describe, get_config
from schemas.times import wall_time

Handlers = Mapping[str, tuple[type[Frozen], Callable[..., str]]]
"""Verb -> the model of its arguments, and what is done (session, arguments, now); its answer is for whoever asked."""
_log = logging.getLogger("ouroboros.commands")
COMMANDS_AT_ONCE = 100


def handle_command(handlers: Handlers, session: Session, command: Command, now: datetime) -> tuple[bool, str]:
    """Whether it was done, and the answer. One that cannot be carried out, whatever is wrong with it, is answered so,
    and stops no other.

    Raises:
        StateError, OperationalError: of the database, not of this command.
    """
    try:
        with session.begin_nested():
            return _done(handlers, session, command, now)
    except (OperationalError, StateError):
        raise
    except Exception as error:  # noqa: BLE001 - anything else is answered, or it would be asked for ever
        _log.exception("The command %s", command.command_id)
        return False, f"it cannot be carried out: {error_line(error)}"


def _done(handlers: Handlers, session: Session, command: Command, now: datetime) -> tuple[bool, str]:
    if command.verb not in handlers:
        return False, f"unknown command {command.verb!r}; known: {', '.join(handlers)}"
    model, handler = handlers[command.verb]
    try:
        return True, handler(session, model.model_validate_json(command.arguments_json), now)
    except ValidationError as error:
        return False, line(f"bad arguments: {describe(error)}", REASON_LIMIT)
    except BadInputError as error:
        return False, line(str(error), REASON_LIMIT)


def _save_schedule(session: Session, asked: ScheduleArguments, now: datetime) -> str:
    coming = schedule_service.save_schedule(session, asked.schedule, now)
    if not asked.schedule.enabled:
        return f"saved {asked.schedule.name}; it is disabled"
    return f"saved {asked.schedule.name}; it fires next at {wall_time(coming[0], asked.schedule.timezone)}"


def _switch_schedule(session: Session, asked: SwitchArguments, now: datetime) -> str:
    record = schedules.get(session, asked.name)
    if record is None:
        raise _unknown("schedule", asked.name)
    schedule_service.save_schedule(session, record.schedule.model_copy(update={"enabled": asked.enabled}), now)
    return f"{asked.name} is {'enabled' if asked.enabled else 'disabled'}"


def _pause_schedule(session: Session, asked: NamedArguments, now: datetime) -> str:
    schedules.pause(session, asked.name, asked.note, now)
    return f"{asked.name} is paused"


def _unpause_schedule(session: Session, asked: NamedArguments, now: datetime) -> str:
    schedules.unpause(session, asked.name, now)
    return f"{asked.name} goes on"


def _remove_schedule(session: Session, asked: NamedArguments, now: datetime) -> str:
    schedule_service.remove_schedule(session, asked.name, now)
    return f"{asked.name} is removed, and what waited of it is cancelled; its history stays"


def _save_trigger(session: Session, asked: TriggerDefinitionArguments, now: datetime) -> str:
    """Whoever asked has checked the condition: one of the user's own is looked up by a process that may take long."""
    triggers.save(session, asked.trigger, now)
    return f"saved {asked.trigger.name}; it is looked at every {asked.trigger.check_interval_s:g} s"


def _switch_trigger(session: Session, asked: SwitchArguments, now: datetime) -> str:
    record = triggers.get(session, asked.name)
    if record is None:
        raise _unknown("trigger", asked.name)
    triggers.save(session, record.condition.model_copy(update={"enabled": asked.enabled}), now)
    return f"{asked.name} is {'enabled' if asked.enabled else 'disabled'}"


def _pause_trigger(session: Session, asked: NamedArguments, now: datetime) -> str:
    triggers.pause(session, asked.name, asked.note, now)
    return f"{asked.name} is paused"


def _unpause_trigger(session: Session, asked: NamedArguments, now: datetime) -> str:
    triggers.unpause(session, asked.name, now)
    return f"{asked.name} goes on"


def _remove_trigger(session: Session, asked: NamedArguments, now: datetime) -> str:
    if not triggers.remove(session, asked.name, now):
        raise _unknown("trigger", asked.name)
    return f"{asked.name} is removed; its history stays"


def _retry_mail(session: Session, _asked: NoArguments, now: datetime) -> str:
    again = outbox.retry_waiting(session, now) + outbox.retry_failed(session, now)
    return f"{again} {'message is' if again == 1 else 'messages are'} due again"


def _unknown(what: str, name: str) -> ScheduleError:
    return ScheduleError(f"no such {what}", where=name, remedy=f"`ouroboros {what}s` lists them.")


DEFINITION_HANDLERS: Handlers = {
    Verb.SAVE_SCHEDULE: (ScheduleArguments, _save_schedule),
    Verb.SWITCH_SCHEDULE: (SwitchArguments, _switch_schedule),
    Verb.PAUSE_SCHEDULE: (NamedArguments, _pause_schedule),
    Verb.UNPAUSE_SCHEDULE: (NamedArguments, _unpause_schedule),
    Verb.REMOVE_SCHEDULE: (NamedArguments, _remove_schedule),
    Verb.SAVE_TRIGGER: (TriggerDefinitionArguments, _save_trigger),
    Verb.SWITCH_TRIGGER: (SwitchArguments, _switch_trigger),
    Verb.PAUSE_TRIGGER: (NamedArguments, _pause_trigger),
    Verb.UNPAUSE_TRIGGER: (NamedArguments, _unpause_trigger),
    Verb.REMOVE_TRIGGER: (NamedArguments, _remove_trigger),
    Verb.RETRY_MAIL: (NoArguments, _retry_mail),
}
"""All of them."""


def main() -> int:
    """Answer the pending commands that change definitions; the others wait for the daemon."""
    settings = get_config()
    store = Store(settings.database_url, settings.storage.busy_timeout_s)
    now = datetime.now(UTC)
    try:
        with store.write() as session:
            for command in commands.pending(session, COMMANDS_AT_ONCE):
                if command.verb in DEFINITION_HANDLERS:
                    ok, answer = handle_command(DEFINITION_HANDLERS, session, command, now)
                    commands.answer(session, command.command_id, ok, answer, now)
    finally:
        store.close()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OuroborosError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
