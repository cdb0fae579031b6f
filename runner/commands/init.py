"""`ouroboros init`: the state folder and its database, before there is a daemon."""

from datetime import UTC, datetime

import click

from runner.state_folder import prepare
from runner.store import schedules
from runner.store.engine import Store
from schemas.settings import get_config


@click.command()
def init() -> None:
    """Make the state folder and its database, so that schedules and triggers can be added before the first `up`.

    Harmless where they are there already. The default schedules come with the first `up`, unless a schedule was added
    before it: then yours stand alone, and no run is started by itself.

    Example: ouroboros init
    """
    settings = get_config()
    store = Store(settings.database_url, settings.storage.busy_timeout_s)
    try:
        report = prepare(settings, store, datetime.now(UTC))
        with store.read() as session:
            known = schedules.count_active(session)
    finally:
        store.close()
    if report.before == report.after:
        click.echo(f"{settings.home.absolute()} is ready already: {known} schedules in {store.where}.")
        return
    done = "Made" if report.before is None else f"Upgraded from {report.before} (backup: {report.backup}):"
    click.echo(f"{done} {settings.home.absolute()}, history in {store.where}.")
    click.echo("Next: `ouroboros schedules add`, then `ouroboros up`.")
