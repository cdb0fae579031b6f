"""Whose a token is, and `/login`, where a browser on another machine names its own; programs send it with each request.

It is looked up for each request: a revoked one lets nobody in from that moment.
"""

import hashlib
from typing import Annotated

from litestar import MediaType, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Template

from runner.store.states import TokenScope, word_of
from runner.web.problems import ProblemError
from runner.web.security import LOGIN, TOKEN_COOKIE, Principal
from runner.web.site import Site
from schemas.errors import StateError

_LONGEST = 200
_COOKIE = "Path=/; HttpOnly; SameSite=Strict"
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]


class TokenFinder:
    """Called with a token's text."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __call__(self, text: str) -> Principal | None:
        """Who bears it; None: nobody."""
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        try:
            with self._site.history.snapshot() as rows:
                row = rows.execute("SELECT name, scope FROM api_tokens WHERE sha256 = ?", (digest,)).fetchone()
        except StateError:
            return None  # no database, no tokens
        if row is None:
            return None
        return Principal(f"token {row['name']}", word_of(row["scope"], TokenScope, TokenScope.READ))


@get(LOGIN, include_in_schema=False, sync_to_thread=False)
def ask_for_token() -> Template:
    """A form for it."""
    return Template("login.html", context={"title": "Name your token"})


@post(LOGIN, include_in_schema=False, sync_to_thread=True, status_code=303)
def take_token(site: Site, data: Form) -> Response[str]:
    """Keep it in a cookie that no script reads, until the browser is closed."""
    token = data.get("token", "").strip()[:_LONGEST]
    if TokenFinder(site)(token) is None:
        raise ProblemError(
            403, "this token is unknown, or was taken back. `ouroboros dashboard token list` shows them."
        )
    headers = {"location": "/", "set-cookie": f"{TOKEN_COOKIE}={token}; {_COOKIE}"}
    return Response("", status_code=303, media_type=MediaType.TEXT, headers=headers)


@post("/logout", include_in_schema=False, sync_to_thread=False, status_code=303)
def let_token_go() -> Response[str]:
    """The browser forgets it."""
    headers = {"location": LOGIN, "set-cookie": f"{TOKEN_COOKIE}=; {_COOKIE}; Max-Age=0"}
    return Response("", status_code=303, media_type=MediaType.TEXT, headers=headers)
