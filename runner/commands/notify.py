"""`ouroboros notify`: try the channels, see what waits to be sent."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from runner import leader
from runner.commands.client import open_store
from runner.commands.output import Column, console, emit, formatted, listing, say
from runner.notify import messages
from runner.notify.channels import Channel, configured
from runner.store import outbox
from runner.store.outbox import OutboxRecord
from runner.store.states import OutboxState
from schemas.errors import MachineError, OuroborosError, SettingsError
from schemas.message import EMAIL_CHANNEL, Message
from schemas.notification import NotificationSettings
from schemas.settings import get_config
from schemas.times import to_text

_WAITING_COLUMNS = (
    Column("id", whole=True),
    Column("message"),
    Column("to", wide_only=True),
    Column("failed tries"),
    Column("next try", wide_only=True),
)
_SHOWN = 100


@click.group()
def notify() -> None:
    """E-mail and other channels.

    Example: ouroboros notify test
    """


@notify.command()
@click.option("--to", "addresses", multiple=True, help="Send to these addresses instead of the configured ones.")
def test(addresses: tuple[str, ...]) -> None:
    """Send a test message through every channel now, past the outbox, and say what each answered.

    Example: ouroboros notify test --to me@example.com
    """
    settings = get_config().notifications
    now = datetime.now(UTC)
    message = messages.test_message(addresses, settings, now)
    deliveries = _deliveries(message, settings)
    failed = 0
    for channel, each in deliveries:
        place = f"{channel.name}, {each.recipients[0]}" if channel.name == EMAIL_CHANNEL else channel.name
        try:
            channel.deliver(each, now)
        except OuroborosError as error:
            failed += 1
            click.echo(f"{place}: failed. {error}")
        else:
            click.echo(f"{place}: delivered")
    if failed:
        raise MachineError(f"{failed} of {len(deliveries)} deliveries failed", remedy="Correct the settings above.")


def _deliveries(message: Message, settings: NotificationSettings) -> list[tuple[Channel, Message]]:
    """What is delivered through which channel, as the outbox would have it; never nothing."""
    channels = configured(settings)
    if not settings.smtp.host:
        channels = [channel for channel in channels if channel.name != EMAIL_CHANNEL or message.recipients]
        if not any(channel.name != EMAIL_CHANNEL for channel in channels):
            raise SettingsError(
                "no mail server is set, and no other channel",
                where="notifications.smtp.host",
                remedy="Set it, with notifications.emails, or notifications.channel_urls_file.",
            )
    elif not message.recipients:
        raise SettingsError(
            "a mail server is set, but nobody to write to", where="notifications.emails", remedy="Set it, or give --to."
        )
    found: list[tuple[Channel, Message]] = []
    for channel in channels:
        found += [(channel, each) for each in (message.by_address() if channel.name == EMAIL_CHANNEL else [message])]
    return found


@notify.command()
@formatted
def waiting(as_json: bool) -> None:
    """What the outbox holds: what waits and what was given up, each with the reason and the setting to change.

    Example: ouroboros notify waiting
    """
    with open_store() as (_, store), store.read() as session:
        counts = outbox.counts(session)
        pending = outbox.take_due(session, datetime.max.replace(tzinfo=UTC), _SHOWN)
        failed = outbox.failed(session, _SHOWN)
    if as_json:
        emit({**asdict(counts), "messages": [_as_dictionary(record) for record in [*pending, *failed]]})
        return
    click.echo(f"{counts.pending} pending, {counts.digest} for the digest, {counts.sent} sent, {counts.failed} failed")
    records = [*pending, *failed]
    if records:
        console.print(listing(_WAITING_COLUMNS, map(_row, records)))
    reasons = list(dict.fromkeys(record.last_error for record in records if record.last_error))
    for reason in reasons:
        say(reason)
    if reasons:
        click.echo("Once that is mended, `ouroboros notify retry` tries them all at once.")


def _as_dictionary(record: OutboxRecord) -> dict[str, Any]:
    return {
        "id": record.outbox_id,
        "subject": record.message.subject,
        "channel": record.message.channel,
        "recipients": record.message.recipients,
        "state": record.state.value,
        "attempts": record.attempts,
        "not_before": to_text(record.not_before),
        "last_error": record.last_error,
    }


def _row(record: OutboxRecord) -> list[str]:
    pending = record.state is OutboxState.PENDING
    return [
        str(record.outbox_id),
        record.message.subject,
        ", ".join(record.message.recipients) if record.message.channel == EMAIL_CHANNEL else record.message.channel,
        str(record.attempts),
        f"{record.not_before:%Y-%m-%d %H:%M:%S} UTC" if pending else "given up",
    ]


@notify.command()
def retry() -> None:
    """Try again now what could not be delivered, also what was given up: once the settings are mended.

    Example: ouroboros notify retry
    """
    now = datetime.now(UTC)
    with open_store() as (settings, store), store.write() as session:
        again = outbox.retry_waiting(session, now) + outbox.retry_failed(session, now)
        alive = leader.daemon_is_running(settings.home, store)
    if not again:
        click.echo("Nothing waits that could not be delivered.")
        return
    by = "the daemon sends" if alive else "`ouroboros up` sends"
    click.echo(f"{again} {'message is' if again == 1 else 'messages are'} due again; {by} them now.")
    if alive:
        click.echo("It reads changed settings at SIGHUP (`systemctl reload ouroboros`) or at its next start.")
