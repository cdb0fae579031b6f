"""`ouroboros init` and `ouroboros db`: make the state folder; check, backup, restore, move, export, prune."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from runner.clock import SystemClock
from runner.commands.client import open_store
from runner.flow.runtime import Runtime
from runner.maintenance import Maintenance
from runner.notify.dispatcher import Notifier
from runner.state_folder import held, held_target, prepare
from runner.store import administration, backup, move, schedules
from runner.store.administration import ExportFormat
from runner.store.engine import Store
from runner.store.migrate import stored_revision, upgrade
from schemas.database import way_back
from schemas.errors import DatabaseDamagedError, MachineError
from schemas.settings import get_config


@click.group("db")
def database() -> None:
    """Look after the database.

    Example: ouroboros db check
    """


@database.command()
def check() -> None:
    """Is it sound: structure, foreign keys, revision, and the rows' own logic.

    Example: ouroboros db check
    """
    with open_store() as (_, store):
        report = administration.check(store)
    for table, count in report.rows:
        click.echo(f"{table:16} {count:>12,} rows")
    click.echo(f"revision {report.revision}, {report.size_bytes / 1e6:,.1f} MB")
    if report.problems:
        raise DatabaseDamagedError(
            "; ".join(report.problems), where=store.where, remedy=way_back(store.path) if store.path else ""
        )
    click.echo("sound")


@database.command("backup")
@click.argument("target", type=click.Path(path_type=Path), required=False)
def copy(target: Path | None) -> None:
    """Copy the last committed state to TARGET (default: in the state folder), while the daemon goes on.

    Of PostgreSQL it is a dump where the name ends with .dump (the default where there is a pg_dump that is not older
    than the server), else an SQLite file; `ouroboros db restore` takes both.

    Example: ouroboros db backup /mnt/backups/history.db
    """
    with open_store() as (settings, store):
        now = datetime.now(UTC)
        if target is None:
            target = settings.home / f"automation_tracking.backup-{now:%Y%m%dT%H%M%SZ}{backup.suffix_of(store)}"
        click.echo(backup.checked_copy(store, target, now))


@database.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
def restore(file: Path | None) -> None:
    """Put the backup FILE (default: the newest sound one) in the database's place, and keep the old database; on
    PostgreSQL its tables go into a schema of their own, and FILE may be a dump or an SQLite file.

    A daemon must not run meanwhile. The next `ouroboros up` goes on from the backup's state, and upgrades it if an
    older version made it.

    Example: ouroboros db restore
    """
    settings, now = get_config(), datetime.now(UTC)
    store = Store(settings.database_url, settings.storage.busy_timeout_s)
    try:
        with held(settings, store, now):
            done = backup.restore(store, settings.home, file, now)
    finally:
        store.close()
    for line in done.passed_over:
        click.echo(f"passed over: {line}", err=True)
    click.echo(f"restored from {done.source}")
    if done.aside:
        click.echo(f"the old database is kept as {done.aside}")


@database.command("move")
@click.argument("to_url")
def move_history(to_url: str) -> None:
    """Copy the whole history into the database at TO_URL, compare the two, and say which setting to change.

    TO_URL is postgresql+psycopg://USER@HOST/DATABASE, or sqlite:////absolute/path for the way back; the target must be
    empty. A daemon must not run meanwhile. Ended in the middle, the same command goes on where it stood; the source is
    only read.

    Example: ouroboros db move postgresql+psycopg://ouroboros@db.example.org/ouroboros
    """
    settings, now = get_config(), datetime.now(UTC)
    storage = settings.storage
    source, target = (Store(url, storage.busy_timeout_s) for url in (settings.database_url, to_url))
    began_s = time.monotonic()
    try:
        with held(settings, source, now), held_target(settings, target, now):
            revision = stored_revision(target)
            move.refuse_unfit(source, target, revision)
            if revision is None:
                upgrade(target, storage.keep_backups, now)
            moved = move.move(source, target, _tell_piece)
    finally:
        source.close()
        target.close()
    for table in moved:
        click.echo(f"{table.name:20} {table.rows:>12,} rows  {table.sha256[:16]}")
    rows = sum(table.rows for table in moved)
    click.echo(f"{rows:,} rows are the same on both sides; {rows / (time.monotonic() - began_s):,.0f} rows/s in all")
    click.echo(f"Now set storage.database_url to {to_url}: {source.where} is left as it is, and no longer used then.")


def _tell_piece(table: str, rows: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{table:20} {rows:>12,} rows", nl=False, err=True)


@database.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--format", "kind", type=click.Choice([kind.value for kind in ExportFormat]), default="jsonl")
def export(folder: Path, kind: str) -> None:
    """Write every table into FOLDER, all from one moment.

    Example: ouroboros db export ~/history --format csv
    """
    with open_store() as (_, store):
        for path in administration.export(store, folder, ExportFormat(kind)):
            click.echo(path)


@database.command()
def prune() -> None:
    """Remove now what is older than the `storage.keep_*` settings allow, as the daemon does by itself once a day.

    Example: ouroboros db prune
    """
    with open_store() as (settings, store):
        clock = SystemClock()
        runtime = Runtime(settings, store, clock, Notifier([], settings.notifications))
        cleaned = Maintenance(runtime).clean_up(clock.now())
    games = f" and {cleaned.replays:,} kept games" if cleaned.replays else ""
    click.echo(f"{cleaned.rows:,} rows and {cleaned.run_folders:,} run folders{games} removed")
    if cleaned.unremovable:
        raise MachineError(
            f"{len(cleaned.unremovable)} run folders cannot be removed",
            where="; ".join(cleaned.unremovable[:3]),
            remedy="Run it as the user whom the daemon runs as.",
        )


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
