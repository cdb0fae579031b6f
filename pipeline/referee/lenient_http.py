"""Answers that llhttp refuses and the official command reads: what Go's net/http takes of a sloppy server.

Bare line feeds, folded headers, a Content-Length that is repeated with the same value. The parser is tried only where
the quick one has given up, with all bytes of the answer so far.
Source: Go 1.20, net/http (ReadResponse, readTransfer, chunkedReader) and net/textproto (ReadMIMEHeader).
"""

import re
from dataclasses import dataclass

_STATUS = re.compile(rb"HTTP/\d\.\d +(\d{3})(?: .*)?", re.DOTALL)
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")


@dataclass(frozen=True, slots=True)
class LenientAnswer:
    """A whole answer."""

    status: int
    body: bytes
    location: str
    encoding: str
    reusable: bool


def read_leniently(data: bytes, *, closed: bool) -> LenientAnswer | None:
    """Return the answer that these bytes are, None where more are needed.

    Args:
        data: all that came since the request.
        closed: whether nothing more will come.

    Raises:
        ValueError: no HTTP answer that Go would take.
    """
    lines, at = _head_of(data)
    if lines is None:
        return None
    match = _STATUS.fullmatch(lines[0])
    if match is None:
        raise ValueError("no HTTP status line")
    status, headers = int(match[1]), _headers(lines[1:])
    if status == 101:
        raise ValueError("it switches protocols")
    if 100 <= status < 200:
        return read_leniently(data[at:], closed=closed)
    body, rest = _body(data[at:], headers, closed=closed, bare=status in (204, 304))
    if body is None:
        return None
    connection = headers.get(b"connection", [b""])[-1].lower()
    framed = b"content-length" in headers or b"transfer-encoding" in headers
    return LenientAnswer(
        status,
        body,
        headers.get(b"location", [b""])[0].decode("latin-1"),
        headers.get(b"content-encoding", [b""])[0].decode("latin-1").lower(),
        framed and not rest and connection != b"close" and lines[0].startswith(b"HTTP/1.1"),
    )


def _head_of(data: bytes) -> tuple[list[bytes] | None, int]:
    """The head's lines without their ends, and where the body begins; None: not whole yet."""
    lines: list[bytes] = []
    at = 0
    while (end := data.find(b"\n", at)) >= 0:
        line = data[at:end].removesuffix(b"\r")
        at = end + 1
        if not line and lines:
            return lines, at
        lines.append(line)
    return None, 0


def _headers(lines: list[bytes]) -> dict[bytes, list[bytes]]:
    headers: dict[bytes, list[bytes]] = {}
    last: list[bytes] = []
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            if not last:
                raise ValueError("its first header begins with a blank")
            last[-1] = (last[-1] + b" " + line.strip()).strip()
            continue
        name, colon, value = line.partition(b":")
        if not colon or _NAME.fullmatch(name) is None:
            raise ValueError("a header without a name")
        last = headers.setdefault(name.lower(), [])
        last.append(value.strip())
    return headers


def _body(data: bytes, headers: dict[bytes, list[bytes]], *, closed: bool, bare: bool) -> tuple[bytes | None, bytes]:
    """The body and what follows it; None: not whole yet."""
    if bare:
        return b"", data
    encodings = headers.get(b"transfer-encoding", [])
    if encodings:
        if [encoding.lower() for encoding in encodings] != [b"chunked"]:
            raise ValueError("an unknown transfer encoding")
        return _chunks(data, closed=closed)
    lengths = set(headers.get(b"content-length", []))
    if len(lengths) > 1:
        raise ValueError("two different Content-Lengths")
    if not lengths:
        return (data, b"") if closed else (None, b"")
    told = lengths.pop()
    if not told.isdigit():
        raise ValueError("a Content-Length that is no number")
    length = int(told)
    if len(data) < length:
        return _cut(closed=closed)
    return data[:length], data[length:]


def _cut(*, closed: bool) -> tuple[None, bytes]:
    if closed:
        raise ValueError("it closed in the middle of its answer")
    return None, b""


def _chunks(data: bytes, *, closed: bool) -> tuple[bytes | None, bytes]:
    parts: list[bytes] = []
    at = 0
    while (end := data.find(b"\n", at)) >= 0:
        size = data[at:end].split(b";")[0].strip()
        if _SIZE.fullmatch(size) is None:
            raise ValueError("a chunk without a size")
        count, at = int(size, 16), end + 1
        if count == 0:
            _, after = _head_of(b"x\n" + data[at:])  # trailers, then an empty line
            return (b"".join(parts), data[at + after - 2 :]) if after else _cut(closed=closed)
        if len(data) < at + count + 1:
            return _cut(closed=closed)
        parts.append(data[at : at + count])
        at += count + (2 if data[at + count : at + count + 1] == b"\r" else 1)
    return _cut(closed=closed)
