"""What changes something: each a row of the `commands` table, with who asked and what came of it.

`steered` is a wish by REST, for the other routes too: its idempotency key, who asks, and the answer.
"""

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.concurrency import sync_to_thread
from litestar.params import HeaderParameter, Parameter

from runner.flow.command_arguments import CancelArguments, NoArguments, PauseArguments, Verb
from runner.web.api.answers import READS, WRITES, CommandListing, Note
from runner.web.api.looking import Cursor, Limit
from runner.web.api.paging import PAGE, cursor_of, key_of
from runner.web.problems import ProblemError
from runner.web.read import news, runs
from runner.web.site import Site
from runner.web.steer import Steered, read_command, steer
from schemas.base import Frozen

Key = Annotated[
    str,
    HeaderParameter(
        name="Idempotency-Key",
        max_length=200,
        description="Any text of the caller's: the same key again is the same wish, also after a restart.",
    ),
]
Asking = Request[Any, Any, Any]


async def steered(site: Site, request: Asking, verb: Verb, arguments: Frozen, key: str) -> Response[Steered]:
    """200 done, 202 not answered yet (the row waits for the daemon), 409 refused."""
    by = request.scope["state"]["principal"].name
    found = await steer(site, verb, arguments, by, key)
    if found.ok is False:
        raise ProblemError(409, found.answer or "refused")
    place = {"Location": f"/api/v1/commands/{found.id}"}
    return Response(found, status_code=200 if found.ok else 202, headers=place)


@post("/pause", responses=WRITES, status_code=200, summary="Start nothing new; runs under way go on")
async def pause(site: Site, request: Asking, data: Note | None = None, key: Key = "") -> Response[Steered]:
    """As `ouroboros pause`."""
    return await steered(site, request, Verb.PAUSE, PauseArguments(note=data.note if data else ""), key)


@post("/resume", responses=WRITES, status_code=200, summary="End a pause")
async def resume(site: Site, request: Asking, key: Key = "") -> Response[Steered]:
    """As `ouroboros resume`."""
    return await steered(site, request, Verb.RESUME, NoArguments(), key)


@post("/stop", responses=WRITES, status_code=200, summary="Stop the daemon in good order")
async def stop(site: Site, request: Asking, key: Key = "") -> Response[Steered]:
    """As `ouroboros stop`: runs save their work and go on at the next start. The dashboard ends with the daemon."""
    return await steered(site, request, Verb.STOP, NoArguments(), key)


@post("/executions/{run_id:int}/cancel", responses=WRITES, status_code=200, summary="End a run")
async def cancel_run(
    site: Site, request: Asking, run_id: Annotated[int, Parameter(ge=1, le=2**62)], key: Key = ""
) -> Response[Steered]:
    """As `ouroboros cancel RUN`."""
    await sync_to_thread(_require_run, site, run_id)
    return await steered(site, request, Verb.CANCEL, CancelArguments(execution_id=run_id), key)


@post("/mail/retry", responses=WRITES, status_code=200, summary="Try again now what could not be delivered")
async def retry_mail(site: Site, request: Asking, key: Key = "") -> Response[Steered]:
    """As `ouroboros notify retry`."""
    return await steered(site, request, Verb.RETRY_MAIL, NoArguments(), key)


@get("/commands", responses=READS, sync_to_thread=True, summary="Who asked for what, and what came of it")
def list_commands(site: Site, limit: Limit = PAGE, cursor: Cursor = None) -> CommandListing:
    """Every steering action, newest first."""
    before = key_of(cursor, [int])
    with site.history.snapshot() as rows:
        items = news.asked_lately(rows, limit + 1, int(before[0]) if before else None)
    more = len(items) > limit
    return CommandListing(items[:limit], cursor_of(items[limit - 1].id) if more else None)


@get("/commands/{number:int}", responses=READS, sync_to_thread=True, summary="One wish, and its answer")
def command(site: Site, number: Annotated[int, Parameter(ge=1, le=2**62)]) -> Steered:
    """Where `Location` of a write leads."""
    return read_command(site, number)


def _require_run(site: Site, run_id: int) -> None:
    with site.history.snapshot() as rows:
        if runs.one(rows, run_id) is None:
            raise ProblemError(404, f"no execution {run_id}")
