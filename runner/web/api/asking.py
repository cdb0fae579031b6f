"""A wish by REST: its idempotency key, who asks, and the answer."""

from typing import Annotated, Any

from litestar import Request, Response
from litestar.params import HeaderParameter

from runner.flow.command_arguments import Verb
from runner.web.problems import ProblemError
from runner.web.site import Site
from runner.web.steer import Steered, steer
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
