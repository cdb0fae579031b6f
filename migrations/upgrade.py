"""Brings the database to this version's revision, safely: one transaction, a backup before, newer ones refused. And
says whether its tables are those of the code."""

from collections.abc import Callable
from datetime import datetime
from glob import escape
from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData

from migrations.rebuild import REBUILT, TO, rebuild
from pipeline.ladder.tables import metadata as ladder
from pipeline.registry.tables import metadata as registry
from runner.store.engine import Store
from runner.store.migrate import revision_of, stored_revision
from runner.store.tables import Base
from schemas.database import HEAD, UpgradeProgress, UpgradeReport, sqlite_url
from schemas.errors import DatabaseNewerError

CODE = (Base.metadata, registry, ladder)
"""All tables of the database, by the package that owns them."""


def upgrade(
    store: Store, keep_backups: int, now: datetime, progress: Callable[[UpgradeProgress], None] = lambda _told: None
) -> UpgradeReport:
    """Create or upgrade the database. Several processes may do this at once: one works, the others find it done.

    An existing SQLite database is kept as `NAME.backup-REVISION-TIME` beside the new one; the newest `keep_backups`
    of these are kept. What `rebuild.REBUILT` names is moved into a new file, which `progress` is told of and which a
    kill only delays; all other revisions are applied in one transaction: whole or not at all.

    Raises:
        DatabaseNewerError: a newer version, or another program, wrote it; not a byte was changed.
        StateError: as `Store.write`, or no room for the backup; nothing was changed.
    """
    before = stored_revision(store)
    if before == HEAD:
        return UpgradeReport(before=before, after=HEAD)
    _refuse_unknown(store, before)
    found, backup = before, None
    if before in REBUILT and store.path is not None:
        backup = _rebuild(store, before, keep_backups, now, progress)
        if stored_revision(store) == HEAD:
            return UpgradeReport(before=before if backup else HEAD, after=HEAD, backup=backup)
    store.create_file()
    with store.migration_transaction() as connection:
        before = revision_of(connection, store.where)  # again, under the lock: another process may have been quicker
        if before == HEAD:
            return UpgradeReport(before=before, after=HEAD)
        _refuse_unknown(store, before)
        if backup is None:
            found = before
            backup = _backup(store, before, keep_backups, now) if before and store.path else None
        _apply(connection)
    return UpgradeReport(before=found, after=HEAD, backup=backup)


def alembic_config() -> Config:
    """Alembic's configuration, built here: it works from an installed package and from any folder."""
    config = Config()
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _refuse_unknown(store: Store, revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseNewerError(
            f"the database is at revision {revision}, which this version (at {HEAD}) does not know",
            where=store.where,
            remedy="Install the newer version again, or put back the backup that it made when it upgraded.",
        )


def _rebuild(
    store: Store, revision: str, keep: int, now: datetime, progress: Callable[[UpgradeProgress], None]
) -> Path | None:
    """The old file's new name; None: another process was quicker."""
    backup = _backup_name(store, revision, now)
    store.close()
    if not rebuild(store, _make_empty, backup, progress):
        return None
    _keep_newest(store, keep)
    return backup


def _make_empty(path: Path) -> None:
    new = Store(sqlite_url(path), 5)
    try:
        new.create_file()
        with new.migration_transaction() as connection:
            _apply(connection, TO)
        new.checkpoint()
    finally:
        new.close()


def _backup_name(store: Store, revision: str, now: datetime) -> Path:
    assert store.path is not None
    return store.path.with_name(f"{store.path.name}.backup-{revision}-{now:%Y%m%dT%H%M%S.%fZ}")


def _backup(store: Store, revision: str, keep: int, now: datetime) -> Path:
    assert store.path is not None
    for torn in store.path.parent.glob(f".{escape(store.path.name)}.backup-*.tmp"):
        torn.unlink()  # left by an upgrade that was killed: we hold the lock, so nobody writes it now
    target = _backup_name(store, revision, now)
    store.copy_to(target)
    _keep_newest(store, keep)
    return target


def _keep_newest(store: Store, keep: int) -> None:
    assert store.path is not None
    copies = store.path.parent.glob(f"{escape(store.path.name)}.backup-*")
    kept = sorted(copies, key=lambda path: path.name.rsplit("-", 1)[-1], reverse=True)
    for old in kept[keep:]:
        old.unlink()


def _apply(connection: Connection, revision: str = HEAD) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def drift(connection: Connection) -> list[str]:
    """How the database's tables differ from the code's, in Alembic's words; empty when they do not."""
    context = MigrationContext.configure(connection, opts={"compare_server_default": True})
    return [f"the schema differs: {difference}" for difference in compare_metadata(context, _together())]


def _together() -> MetaData:
    together = MetaData()
    for metadata in CODE:
        for table in metadata.sorted_tables:
            table.to_metadata(together)
    return together
