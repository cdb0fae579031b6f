"""Steering: a row of the `commands` table for each wish, so that who, when, what and the effect are kept."""

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime

from litestar.concurrency import sync_to_thread

from runner.flow.command_arguments import Verb
from runner.web.child import run_module
from runner.web.problems import ProblemError
from runner.web.read.rows import Rows
from runner.web.site import Site
from schemas.base import Frozen
from schemas.times import kept_instant, to_text

ANSWER_WAIT_S = 5.0
_POLL_S = 0.05
NEEDS_DAEMON = frozenset({Verb.CANCEL, Verb.STOP})
"""Of no use to one that starts later."""
_WAITS_FOR_DAEMON = NEEDS_DAEMON | {Verb.TRIGGER, Verb.PAUSE, Verb.RESUME}
_log = logging.getLogger("ouroboros.web")


@dataclass(frozen=True, slots=True)
class Steered:
    """A wish, and what came of it so far."""

    id: int
    verb: str
    arguments_json: str
    requested_by: str
    requested_at: datetime
    handled_at: datetime | None
    ok: bool | None
    """None: nobody has answered yet."""
    answer: str | None
    """In words: what was done, or why not."""


async def steer(site: Site, verb: Verb, arguments: Frozen, by: str, key: str = "") -> Steered:
    """Ask, and wait a little for the answer; without one `ok` is None and the wish stays in the queue.

    Args:
        by: who asks, for the row.
        key: the same key again is the same wish: nothing is asked a second time.

    Raises:
        ProblemError: 409 no daemon lives and the wish is for a living one; 422 the key was used for another wish.
        StateError: the database takes nothing now.
    """
    alive = await sync_to_thread(site.daemon_lives)
    if verb in NEEDS_DAEMON and not alive:
        raise ProblemError(409, "no daemon is running; `ouroboros up` starts one")
    number = await sync_to_thread(_enqueue, site, verb, arguments, by, key)
    if not alive:
        if verb not in _WAITS_FOR_DAEMON:
            await _without_daemon(site)
        return await sync_to_thread(read_command, site, number)
    for _ in range(int(ANSWER_WAIT_S / _POLL_S)):
        steered = await sync_to_thread(read_command, site, number)
        if steered.handled_at is not None:
            break
        await asyncio.sleep(_POLL_S)
    return steered


def read_command(site: Site, number: int) -> Steered:
    """One wish by its id.

    Raises:
        ProblemError: 404.
    """
    with site.history.snapshot() as rows:
        row = rows.execute("SELECT * FROM commands WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise ProblemError(404, f"no command {number}")
    return Steered(
        id=row["id"],
        verb=row["verb"],
        arguments_json=row["arguments_json"],
        requested_by=row["requested_by"],
        requested_at=kept_instant(row["requested_at"]),
        handled_at=kept_instant(row["handled_at"]) if row["handled_at"] else None,
        ok=None if row["ok"] is None else bool(row["ok"]),
        answer=row["answer"],
    )


def _enqueue(site: Site, verb: Verb, arguments: Frozen, by: str, key: str) -> int:
    text = arguments.model_dump_json()
    with site.history.writing() as rows:
        if key and (known := _asked_before(rows, by, key, f"{verb.value} {text}")) is not None:
            return known
        found = rows.execute(
            "INSERT INTO commands (verb, arguments_json, requested_by, requested_at) VALUES (?, ?, ?, ?) RETURNING id",
            (verb.value, text, by, to_text(site.clock())),
        ).fetchone()
        number: int = found[0]
        if key:
            values = (_digest(f"{by}\n{key}"), _digest(f"{verb.value} {text}"), number)
            rows.execute("INSERT INTO idempotency_keys (sha256, request_sha256, command_id) VALUES (?, ?, ?)", values)
    return number


def _asked_before(rows: Rows, by: str, key: str, request: str) -> int | None:
    """The command that the same caller asked for under this key; None: the key is new."""
    found = rows.execute(
        "SELECT request_sha256, command_id FROM idempotency_keys WHERE sha256 = ?", (_digest(f"{by}\n{key}"),)
    ).fetchone()
    if found is None:
        return None
    if found["request_sha256"] != _digest(request):
        raise ProblemError(422, "this idempotency key was used for another request; take a new one")
    number: int = found["command_id"]
    return number


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


async def _without_daemon(site: Site) -> None:
    """A short process changes the definitions; its answer stands in the row."""
    code, _, said = await run_module(site, "runner.flow.definition_commands")
    if code:
        _log.warning("A change without a daemon: %s", said)
