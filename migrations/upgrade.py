"""Brings the database to this version's revision, safely: one transaction, a backup before, newer ones refused."""

from datetime import datetime
from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from runner.store.engine import Store
from runner.store.migrate import revision_of, stored_revision
from schemas.database import HEAD, UpgradeReport
from schemas.errors import DatabaseNewerError


def upgrade(store: Store, keep_backups: int, now: datetime) -> UpgradeReport:
    """Create or upgrade the database. Several processes may do this at once: one works, the others find it done.

    An existing SQLite database is copied to `NAME.backup-REVISION-TIME` beside it first; the newest `keep_backups`
    of these are kept. All revisions are applied in one transaction: whole or not at all.

    Raises:
        DatabaseNewerError: a newer version, or another program, wrote it; not a byte was changed.
        StateError: as `Store.write`, or no room for the backup; nothing was changed.
    """
    before = stored_revision(store)
    if before == HEAD:
        return UpgradeReport(before=before, after=HEAD)
    _refuse_unknown(store, before)
    store.create_file()
    with store.restructure() as connection:
        before = revision_of(connection, store.where)  # again, under the lock: another process may have been quicker
        if before == HEAD:
            return UpgradeReport(before=before, after=HEAD)
        _refuse_unknown(store, before)
        backup = _backup(store, before, keep_backups, now) if before and store.path else None
        _apply(connection)
    return UpgradeReport(before=before, after=HEAD, backup=backup)


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


def _backup(store: Store, revision: str, keep: int, now: datetime) -> Path:
    assert store.path is not None
    stem = f"{store.path.name}.backup-"
    for torn in store.path.parent.glob(f".{stem}*.tmp"):
        torn.unlink()  # left by an upgrade that was killed: we hold the lock, so nobody writes it now
    target = store.path.with_name(f"{stem}{revision}-{now:%Y%m%dT%H%M%S.%fZ}")
    store.copy_to(target)
    kept = sorted(store.path.parent.glob(f"{stem}*"), key=lambda path: path.name.rsplit("-", 1)[-1], reverse=True)
    for old in kept[keep:]:
        old.unlink()
    return target


def _apply(connection: Connection) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
