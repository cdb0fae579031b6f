"""One server, asked politely: paced, each call under one deadline and one size limit, faults in one sentence.

urllib3, because it is here already (Apprise brings it), is kept by people who answer within days, and does just this:
connections, TLS, lengths that are held to. Deadlines are ours: a socket's timeout begins anew with each byte, and no
look-up of a name has one. So a call runs in a thread of its own, which is left to itself once the time is up.
"""

import base64
import hashlib
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit

import urllib3
from pydantic import ValidationError
from urllib3.exceptions import (
    HTTPError,
    IncompleteRead,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    SSLError,
    TimeoutError,
)

from schemas.base import Frozen
from schemas.errors import ArenaAwayError
from schemas.files import write_atomic
from schemas.outside_text import error_line, line

_CHUNK_BYTES: Final = 64 << 10
_MOST_HOPS: Final = 3
_AGENT: Final = "ouroboros (a Battlesnake trainer; https://docs.battlesnake.com)"
_MOST: Final = 64
_MOST_BYTES: Final = 1 << 20


class Cut(ArenaAwayError):
    """The answer ended before its announced end: worth another try."""


class TooLarge(ArenaAwayError):
    """The answer is larger than we take."""


class Unreached(ArenaAwayError):
    """The request never left this machine: even one that creates something may be sent again."""


@dataclass(frozen=True, slots=True)
class ArenaReply:
    """An answer, whatever its status. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Traffic:
    """What was asked so far."""

    requests: int = 0
    bytes_read: int = 0


@dataclass(slots=True)
class ArenaConnection:
    """Calls to the server at `base_url`.

    Args:
        token: sent to that server alone, and never told; empty: none.
        call_limit_s: for a call, from the look-up of the name to the last byte.
        requests_per_s: calls are spread so that there are no more.
        pause: waits so many seconds (a test counts them instead).
    """

    base_url: str
    token: str = field(repr=False)
    call_limit_s: float
    requests_per_s: float
    pause: Callable[[float], None] = time.sleep
    monotonic_s: Callable[[], float] = time.monotonic
    traffic: Traffic = field(default_factory=Traffic)
    _pool: urllib3.HTTPConnectionPool | None = None
    _next_s: float = 0.0

    def call(
        self, method: str, path: str, body: bytes = b"", extra: Mapping[str, str] | None = None, *, most_bytes: int
    ) -> ArenaReply:
        """Ask once. Redirects within the server are followed for GET; no other host ever sees the token.

        Args:
            extra: headers beside ours.
            most_bytes: of the answer, unpacked.

        Raises:
            Unreached: no connection came about.
            Cut: the answer ended early.
            TooLarge: it is larger than `most_bytes`.
            ArenaAwayError: no answer in time, or one that sends elsewhere.
        """
        for _ in range(_MOST_HOPS + 1):
            self._wait_for_turn()
            reply = self._within_limit(method, path, body, extra or {}, most_bytes)
            if reply.status not in {301, 302, 303, 307, 308} or "location" not in reply.headers:
                return reply
            path = self._onward(method, path, reply.headers["location"])
        raise self._away("it sends from address to address without an end")

    def _wait_for_turn(self) -> None:
        now_s = self.monotonic_s()
        if now_s < self._next_s:
            self.pause(self._next_s - now_s)
        self._next_s = max(now_s, self._next_s) + 1 / self.requests_per_s

    def _onward(self, method: str, path: str, location: str) -> str:
        here = urlsplit(self.base_url)
        try:
            there = urlsplit(urljoin(self.base_url + path, location))
        except ValueError as error:
            raise self._away(f"it sends us to {line(location, 200)}, which is no address") from error
        if method != "GET" or (there.scheme, there.netloc) != (here.scheme, here.netloc):
            raise ArenaAwayError(
                f"the Arena sends us to {line(location, 200)}, where the token must not go",
                where=self.base_url,
                remedy="Set arena.base_url to its new address if it has moved.",
            )
        onward = there.path.removeprefix(here.path) + (f"?{there.query}" if there.query else "")
        return onward or "/"

    def _within_limit(
        self, method: str, path: str, body: bytes, extra: Mapping[str, str], most_bytes: int
    ) -> ArenaReply:
        found: list[ArenaReply | Exception] = []

        def work() -> None:
            try:
                found.append(self._ask(method, path, body, extra, most_bytes))
            except Exception as error:  # noqa: BLE001 - handed to the caller's thread
                found.append(error)

        thread = threading.Thread(target=work, name="arena call", daemon=True)
        thread.start()
        thread.join(self.call_limit_s)
        self.traffic.requests += 1
        if not found:
            self._pool = None  # its connection is still at the old answer
            raise self._away(f"it has not answered within {self.call_limit_s:g} s")
        if isinstance(found[0], ArenaReply):
            return found[0]
        self._pool = None
        raise self._in_words(found[0])

    def _ask(self, method: str, path: str, body: bytes, extra: Mapping[str, str], most_bytes: int) -> ArenaReply:
        pool = self._pool = self._pool or self._opened()
        response = pool.urlopen(
            method,
            urlsplit(self.base_url).path + path,
            body=body or None,
            headers=self._headers(bool(body)) | dict(extra),
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=self.call_limit_s,
        )
        data = bytearray()
        for chunk in response.stream(_CHUNK_BYTES, decode_content=True):
            data += chunk
            if len(data) > most_bytes:
                response.close()
                raise TooLarge("")
        self.traffic.bytes_read += len(data)
        response.release_conn()
        return ArenaReply(
            response.status, {name.lower(): value for name, value in response.headers.items()}, bytes(data)
        )

    def _opened(self) -> urllib3.HTTPConnectionPool:
        parts = urlsplit(self.base_url)
        assert parts.hostname is not None, "the settings saw to it"
        if parts.scheme == "http":
            return urllib3.HTTPConnectionPool(parts.hostname, parts.port, maxsize=1)
        return urllib3.HTTPSConnectionPool(
            parts.hostname, parts.port, maxsize=1, ssl_context=ssl.create_default_context()
        )

    def _headers(self, with_body: bool) -> dict[str, str]:
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": _AGENT}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers | ({"Content-Type": "application/json"} if with_body else {})

    def _away(self, what: str, kind: type[ArenaAwayError] = ArenaAwayError, remedy: str = "") -> ArenaAwayError:
        return kind(f"the Arena cannot be asked: {what}", where=self.base_url, remedy=remedy or "Try again later.")

    def _in_words(self, error: Exception) -> ArenaAwayError:
        """A library's fault as a sentence of ours, which never holds a header."""
        reason = getattr(error, "reason", None)
        cause = reason if isinstance(reason, Exception) else error
        network, secure = (
            "Check arena.base_url and the network.",
            "SSL_CERT_FILE names certificates of your own; check arena.base_url and the clock.",
        )
        kind, what, remedy = ArenaAwayError, error_line(cause, 200), ""
        match cause:
            case TooLarge():
                kind, what = TooLarge, "its answer is larger than we take"
            case NameResolutionError():
                kind, what, remedy = Unreached, f"the name {urlsplit(self.base_url).hostname} is not found", network
            case SSLError() | ssl.SSLError():
                said = line(str(cause).partition("] ")[2] or str(cause), 200)
                kind, what, remedy = Unreached, f"no secure connection: {said}", secure
            case NewConnectionError():
                kind, what, remedy = Unreached, "no connection", network
            case TimeoutError():
                what = f"it has not answered within {self.call_limit_s:g} s"
            case ProtocolError():
                kind, what = Cut, _how_cut(cause)
            case HTTPError():
                kind = Cut
        return self._away(what, kind, remedy)


def _how_cut(error: ProtocolError) -> str:
    found = (part for part in (error, *error.args) if isinstance(part, IncompleteRead))
    return next((f"its answer was cut after {cut.partial:,} bytes" for cut in found), "it closed the connection")


class _Kept(Frozen):
    etag: str = ""
    last_modified: str = ""
    body_base64: str


class _AnswersFile(Frozen):
    whose: str
    """Of the address and the token: another one's answers are not ours."""
    answers: dict[str, _Kept]


@dataclass(slots=True)
class AnswerCache:
    """Answers by path, in a file of the Arena's folder; a file that cannot be read is as none."""

    path: Path
    whose: str
    _answers: dict[str, _Kept] = field(default_factory=dict)
    _changed: bool = False

    @classmethod
    def of(cls, folder: Path, base_url: str, token: str) -> "AnswerCache":
        """Read what is remembered of this server for this token."""
        whose = hashlib.sha256(f"{base_url}\n{token}".encode()).hexdigest()
        path = folder / "answers.json"
        try:
            kept = _AnswersFile.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return cls(path, whose)
        return cls(path, whose, dict(kept.answers) if kept.whose == whose else {})

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

    def keep(self, path: str, reply: ArenaReply) -> None:
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
            write_atomic(self.path, _AnswersFile(whose=self.whose, answers=self._answers).model_dump_json())
            self._changed = False
