"""`ouroboros history`: the executions, newest first."""

import json
from datetime import UTC, datetime

import click

from runner.commands.formats import formatted
from runner.commands.opening import opened
from runner.commands.tables import console, executions
from runner.overview import execution_as_dictionary
from runner.store import history as rows


@click.command()
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 100_000), help="How many.")
@click.option("--schedule", "schedule_name", help="Only the runs of this schedule.")
@formatted
def history(limit: int, schedule_name: str | None, as_json: bool) -> None:
    """List the latest executions, newest first; as JSON, one a line.

    Example: ouroboros history -n 50 --schedule nightly
    """
    with opened() as (_, store), store.read() as session:
        records = rows.recent(session, limit, schedule_name)
    if as_json:
        for record in records:
            click.echo(json.dumps(execution_as_dictionary(record)))
        return
    console.print(executions(records, datetime.now(UTC)))
