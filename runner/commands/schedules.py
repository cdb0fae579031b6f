"""`ouroboros schedules`: list, show, add or edit, pause, remove."""

from datetime import UTC, datetime
from pathlib import Path

import click
from pydantic import ValidationError

from runner import schedule_service, status
from runner.commands.client import note_change, open_store, read_definition
from runner.commands.completion import names
from runner.commands.output import SCHEDULE_COLUMNS, console, emit, formatted, listing, schedule_row, when
from runner.flow.command_arguments import NamedArguments, ScheduleArguments, Verb
from runner.schedule.describe import seconds_first_warning
from runner.store import schedules as rows
from schemas.automation import TrainingSchedule
from schemas.errors import BadInputError, ScheduleError
from schemas.outside_text import REASON_LIMIT, line, read_json
from schemas.settings import describe


@click.group(invoke_without_command=True)
@formatted
@click.pass_context
def schedules(context: click.Context, as_json: bool) -> None:
    """List the schedules; the subcommands change them.

    Example: ouroboros schedules
    """
    if context.invoked_subcommand is None:
        context.invoke(list_all, as_json=as_json)


@schedules.command("list")
@formatted
def list_all(as_json: bool) -> None:
    """List the schedules with their next fire.

    Example: ouroboros schedules list --format json
    """
    now = datetime.now(UTC)
    with open_store() as (_, store), store.read() as session:
        records = rows.list_active(session)
    if as_json:
        emit([status.schedule_as_dictionary(item) for item in records])
        return
    console.print(listing(SCHEDULE_COLUMNS, (schedule_row(item, now) for item in records)))


@schedules.command()
@click.argument("name", shell_complete=names)
def show(name: str) -> None:
    """Print a schedule as JSON: edit it and hand it to `add`.

    Example: ouroboros schedules show nightly > nightly.json
    """
    with open_store() as (_, store), store.read() as session:
        record = rows.get(session, name)
    if record is None:
        raise ScheduleError("no such schedule", where=name, remedy="`ouroboros schedules` lists them.")
    click.echo(record.schedule.model_dump_json(indent=2))


@schedules.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path), required=False)
@click.option("--name", help="Instead of a file: the schedule's name,")
@click.option("--cron", help="its cron line,")
@click.option("--set", "fields", multiple=True, metavar="FIELD=JSON", help="and any other field, e.g. priority=3.")
def add(file: Path | None, name: str | None, cron: str | None, fields: tuple[str, ...]) -> None:
    """Save the schedule in FILE (JSON; `-` reads standard input), or one given by options; prints its next five fires.

    A schedule of that name is replaced: what fell due of the old one and nobody looked at is recorded as missed. One
    that stands exactly so already is left alone.

    Example: ouroboros schedules add --name nightly --cron '0 2 * * *' --set priority=3
    """
    now = datetime.now(UTC)
    if file is not None and (name is not None or cron is not None or fields):
        raise BadInputError(
            "a file and options that would say something else", where=str(file), remedy="Give one of the two."
        )
    with open_store() as (_, store):
        schedule = (
            read_definition(TrainingSchedule, file, "schedule")
            if file is not None
            else _from_options(name, cron, fields)
        )
        with store.write() as session:
            coming = schedule_service.save_schedule(session, schedule, now)
            note_change(session, Verb.SAVE_SCHEDULE, ScheduleArguments(schedule=schedule), "saved in a terminal", now)
    if warning := seconds_first_warning(schedule.cron_expression, schedule.timezone, schedule.name):
        click.echo(warning)
    if not schedule.enabled:
        click.echo(f"Saved {schedule.name}. It is disabled: it does not fire.")
        return
    click.echo(f"Saved {schedule.name}. It fires next at:")
    for instant in coming:
        click.echo(f"  {when(instant, now, schedule.timezone)}")


@schedules.command()
@click.argument("name", shell_complete=names)
@click.option("--note", default="", help="Why; it stands in the row of every occurrence missed meanwhile.")
def pause(name: str, note: str) -> None:
    """What falls due is recorded as missed, and what waits goes on waiting, until `unpause`.

    A run asked for by hand (`ouroboros trigger`) starts all the same.

    Example: ouroboros schedules pause nightly --note "until the disk is changed"
    """
    now, why = datetime.now(UTC), line(note, REASON_LIMIT)
    with open_store() as (_, store), store.write() as session:
        rows.pause(session, name, why, now)
        asked = NamedArguments(name=name, note=why)
        note_change(session, Verb.PAUSE_SCHEDULE, asked, "paused in a terminal", now)
    click.echo(f"{name} is paused.")


@schedules.command()
@click.argument("name", shell_complete=names)
def unpause(name: str) -> None:
    """End a schedule's pause.

    Example: ouroboros schedules unpause nightly
    """
    now = datetime.now(UTC)
    with open_store() as (_, store), store.write() as session:
        rows.unpause(session, name, now)
        note_change(session, Verb.UNPAUSE_SCHEDULE, NamedArguments(name=name), "goes on, from a terminal", now)
    click.echo(f"{name} goes on.")


@schedules.command()
@click.argument("name", shell_complete=names)
def remove(name: str) -> None:
    """Take a schedule out of service; its history stays.

    Example: ouroboros schedules remove nightly
    """
    now = datetime.now(UTC)
    with open_store() as (_, store), store.write() as session:
        schedule_service.remove_schedule(session, name, now)
        note_change(session, Verb.REMOVE_SCHEDULE, NamedArguments(name=name), "removed in a terminal", now)
    click.echo(f"{name} is removed, and what waited of it is cancelled; its history stays.")


def _from_options(name: str | None, cron: str | None, fields: tuple[str, ...]) -> TrainingSchedule:
    if name is None or cron is None:
        raise ScheduleError("neither a file nor --name and --cron", remedy="See `ouroboros schedules add --help`.")
    given: dict[str, object] = {"name": name, "cron_expression": cron}
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals:
            raise ScheduleError("no FIELD=JSON", where=f"--set {field}", remedy="Write for instance priority=3.")
        try:
            given[key] = read_json(value)
        except ValueError:
            given[key] = value  # a bare word is a text
    try:
        return TrainingSchedule.model_validate(given)
    except ValidationError as error:
        raise ScheduleError(f"not a schedule: {describe(error)}", where=name) from error
