"""Sees to it that the database is at this version's revision: a look at it, and a child process if it is not.

What upgrades takes memory that a daemon would hold for the rest of its life, so `python -m migrations` does it.
"""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, inspect, text

from runner.store.engine import Store
from schemas.database import HEAD, UpgradeProgress, UpgradeReport, upgrade_progress, upgrade_report
from schemas.errors import DatabaseNewerError
from schemas.times import to_text


def upgrade(
    store: Store, keep_backups: int, now: datetime, progress: Callable[[UpgradeProgress], None] = lambda _told: None
) -> UpgradeReport:
    """Create or upgrade the database, as `migrations.upgrade` does. At next to no cost where nothing is to do.

    Args:
        progress: told before a large database is moved (`sentence`: how long, how much disk), and every second or so
            while that goes on: whoever waits for a start extends its patience.

    Raises:
        DatabaseNewerError: a newer version, or another program, wrote it; not a byte was changed.
        StateError: as `Store.write`, or no room for the backup, or the child was ended; nothing was changed.
    """
    before = stored_revision(store)
    if before == HEAD:
        return UpgradeReport(before=before, after=HEAD)
    return _child(store, f"--keep-backups={keep_backups}", f"--now={to_text(now)}", progress=progress)


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


def _child(
    store: Store, *options: str, progress: Callable[[UpgradeProgress], None] = lambda _told: None
) -> UpgradeReport:
    # -P: a folder `migrations` where the daemon happens to stand is not ours.
    command = [sys.executable, "-P", "-m", "migrations", "-", f"--busy-timeout-s={store.busy_timeout_s}", *options]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True) as child,
    ):
        assert child.stdin is not None
        assert child.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it ended before it was asked: its exit code tells
            child.stdin.write(store.url.render_as_string(hide_password=False) + "\n")
            child.stdin.close()
        last = ""
        for line in child.stdout:
            last = line
            told = upgrade_progress(line)
            if told is not None:
                progress(told)
        child.wait()
        errors.seek(0)
        return upgrade_report(last, errors.read(), child.returncode, store.where)
