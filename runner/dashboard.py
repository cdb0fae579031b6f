"""The web process beside the daemon: started, started again when it dies, ended with the daemon. Never waited for.

Nothing of `runner.web` is imported here: what it is built with stays out of the daemon.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from runner.single_instance import is_held
from schemas.outside_text import ERROR_LIMIT, passage
from schemas.service import LOCK_NAME
from schemas.settings import Settings

MODULE = "runner.web"
LOOK_S = 5.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 300.0
END_S = 5.0
_LASTING_S = 60.0
"""A process that lived for so long was well: the next failure is a first one again."""
_TOLD_BYTES = 8_192
_log = logging.getLogger("ouroboros.dashboard")


class DashboardProcess:
    """One web process of this state folder, from the first `turn` to `__exit__`.

    Args:
        say: told in one line when it cannot be started, once for each reason.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None] = lambda _line: None) -> None:
        self._settings = settings
        self._say = say
        self._child: subprocess.Popen[bytes] | None = None
        self._wait_s = FIRST_WAIT_S
        self._looks = 0
        self._told = ""
        self._lock = threading.Lock()
        self._ending = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it; a second daemon may come at once and want the port."""
        with self._lock:
            self._ending = True
            self._end()

    def use(self, settings: Settings) -> None:
        """Take new settings: the process is started anew with them where they are others."""
        with self._lock:
            before, self._settings = self._settings, settings
            if before.web != settings.web:
                self._end()
                self._wait_s = FIRST_WAIT_S

    def turn(self) -> float:
        """Look at it, or start it; seconds until the next look."""
        with self._lock:
            if self._ending:
                return LONGEST_WAIT_S
            if self._child is None:
                self._end_orphan()
                self._start()
                return FIRST_WAIT_S
            if self._child.poll() is None:
                self._looks += 1
                if self._looks * LOOK_S > _LASTING_S:
                    self._wait_s, self._told = FIRST_WAIT_S, ""
                return LOOK_S
            return self._after_death(self._child)

    def _start(self) -> None:
        self._looks = 0
        self._words_path.parent.mkdir(parents=True, exist_ok=True)
        with self._words_path.open("wb") as log:
            # Each thread's own arena of the allocator would cost a megabyte or more.
            self._child = subprocess.Popen(
                [sys.executable, "-m", MODULE],
                env=os.environ | {"MALLOC_ARENA_MAX": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl+C is the daemon's, which ends this one last
            )

    def _after_death(self, child: subprocess.Popen[bytes]) -> float:
        self._child = None
        reason = self._last_words() or f"it ended with code {child.returncode}"
        if reason != self._told:
            _log.warning("The dashboard is down: %s", reason)
            self._say(f"The dashboard is down: {reason}")
            self._told = reason
        wait_s, self._wait_s = self._wait_s, min(2 * self._wait_s, LONGEST_WAIT_S)
        return wait_s

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _end_orphan(self) -> None:
        """One whose daemon was killed serves on, perhaps from an older version: a new daemon takes its place."""
        lock = self._settings.home.absolute() / LOCK_NAME
        if not is_held(lock):
            return
        with suppress(OSError, ValueError, KeyError, TypeError):
            pid = int(json.loads(lock.read_text())["pid"])
            if MODULE.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                os.kill(pid, signal.SIGTERM)

    @property
    def _words_path(self) -> Path:
        """What it says on its way out; its log is another file, of its own."""
        return self._settings.logs_dir.absolute() / "dashboard.err"

    def _last_words(self) -> str:
        with suppress(OSError), self._words_path.open("rb") as log:
            log.seek(max(0, self._words_path.stat().st_size - _TOLD_BYTES))
            lines = [each for each in log.read().decode("utf-8", "replace").splitlines() if each.strip()]
            return passage(lines[-1], ERROR_LIMIT) if lines else ""
        return ""
