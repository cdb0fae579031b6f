"""Ask the daemon through its database, and wait a little for the answer."""

import getpass
import os
import socket
import time
from datetime import UTC, datetime

import click

from runner import lead
from runner.commands.opening import opened
from runner.flow.requests import Verb
from runner.store import commands
from schemas.base import Frozen
from schemas.errors import BadInputError, StateError

ANSWER_WAIT_S = 15.0
POLL_S = 0.1


def ask(verb: Verb, arguments: Frozen, *, needs_daemon: bool = False) -> None:
    """Enqueue a command and print its answer; without a daemon it waits in the database for the next start.

    Raises:
        StateError: no daemon lives and the command is for a living one, or it did not answer in time.
        BadInputError: the daemon refused it.
    """
    with opened() as (settings, store):
        alive = lead.is_served(settings.home, store)
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


def _tell(command: commands.Command) -> None:
    if not command.ok:
        raise BadInputError(command.answer or "refused", where=f"command {command.command_id}")
    click.echo(command.answer)


def _who() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()} (process {os.getpid()})"
