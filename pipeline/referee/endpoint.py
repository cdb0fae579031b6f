"""Where a snake listens: its URL taken apart, and the request heads that never change."""

import posixpath
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from schemas.errors import SnakeError

USER_AGENT = b"ouroboros-referee"
UNIX_SCHEME = "http+unix"


def unix_url(path: Path) -> str:
    """The base URL of a snake that listens on a Unix socket; `parse_endpoint` takes it."""
    return f"{UNIX_SCHEME}://{quote(str(path), safe='')}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One snake server; made by `parse_endpoint`."""

    url: str
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


def parse_endpoint(url: str) -> Endpoint:
    """Take a snake's base URL apart; a path in it is kept as a prefix, as the official command does.

    Raises:
        SnakeError: not an http or https URL with a host.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
        socket = unquote(parts.netloc) if parts.scheme == UNIX_SCHEME else ""
        name = "localhost" if socket else parts.hostname or ""
        host = name.encode("idna" if not _is_address(name) else "ascii").decode()
    except ValueError as error:
        raise _unusable(url, str(error)) from error
    if parts.scheme not in ("http", "https", UNIX_SCHEME) or not host:
        raise _unusable(url, "it needs http:// or https:// and a host")
    host_header = host if socket else parts.netloc.rpartition("@")[2]
    base = parts.path if parts.path.startswith("/") else f"/{parts.path}"
    query = f"?{parts.query}" if parts.query else ""

    def head(method: str, path: str) -> bytes:
        line = f"{method} {path}{query} HTTP/1.1\r\nHost: {host_header}\r\n"
        if not line.isascii() or any(character in path + query for character in " \r\n"):
            raise _unusable(url, "its path holds characters that must be percent-encoded")
        return line.encode() + b"User-Agent: " + USER_AGENT + b"\r\n"

    def post(command: str) -> bytes:
        return head("POST", posixpath.join(base, command)) + b"Content-Type: application/json\r\nContent-Length: "

    return Endpoint(
        url=url,
        host=host,
        port=port,
        socket=socket,
        tls=ssl.create_default_context() if parts.scheme == "https" else None,
        index_request=head("GET", base) + b"\r\n",
        start_head=post("start"),
        move_head=post("move"),
        end_head=post("end"),
    )


def _is_address(host: str) -> bool:
    """IPv6 literals hold colons, which IDNA refuses."""
    return ":" in host


def _unusable(url: str, why: str) -> SnakeError:
    return SnakeError(
        f"the snake's URL cannot be used: {why}", where=url, remedy="Give one like http://127.0.0.1:8000."
    )
