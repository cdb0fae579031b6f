"""`ouroboros triggers`: list, show, add or edit, pause, remove."""

from datetime import UTC, datetime
from pathlib import Path

import click

from runner import schedule_service, status
from runner.commands.client import note_change, open_store, read_definition
from runner.commands.completion import names
from runner.commands.output import Column, console, emit, formatted, listing, soon
from runner.flow.command_arguments import NamedArguments, TriggerDefinitionArguments, Verb
from runner.store import triggers as rows
from runner.store.triggers import TriggerRecord
from schemas.automation import TriggerCondition
from schemas.errors import ScheduleError
from schemas.outside_text import REASON_LIMIT, line


@click.group(invoke_without_command=True)
@formatted
@click.pass_context
def triggers(context: click.Context, as_json: bool) -> None:
    """List the triggers; the subcommands change them.

    Example: ouroboros triggers
    """
    if context.invoked_subcommand is None:
        context.invoke(list_all, as_json=as_json)


@triggers.command("list")
@formatted
def list_all(as_json: bool) -> None:
    """List the triggers with what their last look found.

    Example: ouroboros triggers list --format json
    """
    now = datetime.now(UTC)
    with open_store() as (_, store), store.read() as session:
        records, unreadable = rows.look_up(session)
    if as_json:
        bad = [{"name": item.name, "enabled": item.enabled, "problem": item.problem} for item in unreadable]
        emit([*(status.trigger_as_dictionary(item) for item in records), *bad])
        return
    broken = [[item.name, "", "unreadable", "", "", "", item.problem] for item in unreadable]
    console.print(listing(_COLUMNS, [*(_row(item, now) for item in records), *broken]))


@triggers.command()
@click.argument("name", shell_complete=names)
def show(name: str) -> None:
    """Print a trigger as JSON: edit it and hand it to `add`.

    Example: ouroboros triggers show high_data_availability > trigger.json
    """
    with open_store() as (_, store), store.read() as session:
        record = rows.get(session, name)
    if record is None:
        raise ScheduleError("no such trigger", where=name, remedy="`ouroboros triggers` lists them.")
    click.echo(record.condition.model_dump_json(indent=2))


@triggers.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
def add(file: Path) -> None:
    """Save the trigger in FILE (JSON; `-` reads standard input); one of that name is replaced.

    Example: ouroboros triggers add trigger.json
    """
    trigger = read_definition(TriggerCondition, file, "trigger")
    now, asked = datetime.now(UTC), TriggerDefinitionArguments(trigger=trigger)
    with open_store() as (_, store), schedule_service.saving_trigger(store, trigger, now) as session:
        note_change(session, Verb.SAVE_TRIGGER, asked, "saved in a terminal", now)
    click.echo(f"Saved {trigger.name}; it is looked at every {trigger.check_interval_s:g} s.")


@triggers.command()
@click.argument("name", shell_complete=names)
@click.option("--note", default="", help="Why; shown by `triggers`.")
def pause(name: str, note: str) -> None:
    """Do not look at it until `unpause`.

    Example: ouroboros triggers pause high_data_availability
    """
    now, why = datetime.now(UTC), line(note, REASON_LIMIT)
    with open_store() as (_, store), store.write() as session:
        rows.pause(session, name, why, now)
        note_change(session, Verb.PAUSE_TRIGGER, NamedArguments(name=name, note=why), "paused in a terminal", now)
    click.echo(f"{name} is paused.")


@triggers.command()
@click.argument("name", shell_complete=names)
def unpause(name: str) -> None:
    """End a trigger's pause.

    Example: ouroboros triggers unpause high_data_availability
    """
    now = datetime.now(UTC)
    with open_store() as (_, store), store.write() as session:
        rows.unpause(session, name, now)
        note_change(session, Verb.UNPAUSE_TRIGGER, NamedArguments(name=name), "goes on, from a terminal", now)
    click.echo(f"{name} goes on.")


@triggers.command()
@click.argument("name", shell_complete=names)
def remove(name: str) -> None:
    """Take a trigger out of service; its history stays.

    Example: ouroboros triggers remove high_data_availability
    """
    now = datetime.now(UTC)
    with open_store() as (_, store), store.write() as session:
        if not rows.remove(session, name, now):
            raise ScheduleError("no such trigger", where=name, remedy="`ouroboros triggers` lists them.")
        note_change(session, Verb.REMOVE_TRIGGER, NamedArguments(name=name), "removed in a terminal", now)
    click.echo(f"{name} is removed; its history stays.")


_COLUMNS = (
    Column("trigger", whole=True),
    Column("type", wide_only=True),
    Column("condition", wide_only=True),
    Column("cooldown", wide_only=True),
    Column("last fired"),
    Column("last look", wide_only=True),
    Column("found"),
)


def _row(item: TriggerRecord, now: datetime) -> list[str]:
    note = f"paused: {item.paused_note}. " if item.paused_note is not None else "" if item.enabled else "disabled. "
    condition = item.condition
    return [
        item.name,
        condition.trigger_type.value,
        condition.condition_function,
        f"{condition.cooldown_hours:g} h",
        soon(item.last_triggered, now),
        soon(item.last_checked, now),
        f"{note}{line(item.last_verdict)}",
    ]
