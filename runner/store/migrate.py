"""Brings the database to this version's revision: at every start, safely, and at next to no cost when it is there.

Alembic is imported only when there is something to do: the daemon stays small.
"""

from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from runner.store.engine import Store
from schemas.errors import DatabaseNewerError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0001"
"""The newest revision in `migrations/versions`; a test compares."""


@dataclass(frozen=True)
class Upgrade:
    """What `upgrade` found and did."""

    before: str | None
    """None: the database was empty or absent."""
    after: str
    backup: Path | None


def upgrade(store: Store, keep_backups: int, now: datetime) -> Upgrade:
    """Create or upgrade the database. Several processes may do this at once: one works, the others find it done.

    An existing SQLite database is copied to `NAME.backup-REVISION-TIME` beside it first; the newest `keep_backups`
    of these are kept. All revisions are applied in one transaction: whole or not at all.

    Raises:
        DatabaseNewerError: a newer version, or another program, wrote it; not a byte was changed.
        StateError: as `Store.write`, or no room for the backup; nothing was changed.
    """
    before = stored_revision(store)
    if before == HEAD:
        return Upgrade(before, HEAD, None)
    _refuse_unknown(store, before)
    store.create_file()
    with store.restructure() as connection:
        before = _revision(connection)  # again, under the lock: another process may have been quicker
        if before == HEAD:
            return Upgrade(before, HEAD, None)
        _refuse_unknown(store, before)
        backup = _backup(store, before, keep_backups, now) if before and store.path else None
        _apply(connection)
    return Upgrade(before, HEAD, backup)


def stored_revision(store: Store) -> str | None:
    """The revision that the database is at; None if it is absent or empty.

    Raises:
        DatabaseNewerError: it holds tables of another program.
        StateError: it cannot be read.
    """
    if store.path is not None and (not store.path.exists() or store.path.stat().st_size == 0):
        return None
    with store.look() as connection:
        return _revision(connection)


def alembic_config() -> "Config":
    """Alembic's configuration, built here: it works from an installed package and from any folder."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def drift(connection: Connection) -> list[str]:
    """How the database's tables differ from the code's, in Alembic's words; empty when they do not."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from runner.store.tables import Base

    context = MigrationContext.configure(connection, opts={"compare_server_default": True})
    return [f"the schema differs: {difference}" for difference in compare_metadata(context, Base.metadata)]


def _revision(connection: Connection) -> str | None:
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables:
        revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return revision
    if tables:
        raise DatabaseNewerError(
            f"the database holds tables of another program ({', '.join(sorted(tables)[:3])})",
            where=connection.engine.url.render_as_string(),
            remedy="Name another file in storage.database_url.",
        )
    return None


def _refuse_unknown(store: Store, revision: str | None) -> None:
    from alembic.script import ScriptDirectory

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
    from alembic import command

    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
