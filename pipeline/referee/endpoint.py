"""Where a snake listens: its URL taken apart, and the request heads that never change."""

import posixpath
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from schemas.errors import SnakeError

USER_AGENT = b"ouroboros-referee"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One snake server; made by `parse_endpoint`."""

    url: str
    host: str
    port: int
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
        host = (parts.hostname or "").encode("idna" if not _is_address(parts.hostname) else "ascii").decode()
    except ValueError as error:
        raise _unusable(url, str(error)) from error
    if parts.scheme not in ("http", "https") or not host:
        raise _unusable(url, "it needs http:// or https:// and a host")
    base = parts.path if parts.path.startswith("/") else f"/{parts.path}"
    query = f"?{parts.query}" if parts.query else ""

    def head(method: str, path: str) -> bytes:
        line = f"{method} {path}{query} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\n"
        if not line.isascii() or any(character in path + query for character in " \r\n"):
            raise _unusable(url, "its path holds characters that must be percent-encoded")
        return line.encode() + b"User-Agent: " + USER_AGENT + b"\r\n"

    def post(command: str) -> bytes:
        return head("POST", posixpath.join(base, command)) + b"Content-Type: application/json\r\nContent-Length: "

    return Endpoint(
        url=url,
        host=host,
        port=port,
        tls=ssl.create_default_context() if parts.scheme == "https" else None,
        index_request=head("GET", base) + b"\r\n",
        start_head=post("start"),
        move_head=post("move"),
        end_head=post("end"),
    )


def _is_address(host: str | None) -> bool:
    """IPv6 literals hold colons, which IDNA refuses."""
    return ":" in (host or "")


def _unusable(url: str, why: str) -> SnakeError:
    return SnakeError(
        f"the snake's URL cannot be used: {why}", where=url, remedy="Give one like http://127.0.0.1:8000."
    )
