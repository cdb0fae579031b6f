"""`ouroboros notify`: try the channels, see what waits to be sent."""

from datetime import UTC, datetime

import click
from rich.table import Table

from runner.commands.opening import opened
from runner.commands.tables import console
from runner.notify import compose
from runner.notify.channels import configured
from runner.store import outbox
from schemas.errors import MachineError, OuroborosError
from schemas.settings import get_config


@click.group()
def notify() -> None:
    """E-mail and other channels."""


@notify.command()
@click.option("--to", "addresses", multiple=True, help="Send to these addresses instead of the configured ones.")
def test(addresses: tuple[str, ...]) -> None:
    """Send a test message through every channel now, past the outbox, and say what each answered."""
    settings = get_config().notifications
    now = datetime.now(UTC)
    message = compose.test_message(addresses, settings, now)
    failures = []
    for channel in configured(settings):
        try:
            channel.deliver(message, now)
        except OuroborosError as error:
            failures.append(f"{channel.name}: {error}")
            click.echo(f"{channel.name}: failed. {error}")
        else:
            click.echo(f"{channel.name}: delivered to {', '.join(message.recipients) or 'nobody (no addresses)'}")
    if failures:
        raise MachineError(f"{len(failures)} of the channels failed", remedy="Correct the settings above.")


@notify.command()
def waiting() -> None:
    """What the outbox holds."""
    with opened() as (_, store), store.read() as session:
        counts = outbox.counts(session)
        pending = outbox.take_due(session, datetime.max.replace(tzinfo=UTC), 100)
    click.echo(f"{counts.pending} pending, {counts.digest} for the digest, {counts.sent} sent, {counts.failed} failed")
    table = Table("id", "message", "channel", "failed tries", "next try", "last error")
    for record in pending:
        message = record.message
        table.add_row(
            str(record.outbox_id),
            message.subject,
            message.channel,
            str(record.attempts),
            f"{record.not_before:%Y-%m-%d %H:%M}",
            record.last_error or "",
        )
    console.print(table)
