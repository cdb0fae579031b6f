"""Open the state folder for a command that is not the daemon."""

from collections.abc import Iterator
from contextlib import contextmanager

from runner.store.engine import Store
from runner.store.migrate import stored_revision
from schemas.database import HEAD
from schemas.errors import StateError
from schemas.settings import Settings, get_config


@contextmanager
def opened() -> Iterator[tuple[Settings, Store]]:
    """Settings and the existing database, which a command never creates nor upgrades.

    Raises:
        StateError: there is no database, or it is of another version.
        SettingsError: the settings cannot be used.
    """
    settings = get_config()
    store = Store(settings.database_url, settings.storage.busy_timeout_s)
    try:
        revision = stored_revision(store)
        if revision is None:
            raise StateError(
                "nothing has run here yet",
                where=store.where,
                remedy="`ouroboros init` makes the database, `ouroboros up` starts the daemon as well; OUROBOROS_HOME"
                " names another state folder.",
            )
        if revision != HEAD:
            raise StateError(
                f"the database is at revision {revision}, this version needs {HEAD}",
                where=store.where,
                remedy="`ouroboros up` upgrades an older one, after a backup.",
            )
        yield settings, store
    finally:
        store.close()
