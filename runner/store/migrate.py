"""Sees to it that the database is at this version's revision: a look at it, and a child process if it is not.

What upgrades takes memory that a daemon would hold for the rest of its life, so `python -m migrations` does it.
"""

import subprocess
import sys
from datetime import datetime

from sqlalchemy import Connection, inspect, text

from runner.store.engine import Store
from schemas.database import HEAD, UpgradeReport, upgrade_report
from schemas.errors import DatabaseNewerError
from schemas.instants import to_text


def upgrade(store: Store, keep_backups: int, now: datetime) -> UpgradeReport:
    """Create or upgrade the database, as `migrations.upgrade` does. At next to no cost where nothing is to do.

    Raises:
        DatabaseNewerError: a newer version, or another program, wrote it; not a byte was changed.
        StateError: as `Store.write`, or no room for the backup, or the child was ended; nothing was changed.
    """
    before = stored_revision(store)
    if before == HEAD:
        return UpgradeReport(before=before, after=HEAD)
    return _child(store, f"--keep-backups={keep_backups}", f"--now={to_text(now)}")


def drift(store: Store) -> list[str]:
    """How the database's tables differ from the code's, in Alembic's words; empty when they do not.

    Raises:
        StateError: it cannot be read.
    """
    return _child(store, "--drift").drift


def stored_revision(store: Store) -> str | None:
    """The revision that the database is at; None if it is absent or empty.

    Raises:
        DatabaseNewerError: it holds tables of another program.
        StateError: it cannot be read.
    """
    if store.path is not None and (not store.path.exists() or store.path.stat().st_size == 0):
        return None
    with store.look() as connection:
        return revision_of(connection, store.where)


def revision_of(connection: Connection, where: str) -> str | None:
    """The revision that this transaction sees; None if there are no tables.

    Raises:
        DatabaseNewerError: there are tables of another program.
    """
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables:
        revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return revision
    if tables:
        raise DatabaseNewerError(
            f"the database holds tables of another program ({', '.join(sorted(tables)[:3])})",
            where=where,
            remedy="Name another file in storage.database_url.",
        )
    return None


def _child(store: Store, *options: str) -> UpgradeReport:
    # -P: a folder `migrations` where the daemon happens to stand is not ours.
    done = subprocess.run(
        [sys.executable, "-P", "-m", "migrations", "-", f"--busy-timeout-s={store.busy_timeout_s}", *options],
        input=store.url.render_as_string(hide_password=False) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    return upgrade_report(done.stdout, done.stderr, done.returncode, store.where)
