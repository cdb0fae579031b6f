"""A file's JSON documents: unpacked, one a line or one alone, each with the place where it stands."""

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import ValidationError

from schemas.settings import describe

MOST_BYTES: Final = 1 << 30
"""Of a file, unpacked: a thousand times a long game. More is no game, or a file made to fill the memory."""
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_MOST_PACKED: Final = 3
"""Times a file may be packed in itself."""
_NOT_UNPACKED: Final = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip", b"\x04\x22\x4d\x18": "lz4"}
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_BLANKS: Final = re.compile(r"[\s,]*")
_PREFIX: Final = re.compile(rb"\s*(?:data:|<)\s*(?=\{)")
"""What programs that listen to a websocket or to server-sent events write before each message."""


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON value of a file. `where` it stands: "line 7", "item 2", or "" for the only one."""

    where: str
    tree: Any


@dataclass(frozen=True, slots=True)
class UnreadablePlace:
    """A place that cannot be read, and why, in words that name the place."""

    reason: str


def unpacked(path: Path) -> bytes:
    """Return a file's content, unpacked where its first bytes say gzip or zstandard, whatever its name.

    Raises:
        OSError, ValueError: it cannot be read, is packed data that is damaged or cut, or holds more than MOST_BYTES.
    """
    with path.open("rb") as handle:
        data = handle.read(MOST_BYTES + 1)
    for _ in range(_MOST_PACKED):
        if data.startswith(_GZIP):
            data = _without_gzip(data)
        elif data.startswith(_ZSTD):
            data = _without_zstd(data)
    if len(data) > MOST_BYTES:
        raise ValueError(f"it holds more than {MOST_BYTES >> 20} MiB: give its games in several files")
    for beginning, name in _NOT_UNPACKED.items():
        if data.startswith(beginning):
            raise ValueError(f"it is packed with {name}: unpack it first")
    if data.startswith(_UTF_16):  # as Windows writes what a command prints
        return data.decode("utf-16", errors="replace").encode()
    return data.removeprefix(b"\xef\xbb\xbf")


def _without_gzip(packed: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(packed)) as stream:
            return stream.read(MOST_BYTES + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"its gzip data are cut or damaged: {error}") from error


def _without_zstd(packed: bytes) -> bytes:
    try:
        import pyarrow as pa
    except ImportError as error:
        raise ValueError("zstandard files need pyarrow: install ouroboros[train], or unpack it (zstd -d)") from error
    try:
        with pa.input_stream(io.BytesIO(packed), compression="zstd") as stream:
            return bytes(stream.read(MOST_BYTES + 1))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"its zstandard data are cut or damaged: {error}") from error


def documents(data: bytes) -> Iterator[Document | UnreadablePlace]:
    """Yield the JSON values of a file: one a line, or one behind the other over any number of lines.

    A line that is no JSON stops no other; where values take several lines, what follows a fault cannot be read. An
    answer of a server that was kept whole, `{"status", "headers", "body"}`, is taken for its body.
    """
    try:
        alone = orjson.loads(data)
    except orjson.JSONDecodeError:
        lines = [(number, _bare(line)) for number, line in enumerate(data.splitlines(), start=1) if line.strip()]
        if any(line.startswith(b"{") and _is_json(line) for _, line in lines[:2]):
            yield from map(_of_line, lines)
        else:
            yield from _one_behind_the_other(data)
    else:
        yield from _items(alone)


def _of_line(numbered: tuple[int, bytes]) -> Document | UnreadablePlace:
    number, line = numbered
    try:
        return _body(Document(f"line {number}", orjson.loads(line)))
    except orjson.JSONDecodeError as error:
        return UnreadablePlace(f"line {number} is no JSON: {error.msg}")


def _bare(line: bytes) -> bytes:
    """A line without what is no part of its value: a websocket's prefix, a comma behind it."""
    return _PREFIX.sub(b"", line, count=1).strip().removesuffix(b",")


def _one_behind_the_other(data: bytes) -> Iterator[Document | UnreadablePlace]:
    text, decoder, at, number = data.decode(errors="replace"), json.JSONDecoder(), 0, 1
    counted = 0
    while (match := _BLANKS.match(text, at)) and match.end() < len(text):
        at = match.end()
        number += text.count("\n", counted, at)
        counted = at
        try:
            tree, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            yield UnreadablePlace(f"line {error.lineno} is no JSON: {error.msg}")
            return
        except (RecursionError, ValueError) as error:
            yield UnreadablePlace(f"line {number} is no JSON: {error}")
            return
        yield _body(Document(f"line {number}", tree))


def _items(alone: Any) -> Iterator[Document | UnreadablePlace]:
    """The only value of a file; where that is a list of objects, each of them."""
    body = _body(Document("", alone))
    if isinstance(body, UnreadablePlace) or not isinstance(body.tree, list):
        yield body
        return
    for number, item in enumerate(body.tree, start=1):
        yield _body(Document(f"item {number}", item))


def _body(document: Document) -> Document | UnreadablePlace:
    tree = document.tree
    if not isinstance(tree, dict) or tree.keys() != {"status", "headers", "body"}:
        return document
    if tree["status"] == 200:
        return Document(document.where, tree["body"])
    what = "what a server answered, and no game" if tree["status"] in (201, 204) else "an error that a server answered"
    return UnreadablePlace(f"{document.where or 'it'} is {what}: {tree['status']} {tree['body']}")


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def at(where: str, what: str) -> str:
    """Return `what`, said of the place `where`."""
    return f"{where}: {what}" if where else what


def lowered(tree: Any) -> Any:
    """Return the same tree with all keys in lower case."""
    if isinstance(tree, dict):
        return {str(key).lower(): lowered(value) for key, value in tree.items()}
    return [lowered(item) for item in tree] if isinstance(tree, list) else tree


def in_words(error: Exception) -> str:
    """Return what an error says of the field it is about."""
    if isinstance(error, ValidationError):
        return describe(error)
    if isinstance(error, KeyError):
        return f"the field {error} is missing"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    wrong_kind = isinstance(error, TypeError | AttributeError | IndexError)
    return f"a field is not what it must be ({error})" if wrong_kind else str(error)


FIELD_ERRORS: Final = (
    KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError, RecursionError,
)  # fmt: skip
"""What reading a field that is not what it must be raises."""
