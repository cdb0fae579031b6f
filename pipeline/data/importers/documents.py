"""A file's JSON documents: unpacked, one a line or one alone, each with the place where it stands."""

import gzip
import io
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


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON value of a file. `where` it stands: "line 7", "item 2", or "" for the only one."""

    where: str
    tree: Any


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place that cannot be read, and why, in words that name the place."""

    reason: str


def unpacked(path: Path) -> bytes:
    """Return a file's content, unpacked where its first bytes say gzip or zstandard, whatever its name.

    Raises:
        OSError, ValueError: it cannot be read, is packed data that is damaged or cut, or holds more than MOST_BYTES.
    """
    with path.open("rb") as handle:
        packed = handle.read(MOST_BYTES + 1)
    if packed.startswith(_GZIP):
        try:
            with gzip.open(io.BytesIO(packed)) as stream:
                data = stream.read(MOST_BYTES + 1)
        except (EOFError, zlib.error) as error:
            raise ValueError(f"its gzip data are cut or damaged: {error}") from error
    else:
        data = _without_zstd(packed) if packed.startswith(_ZSTD) else packed
    if len(data) > MOST_BYTES:
        raise ValueError(f"it holds more than {MOST_BYTES >> 20} MiB: give its games in several files")
    return data.removeprefix(b"\xef\xbb\xbf")


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


def documents(data: bytes) -> Iterator[Document | Unreadable]:
    """Yield the JSON values of a file: the one it is, or one a line. A line that is none stops no other.

    An answer of a server that was kept whole, `{"status", "headers", "body"}`, is taken for its body.
    """
    try:
        alone = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        lines = [(number, line) for number, line in enumerate(data.splitlines(), start=1) if line.strip()]
        if not any(line.lstrip().startswith(b"{") and _is_json(line) for _, line in lines[:2]):
            yield Unreadable(f"line {error.lineno} is no JSON: {error.msg}")
            return
    else:
        yield from _items(alone)
        return
    for number, line in lines:
        try:
            yield _body(Document(f"line {number}", orjson.loads(line)))
        except orjson.JSONDecodeError as error:
            yield Unreadable(f"line {number} is no JSON: {error.msg}")


def _items(alone: Any) -> Iterator[Document | Unreadable]:
    """The only value of a file; where that is a list of objects, each of them."""
    body = _body(Document("", alone))
    if isinstance(body, Unreadable) or not isinstance(body.tree, list):
        yield body
        return
    for number, item in enumerate(body.tree, start=1):
        yield _body(Document(f"item {number}", item))


def _body(document: Document) -> Document | Unreadable:
    tree = document.tree
    if not isinstance(tree, dict) or tree.keys() != {"status", "headers", "body"}:
        return document
    if tree["status"] == 200:
        return Document(document.where, tree["body"])
    return Unreadable(f"{document.where or 'it'} is an error that a server answered: {tree['status']} {tree['body']}")


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def at(where: str, what: str) -> str:
    """Return `what`, said of the place `where`."""
    return f"{where}: {what}" if where else what


def in_words(error: Exception) -> str:
    """Return what an error says of the field it is about."""
    if isinstance(error, ValidationError):
        return describe(error)
    return f"the field {error} is missing" if isinstance(error, KeyError) else str(error)


FIELD_ERRORS: Final = (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError)
"""What reading a field that is not what it must be raises."""
