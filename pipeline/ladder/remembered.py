"""Answers with the marks by which a server says "nothing is new" (ETag, Last-Modified), kept between two commands.

A server that sends no such mark, as the recorded one does, is simply asked anew: nothing is kept then.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from pipeline.ladder.connection import Reply
from schemas.base import Frozen
from schemas.files import write_atomic

_MOST: Final = 64
_MOST_BYTES: Final = 1 << 20


class _Kept(Frozen):
    etag: str = ""
    last_modified: str = ""
    body_base64: str


class _Shelf(Frozen):
    whose: str
    """Of the address and the token: another one's answers are not ours."""
    answers: dict[str, _Kept]


@dataclass(slots=True)
class RememberedAnswers:
    """Answers by path, in a file of the Arena's folder; a file that cannot be read is as none."""

    path: Path
    whose: str
    _answers: dict[str, _Kept] = field(default_factory=dict)
    _changed: bool = False

    @classmethod
    def of(cls, folder: Path, base_url: str, token: str) -> "RememberedAnswers":
        """Read what is remembered of this server for this token."""
        whose = hashlib.sha256(f"{base_url}\n{token}".encode()).hexdigest()
        path = folder / "answers.json"
        try:
            shelf = _Shelf.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return cls(path, whose)
        return cls(path, whose, dict(shelf.answers) if shelf.whose == whose else {})

    def validators(self, path: str) -> Mapping[str, str]:
        """Return the headers that ask only for what is new."""
        kept = self._answers.get(path)
        if kept is None:
            return {}
        marks = {"If-None-Match": kept.etag, "If-Modified-Since": kept.last_modified}
        return {name: value for name, value in marks.items() if value}

    def body(self, path: str) -> bytes:
        """Return the answer as it came last; empty where none is remembered."""
        kept = self._answers.get(path)
        return base64.b64decode(kept.body_base64) if kept else b""

    def keep(self, path: str, reply: Reply) -> None:
        """Remember an answer, if the server gave it a mark."""
        etag, modified = reply.headers.get("etag", ""), reply.headers.get("last-modified", "")
        before = self._answers.pop(path, None)
        if (etag or modified) and len(reply.body) <= _MOST_BYTES:
            text = base64.b64encode(reply.body).decode()
            self._answers[path] = _Kept(etag=etag, last_modified=modified, body_base64=text)
        self._changed = self._changed or before != self._answers.get(path)
        for oldest in list(self._answers)[:-_MOST]:
            del self._answers[oldest]

    def save(self) -> None:
        """Write what changed.

        Raises:
            OSError: the file cannot be written.
        """
        if self._changed:
            write_atomic(self.path, _Shelf(whose=self.whose, answers=self._answers).model_dump_json())
            self._changed = False
