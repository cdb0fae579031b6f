"""What a command reaches beside the daemon: the same database, the answer to what it asks there, a file that it was
given."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click
from pydantic import ValidationError
from sqlalchemy.orm import Session

from runner import leader
from runner.flow.command_arguments import Verb
from runner.store import commands
from runner.store.engine import Store
from runner.store.migrate import stored_revision
from schemas.base import Frozen
from schemas.database import HEAD
from schemas.errors import BadInputError, ScheduleError, StateError
from schemas.person import user_name
from schemas.settings import Settings, describe, get_config

_Definition = TypeVar("_Definition", bound=Frozen)
ANSWER_WAIT_S = 15.0
POLL_S = 0.1
_MOST_BYTES = 1_000_000
"""Of a definition's file."""


@contextmanager
def open_store() -> Iterator[tuple[Settings, Store]]:
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


def send_command(verb: Verb, arguments: Frozen, *, needs_daemon: bool = False) -> None:
    """Enqueue a command and print its answer; without a daemon it waits in the database for the next start.

    Raises:
        StateError: no daemon lives and the command is for a living one, or it did not answer in time.
        BadInputError: the daemon refused it.
    """
    with open_store() as (settings, store):
        alive = leader.daemon_is_running(settings.home, store)
        if needs_daemon and not alive:
            raise StateError("no daemon is running", where=str(settings.home), remedy="`ouroboros up` starts one.")
        with store.write() as session:
            number = commands.enqueue(session, verb.value, arguments, _who(), datetime.now(UTC))
        if not alive:
            click.echo("No daemon is running: it will be done when `ouroboros up` starts one.")
            return
        deadline_s = time.monotonic() + ANSWER_WAIT_S
        while time.monotonic() < deadline_s:
            with store.read() as session:
                command = commands.get(session, number)
            if command is not None and command.handled_at is not None:
                _tell(command)
                return
            time.sleep(POLL_S)
    raise StateError(
        f"the daemon has not answered within {ANSWER_WAIT_S:.0f} s",
        where=f"command {number}",
        remedy="It stays in the queue; `ouroboros status` and the log tell what the daemon does.",
    )


def note_change(session: Session, verb: Verb, arguments: Frozen, words: str, now: datetime) -> None:
    """Leave a row that says who changed a definition here, in the transaction of the change."""
    commands.note_done(session, verb.value, arguments, _who(), words, now)


def _tell(command: commands.Command) -> None:
    if not command.ok:
        raise BadInputError(command.answer or "refused", where=f"command {command.command_id}")
    click.echo(command.answer)


def _who() -> str:
    return f"{user_name()}@{socket.gethostname()} (process {os.getpid()})"


def read_definition(model: type[_Definition], file: Path, what: str) -> _Definition:
    """The schedule or trigger (`what`) that a JSON file describes; `-` is standard input.

    Raises:
        ScheduleError: it cannot be read, is not UTF-8, or is none.
    """
    text = _text_of(file)
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise ScheduleError(f"not a {what}: {describe(error)}", where=str(file)) from error


def _text_of(file: Path) -> str:
    try:
        with click.open_file(str(file), "rb") as handle:
            data = bytes(handle.read(_MOST_BYTES + 1))
        if len(data) > _MOST_BYTES:
            raise ScheduleError(f"the file is larger than {_MOST_BYTES:,} bytes", where=str(file))
        return data.decode("utf-8-sig")  # some editors put a mark before the text
    except OSError as error:
        raise ScheduleError(f"cannot read the file: {error.strerror}", where=str(file)) from error
    except UnicodeDecodeError as error:
        raise ScheduleError(
            f"the file is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}",
            where=str(file),
            remedy="Save it as UTF-8.",
        ) from error
