"""HTTP answers read as the official command reads them: what Go's net/http takes of a server, sloppy ones too.

Bare line feeds, folded headers, blanks in names and a Content-Length that is repeated are taken; control characters,
two lengths and unknown encodings are not.
Source: Go 1.20, net/http (ReadResponse, readTransfer, chunkedReader, body.readTrailer) and net/textproto
(ReadMIMEHeader).
"""

import re
import zlib
from dataclasses import dataclass
from typing import Final

MAX_ANSWER_BYTES: Final = 16 << 20
"""Head and body together, and a body unpacked; a snake's answer has about a hundred. The official command has no limit
for a body."""
MAX_HEAD_BYTES: Final = 10 << 20
"""Go's own limit."""
_MOST_CHUNK_LINE: Final = 4096
_STATUS: Final = re.compile(rb"HTTP/\d\.\d +([+\d]\d\d)(?: .*)?", re.DOTALL)
_BEGINNING: Final = b"HTTP/"
_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z -]+):([\t\x20-\x7e\x80-\xff]*)")
_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,16}")
_GZIP: Final = 16 + zlib.MAX_WBITS
_MOST_MEMBERS: Final = 1000


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """A whole answer, its body unpacked."""

    status: int
    body: bytes
    location: str
    reusable: bool
    """Whether the connection may carry another request."""


@dataclass(slots=True)
class _Head:
    status: int
    headers: dict[bytes, list[bytes]]
    keeps_alive: bool
    begins: int
    """Where the body does."""
    chunked: bool = False
    length: int | None = None
    """Of the body; None: until the connection closes, or chunked."""


class AnswerReader:
    """Takes one answer piece by piece; after that answer another reader is needed."""

    __slots__ = ("_chunks", "_chunks_at", "_data", "_head", "_looked_at")

    def __init__(self) -> None:
        self._data = bytearray()
        self._looked_at = 0
        self._head: _Head | None = None
        self._chunks: list[bytes] = []
        self._chunks_at = 0

    @property
    def received(self) -> int:
        """Bytes taken so far."""
        return len(self._data)

    def feed(self, data: bytes) -> ReadAnswer | None:
        """Take what has come; return the answer once it is whole.

        Raises:
            ValueError: no answer that Go would take, or a larger one than any may be; in words.
        """
        self._data += data
        if self._head is None and not self._find_head():
            return None
        head = self._head
        assert head is not None
        if len(self._data) > MAX_ANSWER_BYTES:
            raise ValueError(f"its answer is larger than {MAX_ANSWER_BYTES >> 20} MiB")
        if head.chunked:
            return self._read_chunks(head)
        if head.length is None or len(self._data) < head.begins + head.length:
            return None
        end = head.begins + head.length
        return _answer(head, bytes(self._data[head.begins : end]), len(self._data) == end)

    def closed(self) -> ReadAnswer | None:
        """Return the answer that ends where its connection does; None: it is cut."""
        head = self._head
        if head is None or head.chunked or head.length is not None:
            return None
        return _answer(head, bytes(self._data[head.begins :]), False)

    def _find_head(self) -> bool:
        """Read the head, and those of "100 Continue" and its like before it; return whether it is whole."""
        while self._head is None:
            if not self._data.startswith(_BEGINNING[: len(self._data)]):
                raise ValueError("no HTTP status line")
            end = _END_OF_HEAD.search(self._data, max(0, self._looked_at - 2))
            if len(self._data if end is None else self._data[: end.end()]) > MAX_HEAD_BYTES:
                raise ValueError(f"its head is larger than {MAX_HEAD_BYTES >> 20} MiB")
            if end is None:
                self._looked_at = len(self._data)
                return False
            head = _read_head(bytes(self._data[: end.start()]), end.end())
            if 100 <= head.status < 200 and head.status != 101:
                del self._data[: end.end()]
                self._looked_at = 0
            else:
                self._head, self._chunks_at = head, head.begins
        return True

    def _read_chunks(self, head: _Head) -> ReadAnswer | None:
        data = self._data
        while (end := data.find(b"\n", self._chunks_at)) >= 0:
            line = bytes(data[self._chunks_at : end + 1])
            size = line.rstrip(b" \t\r\n").split(b";")[0]
            if _SIZE.fullmatch(size) is None or len(line) > _MOST_CHUNK_LINE:
                raise ValueError("a chunk without a size")
            count = int(size, 16)
            if count == 0:
                return self._read_trailers(head, end + 1)
            if len(data) < end + 1 + count + 2:
                return None
            if data[end + 1 + count : end + 3 + count] != b"\r\n":
                raise ValueError("a chunk that does not end where it says")
            self._chunks.append(bytes(data[end + 1 : end + 1 + count]))
            self._chunks_at = end + 3 + count
        if len(data) - self._chunks_at > _MOST_CHUNK_LINE:
            raise ValueError("a chunk without a size")
        return None

    def _read_trailers(self, head: _Head, at: int) -> ReadAnswer | None:
        data = self._data
        if data[at : at + 2] == b"\r\n":
            end = at + 2
        elif (found := data.find(b"\r\n\r\n", at)) >= 0:
            _headers(bytes(data[at:found]))
            end = found + 4
        else:
            return None
        return _answer(head, b"".join(self._chunks), len(data) == end)


def _read_head(head: bytes, begins: int) -> _Head:
    first, _, rest = head.partition(b"\n")
    match = _STATUS.fullmatch(first.removesuffix(b"\r"))
    if match is None:
        raise ValueError("no HTTP status line")
    status, headers = int(match[1]), _headers(rest)
    if status == 101:
        raise ValueError("it switches protocols")
    connection = [word.strip().lower() for value in headers.get(b"connection", []) for word in value.split(b",")]
    old = first.startswith(b"HTTP/1.0")
    keeps_alive = b"close" not in connection and (not old or b"keep-alive" in connection)
    read = _Head(status, headers, keeps_alive and not first.startswith(b"HTTP/0"), begins)
    encodings = [] if old or first.startswith(b"HTTP/0") else headers.get(b"transfer-encoding", [])
    if encodings and [encoding.lower() for encoding in encodings] != [b"chunked"]:
        raise ValueError("an unknown transfer encoding")
    length = _length(headers.get(b"content-length", []))
    if status in (204, 304):
        read.length = 0
    elif encodings:
        read.chunked = True
    else:
        read.length = length
    return read


def _headers(text: bytes) -> dict[bytes, list[bytes]]:
    headers: dict[bytes, list[bytes]] = {}
    if not text:
        return headers
    if text[:1] in (b" ", b"\t"):
        raise ValueError("its first header begins with a blank")
    lines: list[bytes] = []
    for line in text.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            lines[-1] += b" " + line.strip()
        else:
            lines.append(line.removesuffix(b"\r").rstrip(b" \t"))
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise ValueError("a header that is none")
        headers.setdefault(match[1].lower(), []).append(match[2].strip(b" \t"))
    return headers


def _length(told: list[bytes]) -> int | None:
    if len(set(told)) > 1:
        raise ValueError("two different Content-Lengths")
    if not told or not told[0]:
        return None
    if not told[0].isdigit() or int(told[0][:30]) >= 1 << 63:
        raise ValueError("a Content-Length that is no number")
    return int(told[0])


def _answer(head: _Head, body: bytes, at_end: bool) -> ReadAnswer:
    encoding = head.headers.get(b"content-encoding", [b""])[0].lower()
    location = head.headers.get(b"location", [b""])[0].decode("latin-1")
    framed = head.chunked or head.length is not None
    unpacked = without_gzip(body) if encoding == b"gzip" and body else body
    return ReadAnswer(head.status, unpacked, location, at_end and framed and head.keeps_alive)


def without_gzip(packed: bytes) -> bytes:
    """A body unpacked; there may be several members.

    Raises:
        ValueError: damaged, cut, or larger than an answer may be.
    """
    plain, members = bytearray(), 0
    while packed:
        members += 1
        if members > _MOST_MEMBERS:
            raise ValueError(f"its gzip body has more than {_MOST_MEMBERS} members")
        stream = zlib.decompressobj(_GZIP)
        try:
            plain += stream.decompress(packed, MAX_ANSWER_BYTES + 1 - len(plain))
        except zlib.error as error:
            raise ValueError(f"its gzip body is damaged: {error}") from error
        if len(plain) > MAX_ANSWER_BYTES:
            raise ValueError(f"its answer is larger than {MAX_ANSWER_BYTES >> 20} MiB")
        if not stream.eof:
            raise ValueError("its gzip body is cut")
        packed = stream.unused_data
    return bytes(plain)
