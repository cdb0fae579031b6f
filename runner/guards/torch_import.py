"""Whether torch can be imported, tried in a process of its own: its libraries may raise, crash or hang."""

import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec

from schemas.machine import TorchFinding, TorchState
from schemas.outside_text import line

LIMIT_S = 120.0
"""A first import reads two gigabytes from a disk that may be slow."""
TRY_AGAIN_S = 600.0
"""After a failure, which a person may mend meanwhile."""
_WORDS = 300
_TAIL_BYTES = 200_000
_REMEDY = "reinstall it: pip install --force-reinstall 'ouroboros[train]'"
_COMMAND = (sys.executable, "-P", "-c", "import torch")

ABSENT = TorchState(
    finding=TorchFinding.ABSENT, detail="torch is not installed (install it: pip install 'ouroboros[train]')"
)
NOT_ASKED = TorchState(finding=TorchFinding.UNTRIED, detail="torch was not tried, since nothing asks for it")
_UNTRIED = TorchState(finding=TorchFinding.UNTRIED, detail="torch is being imported for a try")
_IMPORTABLE = TorchState(finding=TorchFinding.IMPORTABLE, detail="torch can be imported")


class TorchImport:
    """Tries in the background, once asked; a success holds for good, a failure for `TRY_AGAIN_S`. For any thread.

    Args:
        command: imports torch and ends.
        limit_s: an import that takes longer is taken for hung.
    """

    def __init__(self, command: Sequence[str] = _COMMAND, limit_s: float = LIMIT_S) -> None:
        self._command = list(command)
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._state = _UNTRIED
        self._stale_at_s = float("inf")

    def look(self, wait_s: float = 0.0) -> TorchState:
        """The outcome; UNTRIED while the first try is under way, for at most `limit_s`.

        Args:
            wait_s: how long to wait for a first outcome.
        """
        if find_spec("torch") is None:
            return ABSENT
        with self._lock:
            stale = time.monotonic() >= self._stale_at_s
            idle = self._thread is None or not self._thread.is_alive()
            if idle and (stale or self._state.finding is TorchFinding.UNTRIED):
                self._stale_at_s = float("inf")
                self._thread = threading.Thread(target=self._try, name="torch-import", daemon=True)
                self._thread.start()
            thread = self._thread
        if self._state.finding is TorchFinding.UNTRIED and thread is not None:
            thread.join(wait_s)
        return self._state

    def _try(self) -> None:
        try:
            state = _tried(self._command, self._limit_s)
        except OSError as error:  # no process or file to be had: that tells nothing about torch
            state = TorchState(finding=TorchFinding.BROKEN, detail=f"torch could not be tried: {error.strerror}")
        with self._lock:
            self._state = state
            if state.finding is not TorchFinding.IMPORTABLE:
                self._stale_at_s = time.monotonic() + TRY_AGAIN_S


def _tried(command: list[str], limit_s: float) -> TorchState:
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=printed, start_new_session=True
        )
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            with suppress(subprocess.TimeoutExpired):  # held where no signal reaches it: left behind
                process.wait(1.0)
            return _broken(f"its import has not ended within {limit_s:g} s")
        if code == 0:
            return _IMPORTABLE
        return _broken(_signal_name(-code) if code < 0 else _last_line(printed.fileno(), code))


def _broken(why: str) -> TorchState:
    return TorchState(finding=TorchFinding.BROKEN, detail=f"torch cannot be imported ({why}); {_REMEDY}")


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return f"its import ends with {signal.Signals(number).name}"
    return f"its import ends with signal {number}"


def _last_line(descriptor: int, code: int) -> str:
    with open(descriptor, "rb", closefd=False) as printed:
        size = printed.seek(0, 2)
        printed.seek(max(0, size - _TAIL_BYTES))
        lines = printed.read().decode("utf-8", errors="replace").splitlines()
    told = next((text.strip() for text in reversed(lines) if text.strip()), "")
    return line(told, _WORDS) if told else f"its import ends with exit code {code}"
