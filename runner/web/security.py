"""The gate before every request: who asks, from which page, by which name; and the headers of every answer.

README.md beside this file lists the threats that each check is there for.
"""

import base64
import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec.json

from runner.store.states import TokenScope
from runner.web.problems import API, PROBLEM_JSON, Problem, problem
from schemas.outside_text import line
from schemas.service import WebSettings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BODY_BYTES = 262_144
CSRF_COOKIE, CSRF_HEADER, CSRF_FIELD = "ouroboros_csrf", "x-csrf-token", "csrf_token"
TOKEN_COOKIE = "ouroboros_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOGIN = "/login"
OPEN_PATHS = ("/healthz", LOGIN, "/static/")
"""Answered without a token: they tell nothing."""
STREAMS = frozenset({"/events", "/games/live"})
"""Answers without an end, of which nobody wants the head alone."""
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not listened on
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip")
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""Of every answer."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks."""

    name: str
    """As it stands in the row of what they ask for."""
    scope: TokenScope


@dataclass(frozen=True, slots=True)
class JudgedRequest:
    """The parts of a request that the gate judges."""

    method: str
    path: str
    peer: str
    headers: dict[bytes, bytes]

    def header(self, name: bytes) -> str:
        """Its text, "" where it is absent."""
        return self.headers.get(name, b"").decode("latin-1")

    def cookie(self, name: str) -> str:
        """A cookie's value, "" where it is absent."""
        for part in self.header(b"cookie").split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                return value
        return ""


class Refused(Exception):
    """The gate's answer instead of the handler's."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem(status, detail)


def new_csrf_token(secret: bytes) -> str:
    """A random token that only this state folder's web process can have signed."""
    nonce = secrets.token_urlsafe(18)
    return f"{nonce}.{_signature(secret, nonce)}"


def is_own_csrf_token(secret: bytes, token: str) -> bool:
    """Whether `new_csrf_token` made it, in this or an earlier process."""
    nonce, _, signature = token.partition(".")
    return bool(nonce) and hmac.compare_digest(signature.encode(), _signature(secret, nonce).encode())


def _signature(secret: bytes, nonce: str) -> str:
    digest = hmac.new(secret, nonce.encode("utf-8", "replace"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Gate:
    """An ASGI application before another.

    Args:
        find_token: the principal of a token's text; None: nobody's.
    """

    def __init__(
        self, inner: ASGIApp, settings: WebSettings, secret: bytes, find_token: Callable[[str], Principal | None]
    ) -> None:
        self._inner = inner
        self._settings = settings
        self._secret = secret
        self._find_token = find_token
        self._hosts = {host.lower() for host in settings.allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge, then hand on or refuse."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        peer = scope["client"][0] if scope["client"] else ""
        asked = JudgedRequest(scope["method"], scope["path"], peer, _single(scope["headers"]))
        send = _with_headers(send, asked)
        if asked.method == "HEAD" and asked.path not in STREAMS:
            scope = {**scope, "method": "GET"}  # the same answer; the server itself leaves the body out
        try:
            self._check_host(asked)
            _check_length(asked)
            principal = self._who(asked)
            if asked.method not in SAFE_METHODS:
                receive = await self._check_write(asked, principal, receive)
        except Refused as refused:
            await _refuse(refused.problem, asked, send)
            return
        csrf = asked.cookie(CSRF_COOKIE)
        fresh = not is_own_csrf_token(self._secret, csrf)
        token = new_csrf_token(self._secret) if fresh else csrf
        state = scope.setdefault("state", {})
        state["principal"], state["csrf_token"] = principal, token
        if fresh and asked.method == "GET" and "text/html" in asked.header(b"accept"):
            send = _with_cookie(send, f"{CSRF_COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict")
        await self._inner(scope, receive, send)

    def _check_host(self, asked: JudgedRequest) -> None:
        host = asked.header(b"host").lower()
        if not host:
            raise Refused(400, "a request names the host it asks")
        if self._is_own(host):
            return
        raise Refused(
            421,
            f"this dashboard is not reached by the name {line(host, 100)}. If it should be, put the name into"
            " web.allowed_hosts of the settings.",
        )

    def _is_own(self, host: str) -> bool:
        """A page of another name that resolves to this address (DNS rebinding) has its own name there; an address in
        digits is nobody's name, so that all of this machine's are ours where all are listened on."""
        name, port = split_host(host)
        if host in self._hosts or name in self._hosts:
            return True
        bare = name.removeprefix("[").removesuffix("]")
        return port in {"", str(self._settings.port)} and (
            name in _LOOPBACK_NAMES
            or bare == self._settings.host.lower()
            or (self._settings.host in _EVERYWHERE and _is_address(bare))
        )

    def _who(self, asked: JudgedRequest) -> Principal | None:
        """Raises: Refused: nobody we know."""
        text = _bearer(asked) or asked.cookie(TOKEN_COOKIE)
        if text:
            if found := self._find_token(text):
                return Principal(f"{found.name} from {asked.peer}", found.scope)
            if asked.path.startswith(OPEN_PATHS):
                return None
            raise Refused(401, "this token is unknown, or was taken back. `ouroboros dashboard token list` shows them.")
        if self._is_here(asked):
            return Principal(f"dashboard from {asked.peer}", TokenScope.STEER)
        if asked.path.startswith(OPEN_PATHS):
            return None
        raise Refused(401, "name a token: `Authorization: Bearer ...`. `ouroboros dashboard token add` makes one.")

    def _is_here(self, asked: JudgedRequest) -> bool:
        """JudgedRequest on this machine itself: by its address, under a loopback name, and handed on by nobody."""
        if self._settings.token_always or any(name in asked.headers for name in _FORWARDED):
            return False
        name, _ = split_host(asked.header(b"host").lower())
        return is_loopback(asked.peer) and name in _LOOPBACK_NAMES

    async def _check_write(self, asked: JudgedRequest, principal: Principal | None, receive: Receive) -> Receive:
        if asked.path == LOGIN:
            _check_origin(asked)
            return receive
        if principal is None or principal.scope is not TokenScope.STEER:
            raise Refused(403, "this token may only read; `ouroboros dashboard token add NAME --scope steer` makes one")
        _check_origin(asked)
        if _bearer(asked) or not _is_browser(asked):
            return receive  # no other page can make a browser send such a request
        cookie, given = asked.cookie(CSRF_COOKIE), asked.header(CSRF_HEADER.encode())
        if not given and asked.header(b"content-type").startswith("application/x-www-form-urlencoded"):
            body = await _whole_body(receive)
            given = parse_qs(body.decode("utf-8", "replace")).get(CSRF_FIELD, [""])[0]
            receive = _replayed(body, receive)
        if not (hmac.compare_digest(cookie.encode(), given.encode()) and is_own_csrf_token(self._secret, given)):
            raise Refused(403, "this page is too old, or not ours. Load it again, then repeat.")
        return receive


def split_host(host: str) -> tuple[str, str]:
    """`name:port` as name and port, `[::1]:80` too; "" for what is not there."""
    head, bracket, rest = host.partition("]")
    if bracket:
        return head + bracket, rest.removeprefix(":")
    name, _, port = host.partition(":")
    return name, port


def is_loopback(address: str) -> bool:
    """An address of this very machine."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _check_origin(asked: JudgedRequest) -> None:
    """Browsers say from which page a write comes; programs say nothing."""
    site = asked.header(b"sec-fetch-site")
    if site and site not in {"same-origin", "none"}:
        raise Refused(403, "asked from another page")
    origin = asked.header(b"origin")
    if origin and _place(origin) != asked.header(b"host").lower():
        raise Refused(403, f"asked from a page of {line(origin, 100)}")


def _place(origin: str) -> str:
    """Its name and port; "" where it is no address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _is_browser(asked: JudgedRequest) -> bool:
    return any(name in asked.headers for name in (b"origin", b"sec-fetch-site", b"cookie", b"referer"))


def _bearer(asked: JudgedRequest) -> str:
    kind, _, text = asked.header(b"authorization").partition(" ")
    return text.strip() if kind.lower() == "bearer" else ""


def _check_length(asked: JudgedRequest) -> None:
    length = asked.header(b"content-length")
    if length and (not length.isdigit() or int(length) > MOST_BODY_BYTES):
        raise Refused(413, f"a request holds at most {MOST_BODY_BYTES:,} bytes")


def _single(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Each header once; a second `Host` or `Origin` must not be another than the one that was judged."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        found[name] = found[name] + b", " + value if name in found and name != b"cookie" else value
    return found


async def _whole_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "the request broke off")
        body += message.get("body", b"")
        if len(body) > MOST_BODY_BYTES:
            raise Refused(413, f"a request holds at most {MOST_BODY_BYTES:,} bytes")
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(send: Send, asked: JudgedRequest) -> Send:
    cached = asked.path.startswith("/static/")
    extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            known = {name for name, _ in message["headers"]}
            more = [pair for pair in extra if pair[0] not in known]
            if not cached and b"cache-control" not in known:
                more.append((b"cache-control", b"no-store"))
            message["headers"] = [*message["headers"], *more]
        await send(message)

    return wrapped


def _with_cookie(send: Send, cookie: str) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"set-cookie", cookie.encode())]
        await send(message)

    return wrapped


async def _refuse(found: Problem, asked: JudgedRequest, send: Send) -> None:
    html = "text/html" in asked.header(b"accept") and not asked.path.startswith(API)
    headers: list[tuple[bytes, bytes]] = []
    if found.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if html and found.status == 401 and asked.method == "GET":
        await send({"type": "http.response.start", "status": 303, "headers": [*headers, (b"location", b"/login")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    kind, body = (b"text/plain; charset=utf-8", found.detail.encode()) if html else (
        PROBLEM_JSON.encode(), msgspec.json.encode(asdict(found)))  # fmt: skip
    headers += [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": found.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
