"""The process that speaks Ray for a run: started, heard, given up. Whatever becomes of Ray, the run goes on without it:
its library ends the process that it is in once the head is gone for a minute."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from pipeline.cluster.messages import Begin
from pipeline.cluster.node import Head
from schemas.cluster import ray_variables

QUIET_S = 30.0
"""A bridge that says nothing for so long hangs, and is ended."""
_MODULE = "pipeline.cluster.bridge_child"
_LAST_WORDS_BYTES = 2000


class Bridge:
    """One process, from its start to `close`; the caller makes another one when it has `ended`.

    Raises:
        OSError: no process can be started.
    """

    def __init__(self, head: Head, begin: Begin, log: Path) -> None:
        ours, theirs = Pipe()
        self._connection, self._log = ours, log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", _MODULE, str(theirs.fileno()), head.address, head.host],
                env={**os.environ, **ray_variables(head.token)},
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl+C is the run's, which ends this one last
            )
        theirs.close()
        self._heard: SimpleQueue[Any] = SimpleQueue()
        self._to_say: SimpleQueue[Any] = SimpleQueue()
        self._heard_at = time.monotonic()
        self._gone = False
        self._threads = [
            threading.Thread(target=call, args=(ours,), name="cluster-bridge", daemon=True)
            for call in (self._hear, self._say)
        ]
        for thread in self._threads:
            thread.start()
        self.send(begin)

    def send(self, message: object) -> None:
        """Say something; a bridge that has ended takes it silently."""
        self._to_say.put(message)

    def receive(self, timeout_s: float) -> list[Any]:
        """What it said since the last call; waits for one at most so long."""
        found: list[Any] = []
        with contextlib.suppress(Empty):
            found.append(self._heard.get(timeout=timeout_s) if timeout_s > 0 else self._heard.get_nowait())
            while True:
                found.append(self._heard.get_nowait())
        return found

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        if time.monotonic() - self._heard_at > QUIET_S:
            self._process.kill()
            return True
        return self._gone and self._heard.empty()

    def last_words(self) -> str:
        """The last line that it wrote."""
        with contextlib.suppress(OSError):
            lines = self._log.read_bytes()[-_LAST_WORDS_BYTES:].decode(errors="replace").strip().splitlines()
            return lines[-1] if lines else ""
        return ""

    def close(self) -> None:
        """End it; what it started on the nodes ends with it. Harmless when repeated."""
        self._to_say.put(None)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join(5)
        self._connection.close()
        self._log.unlink(missing_ok=True)

    def _hear(self, connection: Connection) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._heard.put(connection.recv())
                self._heard_at = time.monotonic()
        self._gone = True

    def _say(self, connection: Connection) -> None:
        with contextlib.suppress(OSError):
            while (message := self._to_say.get()) is not None:
                connection.send(message)
            connection.send(None)
