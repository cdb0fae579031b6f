"""`storage.database_url`: what can be used as a database at all, and where its file lies."""

import os
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from schemas.errors import SettingsError
from schemas.outside_text import NAME_LIMIT, line
from schemas.postgresql import SECRETS

SERVER_DRIVER = "postgresql+psycopg"
_PATH_BYTES = 504
"""SQLITE_MAX_PATHNAME of the unix file system layer, 512, less the `-journal` that is appended."""


def checked_url(url: str) -> URL:
    """The URL, parsed.

    Raises:
        SettingsError: it is none, one of SQLite that names no file, or one of a server with a password in it.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # a port that is no number
        raise SettingsError(f"no database URL: {error}", where="storage.database_url") from error
    if parsed.get_backend_name() == "sqlite" and (parsed.query or parsed.database in {None, "", ":memory:"}):
        raise SettingsError(
            "SQLite is used as a file, without options in the URL",
            where="storage.database_url",
            remedy="Write sqlite:////absolute/path/automation_tracking.db (`?` in a name as %3F, `%` as %25).",
        )
    return parsed if parsed.get_backend_name() == "sqlite" else _checked_server(parsed)


def _checked_server(url: URL) -> URL:
    if url.get_backend_name() != "postgresql":
        raise SettingsError(
            f"{url.get_backend_name()} is not supported",
            where="storage.database_url",
            remedy="Use SQLite, or PostgreSQL: postgresql+psycopg://USER@HOST/DATABASE.",
        )
    if url.password is not None or SECRETS & url.query.keys():
        raise SettingsError(
            "a password does not belong into the settings, which are printed and copied into every run's folder",
            where="storage.database_url",
            remedy="Leave it out of the URL; PGPASSWORD or ~/.pgpass (HOST:PORT:DATABASE:USER:PASSWORD) holds it.",
        )
    if not url.database:
        raise SettingsError(
            "the URL names no database",
            where="storage.database_url",
            remedy="Write postgresql+psycopg://USER@HOST/DATABASE.",
        )
    return url.set(drivername=SERVER_DRIVER)


def server_parameters(url: URL) -> dict[str, Any]:
    """A server's URL as libpq's parameters."""
    return dict(url.translate_connect_args(username="user", database="dbname")) | dict(url.query)


def file_of(url: URL) -> Path | None:
    """The SQLite file of a URL; None: it is a server's.

    Raises:
        SettingsError: its path is longer than SQLite can take.
    """
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    path = Path(url.database).absolute()
    length = len(os.fsencode(path))
    if length > _PATH_BYTES:
        raise SettingsError(
            f"the path of the database has {length} bytes, and SQLite takes at most {_PATH_BYTES}",
            where=line(str(path), NAME_LIMIT),
            remedy="Move the state folder up (OUROBOROS_HOME), or set storage.database_url to a shorter path.",
        )
    return path
