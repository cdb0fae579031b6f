"""Every error as one answer: problem+json (RFC 9457) for programs, a page for browsers; a traceback for nobody."""

import logging
import secrets
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, cast

from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.response import Template
from litestar.types import ExceptionHandlersMap
from pydantic import ValidationError

from schemas.errors import NothingThereError, OuroborosError, StateError
from schemas.outside_text import ERROR_LIMIT, passage
from schemas.settings import describe

PROBLEM_JSON = "application/problem+json"
API = "/api/"
API_LIST = "/api/docs"
_TITLES = {
    400: "Bad request",
    401: "A token is needed",
    403: "Not allowed",
    404: "Not found",
    405: "Not that way",
    409: "Refused",
    410: "It cannot be shown",
    413: "Too large",
    415: "Not of that kind",
    421: "Not this host",
    422: "It cannot be used",
    500: "A fault of Ouroboros",
    503: "Not just now",
}
_log = logging.getLogger("ouroboros.web")


@dataclass(frozen=True, slots=True)
class Problem:
    """RFC 9457: what went wrong, for the reader of the answer."""

    status: int
    title: str
    detail: str
    """What was wrong, where, and what to do next."""
    type: str = "about:blank"


class ProblemError(Exception):
    """Raised by handlers: the problem itself."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem(status, detail)


def problem(status: int, detail: str) -> Problem:
    """A problem with the title of its status."""
    return Problem(status, _TITLES.get(status, "It cannot be done"), passage(detail, ERROR_LIMIT))


def of_error(error: Exception) -> Problem:
    """What an exception means for whoever asked. One that was not foreseen is logged, and its number is told."""
    if isinstance(error, ProblemError):
        return error.problem
    if isinstance(error, ValidationError):
        return problem(422, describe(error))
    if isinstance(error, NothingThereError):
        return problem(404, f"{error.what[0].upper()}{error.what[1:]}.")
    if isinstance(error, OuroborosError):
        return problem(503 if isinstance(error, StateError) else 422, str(error))
    if isinstance(error, HTTPException):
        return problem(error.status_code, _http_detail(error))
    number = secrets.token_hex(4)
    _log.error("Fault %s", number, exc_info=error)
    return problem(500, f"This was not foreseen. The web log has the rest under {number}.")


def _http_detail(error: HTTPException) -> str:
    if error.status_code == 404 and error.detail == HTTPStatus.NOT_FOUND.phrase:  # the router's own words
        return f"Nothing lies at this address; the first page leads to all pages, {API_LIST} lists the interface."
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        told = [f"{item.get('key', 'value')}: {item.get('message', '')}" for item in error.extra]
        return f"{'; '.join(told)}" or error.detail
    return error.detail


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The answer to a request that raised."""
    found = of_error(error)
    headers = {"Retry-After": "2"} if found.status == 503 else {}
    if isinstance(error, HTTPException) and error.headers:
        headers |= {name: value for name, value in error.headers.items() if name.lower() in {"allow", "location"}}
    if request.url.path.startswith(API) or "text/html" not in request.headers.get("accept", ""):
        return Response(asdict(found), status_code=found.status, media_type=PROBLEM_JSON, headers=headers)
    context = {"title": found.title, "problem": found}
    return cast(
        Response[Any],
        Template("error.html", context=context, status_code=found.status, headers=headers, media_type=MediaType.HTML),
    )


HANDLERS: ExceptionHandlersMap = {Exception: answer, HTTPException: answer}
"""For the application."""
