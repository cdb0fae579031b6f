"""The line to a snake's program that plays its games itself: `ouroboros-arena/1`, deploy/go-snake/arena/README.md."""

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import IO, Any

PROTOCOL = "ouroboros-arena/1"
HELLO_DEADLINE_S = 5.0
"""From the start of a program to its hello: one that says none by then is a server."""
END_DEADLINE_S = 5.0
MOST_LINE_BYTES = 64 << 20

Message = Mapping[str, Any]


@dataclass(frozen=True)
class Hello:
    """What an arena says of itself."""

    rulesets: frozenset[str]
    maps: frozenset[str]
    most_seats: int
    workers: int
    """Games that it plays at once."""
    watch: bool = False
    """It can tell a game turn by turn."""


class ArenaLink:
    """A running arena. `open_link` makes it.

    `send` from one thread, `receive` from one thread; the process ends with `close`, or with this process: it ends
    itself once its standard input does.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process, self._to, self._log = process, process.stdin, log
        self._messages: SimpleQueue[Message | None] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(process.stdout,), name="arena", daemon=True)
        self._reader.start()
        self.ended = False
        """Whether it has said its last word."""

    def send(self, message: Message) -> None:
        """Send a line; one that has ended takes it silently, `receive` tells."""
        with contextlib.suppress(OSError, ValueError):
            self._to.write(json.dumps(message).encode() + b"\n")
            self._to.flush()

    def receive(self, timeout_s: float) -> Message | None:
        """The next line, waited for at most so long; None: none came, or it has ended (`ended`)."""
        if self.ended:
            return None
        try:
            message = self._messages.get(timeout=timeout_s) if timeout_s > 0 else self._messages.get_nowait()
        except Empty:
            return None
        self.ended = message is None
        return message

    def last_words(self) -> str:
        """The end of what it wrote to standard error."""
        with contextlib.suppress(OSError):
            return self._log.read_text(encoding="utf-8", errors="replace")[-2000:].strip()
        return ""

    def close(self) -> None:
        """End it. Harmless when repeated."""
        with contextlib.suppress(OSError, ValueError):
            self._to.close()
        try:
            self._process.wait(END_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _read(self, lines: IO[bytes]) -> None:
        """Lines that are no JSON object are the snake's own and skipped: it may print before it says hello."""
        with lines:
            while line := lines.readline(MOST_LINE_BYTES):
                with contextlib.suppress(ValueError):
                    message = json.loads(line)
                    if isinstance(message, dict):
                        self._messages.put(message)
        self._messages.put(None)


def open_link(binary: Path, folder: Path, log: Path) -> tuple[ArenaLink, Hello] | str:
    """Start a snake's program as an arena in `folder`; why it is none, where it is none."""
    try:
        with log.open("ab") as errors:
            process = subprocess.Popen(
                [binary],
                cwd=folder,
                env={**os.environ, "OUROBOROS_ARENA": "1", "OUROBOROS_GAMES_DIR": "", "PORT": "0"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                process_group=0,
            )
    except OSError as error:
        return f"its program cannot be started ({error.strerror})"
    link = ArenaLink(process, log)
    hello = _hello(link)
    if isinstance(hello, str):
        process.kill()
        link.close()
        return hello
    return link, hello


def _hello(link: ArenaLink) -> Hello | str:
    deadline = monotonic() + HELLO_DEADLINE_S
    while (left_s := deadline - monotonic()) > 0:
        message = link.receive(left_s)
        if message is None:
            break
        if message.get("type") != "hello":
            continue
        if message.get("protocol") != PROTOCOL:
            return f"its program speaks {message.get('protocol')}, not {PROTOCOL}"
        return Hello(
            frozenset(message["rulesets"]),
            frozenset(message["maps"]),
            message["most_seats"],
            message["workers"],
            message.get("watch") is True,
        )
    return "its program does not call arena.Main (it ended)" if link.ended else "its program does not call arena.Main"
