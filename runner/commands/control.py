"""`ouroboros trigger | pause | resume | cancel | stop`: ask the daemon, by way of its database."""

import click

from runner.commands.client import open_store, send_command
from runner.commands.completion import names
from runner.flow.command_arguments import CancelArguments, NoArguments, PauseArguments, TriggerArguments, Verb
from runner.store import schedules, triggers
from schemas.errors import BadInputError, ScheduleError
from schemas.outside_text import NAME_LIMIT, line

_MOST_DIGITS = 18
"""Of a run's number: the database holds no longer one."""


@click.command()
@click.argument("name", shell_complete=names)
@click.option("--note", default="", help="Why; kept with the run.")
@click.option("--emergency", is_flag=True, help="Ahead of all others, and outside the allowed hours too.")
def trigger(name: str, note: str, emergency: bool) -> None:
    """Run the schedule or trigger NAME now.

    Example: ouroboros trigger nightly --note "after the merge"
    """
    _check_name(name)
    send_command(Verb.TRIGGER, TriggerArguments(name=name, note=note, emergency=emergency))


@click.command()
@click.option("--note", default="", help="Why; shown by `status` and `why`.")
def pause(note: str) -> None:
    """Start nothing new until `resume`; runs under way go on.

    Example: ouroboros pause --note "the machine is needed"
    """
    send_command(Verb.PAUSE, PauseArguments(note=note))


@click.command()
def resume() -> None:
    """End a pause.

    Example: ouroboros resume
    """
    send_command(Verb.RESUME, NoArguments())


@click.command()
@click.argument("what", shell_complete=names)
def cancel(what: str) -> None:
    """End a run: WHAT is a run's number, or a schedule's name (then what waits is cancelled too).

    Example: ouroboros cancel 17
    """
    if what.isascii() and what.isdigit():
        send_command(Verb.CANCEL, CancelArguments(execution_id=_run_number(what)), needs_daemon=True)
    else:
        send_command(Verb.CANCEL, CancelArguments(schedule_name=what), needs_daemon=True)


@click.command()
def stop() -> None:
    """Stop the daemon in good order: runs save their work and go on at the next start.

    Example: ouroboros stop
    """
    send_command(Verb.STOP, NoArguments(), needs_daemon=True)


def _run_number(digits: str) -> int:
    number = int(digits) if len(digits) <= _MOST_DIGITS else 0
    if number < 1:
        raise BadInputError(
            "no run has this number", where=line(digits, NAME_LIMIT), remedy="`ouroboros history` lists them."
        )
    return number


def _check_name(name: str) -> None:
    """Whoever types a name wrong learns it now, also where no daemon runs that would look it up."""
    with open_store() as (_, store), store.read() as session:
        known = schedules.get(session, name) is not None or triggers.get(session, name) is not None
    if not known:
        raise ScheduleError(
            "no schedule or trigger of that name",
            where=name,
            remedy="`ouroboros schedules` and `ouroboros triggers` list them.",
        )
