"""Where a snake listens: its URL taken apart, and the request heads that never change."""

import base64
import functools
import os
import posixpath
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urldefrag, urljoin, urlsplit

from schemas.errors import SnakeError

USER_AGENT = b"ouroboros-referee"
UNIX_SCHEME = "http+unix"
_USER_INFO = re.compile(r"(^|//)[^/?#]*@")
_SAFE_IN_URL = "%/:=&?~#+!$,;'@()*[]"


def unix_url(path: Path) -> str:
    """The base URL of a snake that listens on a Unix socket; `parse_endpoint` takes it."""
    return f"{UNIX_SCHEME}://{quote(str(path), safe='')}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One snake server; made by `parse_endpoint`."""

    url: str = field(repr=False)
    """As it was given; may hold a password: `shown` is for messages."""
    shown: str
    host: str
    port: int
    socket: str
    """The path of the Unix socket where it listens; empty: on host and port."""
    tls: ssl.SSLContext | None = field(repr=False)
    index_request: bytes = field(repr=False)
    """The whole `GET` of the base URL."""
    start_head: bytes = field(repr=False)
    """`POST /start` up to and including `Content-Length: `; the number, a blank line and the body follow."""
    move_head: bytes = field(repr=False)
    end_head: bytes = field(repr=False)

    @property
    def origin(self) -> str:
        """Where it is connected to."""
        return self.socket or f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


def parse_endpoint(url: str) -> Endpoint:
    """Take a snake's base URL apart; a path in it is kept as a prefix, as the official command does.

    As there, what must be percent-encoded is, `#` too, the paths of the three calls are cleaned of dots and doubled
    slashes, and a URL without a host is this machine's.

    Raises:
        SnakeError: not an http or https URL with a host.
    """
    try:
        parts = urlsplit(url.replace("#", "%23"))
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
        socket = unquote(parts.netloc) if parts.scheme == UNIX_SCHEME else ""
        name = parts.hostname or ("localhost" if socket or parts.port else "")
        host = name.encode("idna" if not _is_address(name) else "ascii").decode()
    except ValueError as error:
        raise _unusable(url, _why(error)) from None  # its text may hold the password
    if parts.scheme not in ("http", "https", UNIX_SCHEME) or not host:
        raise _unusable(url, "it needs http:// or https:// and a host")
    base = quote(parts.path if parts.path.startswith("/") else f"/{parts.path}", safe=_SAFE_IN_URL)

    def post(command: str) -> bytes:
        clean = posixpath.normpath(posixpath.join(base, command))
        return _head(url, parts, "POST", f"/{clean.lstrip('/')}") + _CONTENT

    return Endpoint(
        url=url,
        shown=shown_url(url),
        host=host,
        port=port,
        socket=socket,
        tls=_tls(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")) if parts.scheme == "https" else None,
        index_request=_head(url, parts, "GET", base) + b"\r\n",
        start_head=post("start"),
        move_head=post("move"),
        end_head=post("end"),
    )


def redirected(endpoint: Endpoint, request: bytes, status: int, location: str) -> tuple[Endpoint, bytes]:
    """Return where a redirect of `request` leads, and the request to send there, as Go's net/http has it.

    301, 302 and 303 turn a POST into a GET without a body; 307 and 308 repeat the request. A relative Location keeps
    the user's name and password, an absolute one does not. Source: Go 1.20, net/http, Client.do and redirectBehavior.

    Raises:
        SnakeError: the Location is no URL that can be asked.
    """
    head, _, body = request.partition(b"\r\n\r\n")
    method, path, _ = head.split(b" ", 2)
    parts = urlsplit(endpoint.url)
    place = quote(location, safe=_SAFE_IN_URL)
    if endpoint.socket and place.startswith("/"):
        url = f"{UNIX_SCHEME}://{parts.netloc}{place}"
    else:
        try:
            url = urljoin(f"{parts.scheme}://{parts.netloc}{path.decode()}", place)
        except ValueError as error:
            raise _unusable(location, _why(error)) from None
    url = urldefrag(url).url
    target = parse_endpoint(url)
    if method == b"GET" or status not in (307, 308):
        return target, target.index_request
    found = urlsplit(url)
    return target, b"%b%d\r\n\r\n%b" % (_head(url, found, "POST", found.path or "/") + _CONTENT, len(body), body)


@functools.cache
def _tls(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """Made once: it reads all certificates of the system, or those that these variables name."""
    return ssl.create_default_context()


def shown_url(url: str) -> str:
    """Return a URL as it may be shown: without the user's name and password."""
    return _USER_INFO.sub(r"\1***@", url, count=1)


def shown_place(where: str) -> str:
    """Return how a snake may be called that was given by its URL, its folder or a file: a URL without its password."""
    return shown_url(where) if where.startswith(("http://", "https://")) else where


_CONTENT = b"Content-Type: application/json\r\nContent-Length: "


def _head(url: str, parts: SplitResult, method: str, path: str) -> bytes:
    """The request's line and the headers that every request has, gzip offered as the official command does."""
    host = "localhost" if parts.scheme == UNIX_SCHEME else parts.netloc.rpartition("@")[2]
    query = f"?{quote(parts.query, safe=_SAFE_IN_URL)}" if parts.query else ""
    line = f"{method} {path}{query} HTTP/1.1\r\nHost: {host}\r\n"
    if not line.isascii() or any(character in path + query for character in " \r\n"):
        raise _unusable(url, "its path holds characters that must be percent-encoded")
    return line.encode() + b"User-Agent: %b\r\nAccept-Encoding: gzip\r\n" % USER_AGENT + _authorization(parts)


def _authorization(parts: SplitResult) -> bytes:
    """The header line of the URL's user (RFC 7617); empty without one."""
    if parts.scheme == UNIX_SCHEME or "@" not in parts.netloc:
        return b""
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return b"Authorization: Basic %b\r\n" % base64.b64encode(user.encode())


def _is_address(host: str) -> bool:
    """IPv6 literals hold colons, which IDNA refuses."""
    return ":" in host


def _why(error: ValueError) -> str:
    told = str(error)
    return told if "ort" in told and "@" not in told else "it is no URL"


def _unusable(url: str, why: str) -> SnakeError:
    return SnakeError(
        f"the snake's URL cannot be used: {why}", where=shown_url(url), remedy="Give one like http://127.0.0.1:8000."
    )
