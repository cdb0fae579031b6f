"""`/login`: where a browser on another machine names its token. Programs send it with each request instead."""

from typing import Annotated

from litestar import MediaType, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Template

from runner.web.problems import ProblemError
from runner.web.security import LOGIN, TOKEN_COOKIE
from runner.web.site import Site
from runner.web.tokens import TokenFinder

_LONGEST = 200
_COOKIE = "Path=/; HttpOnly; SameSite=Strict"
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]


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
