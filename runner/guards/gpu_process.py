"""The GPUs as seen through a process of its own: a driver that hangs or crashes costs an answer, never the daemon."""

import logging
import os
import selectors
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from runner.guards.gpu import LIBRARY, driver_traces, without_library
from runner.guards.gpu_child import GpuReply, GpuRequest
from schemas.machine import GpuFinding, GpuState, GpuUse

ANSWER_S = 5.0
"""How long a caller waits for a driver that has not failed to answer so far; after that nobody waits for it, and the
answer is taken whenever it comes (a machine with many GPUs may take half a minute to start its driver)."""
GIVE_UP_S = 60.0
"""A process whose question is older is ended, and another one is tried."""
RETRY_S = 60.0
LONGEST_RETRY_S = 600.0
"""Between two tries: doubled each time up to the longest."""
_END_S = 1.0
_MOST_BYTES = 1_000_000
_LOADER_CACHE = Path("/etc/ld.so.cache")
_ARCHITECTURE = sysconfig.get_config_var("MULTIARCH") or "."
_LIBRARY_FOLDERS = ("/lib64", "/usr/lib64", f"/lib/{_ARCHITECTURE}", f"/usr/lib/{_ARCHITECTURE}", "/usr/lib/wsl/lib")
_log = logging.getLogger("ouroboros.gpu")
_log.addHandler(logging.NullHandler())  # a command without a log says it by its own words


def library_is_installed(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the loader would find the driver's library; nothing of it is loaded, which could hang already."""
    folders = [*environment.get("LD_LIBRARY_PATH", "").split(":"), *_LIBRARY_FOLDERS, f"{sys.prefix}/lib"]
    if any(folder and os.path.lexists(f"{folder}/{LIBRARY}") for folder in folders):
        return True
    try:
        return LIBRARY.encode() in _LOADER_CACHE.read_bytes()
    except OSError:
        return False


class GpuProcess:
    """A `GpuProbe` that asks `runner.guards.gpu_child`, started at the first question; `close` ends it.

    Where the driver's library is not installed there is no process. Any thread may ask.

    Args:
        installed: whether the driver's library is there.
        answer_s, give_up_s, retry_s: as the constants of this file.
    """

    def __init__(
        self,
        installed: Callable[[], bool] = library_is_installed,
        answer_s: float = ANSWER_S,
        give_up_s: float = GIVE_UP_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._installed = installed
        self._answer_s, self._give_up_s, self._retry_s = answer_s, give_up_s, retry_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended: subprocess.Popen[bytes] | None = None
        """KILLed, and perhaps held where no signal reaches it: no other one is started before it is gone."""
        self._read = b""
        self._number = 0
        self._pending = False
        """The last question has no answer yet."""
        self._asked_at_s = 0.0
        self._silent_since_s: float | None = None
        self._crash = ""
        """How the last process ended by itself; "" where it did not."""
        self._failures = 0
        self._retry_at_s = float("-inf")

    def look(self, own_pids: Collection[int] = ()) -> GpuState:
        """The state now; SILENT where the driver does not answer. Never raises, and waits `answer_s` at most."""
        if not self._installed():
            self.close()
            return without_library(driver_traces())
        answer = self._ask(GpuRequest(number=0, own_pids=frozenset(own_pids)))
        if answer is not None and answer.state is not None:
            return answer.state
        return self._without_answer()

    def use_of(self, pids: set[int]) -> GpuUse | None:
        """What these processes hold of the GPUs; None when nothing, or when it cannot be told."""
        if not self._installed():
            return None
        answer = self._ask(GpuRequest(number=0, use_of=frozenset(pids)))
        return answer.use if answer is not None else None

    def close(self) -> None:
        """End the process."""
        if self._lock.acquire(timeout=self._answer_s + _END_S):
            try:
                self._end()
            finally:
                self._lock.release()

    def _without_answer(self) -> GpuState:
        if self._crash:
            words = f"a look at the NVIDIA driver ends with its process ({self._crash}); see what `nvidia-smi` says"
            return GpuState(finding=GpuFinding.DRIVER_BROKEN, detail=words)
        since_s = self._silent_since_s
        silent_s = 0.0 if since_s is None else time.monotonic() - since_s
        words = f"the NVIDIA driver does not answer, asked {silent_s:.0f} s ago; see whether `nvidia-smi` does"
        return GpuState(finding=GpuFinding.SILENT, detail=words, silent_s=silent_s)

    def _ask(self, question: GpuRequest) -> GpuReply | None:
        if not self._lock.acquire(timeout=self._answer_s):  # somebody else waits for the driver
            return None
        try:
            return self._ask_alone(question)
        except OSError as error:  # no process or pipe to be had, or it died at this moment
            self._died(str(error.strerror) if self._process is None else _how_it_ended(self._process))
            return None
        finally:
            self._lock.release()

    def _ask_alone(self, question: GpuRequest) -> GpuReply | None:
        now_s = time.monotonic()
        if self._process is None and not self._start(now_s):
            return None
        if self._pending and self._receive(0.0) is None:
            if self._process is not None and now_s - self._asked_at_s > self._give_up_s:
                self._give_up(now_s)
            return None
        process = self._process
        if process is None:  # it has died since
            return None
        self._number += 1
        self._pending, self._asked_at_s = True, now_s
        assert process.stdin is not None
        process.stdin.write(question.model_copy(update={"number": self._number}).model_dump_json().encode() + b"\n")
        if self._silent_since_s is None:
            answer = self._receive(self._answer_s)
            if answer is None and self._process is not None:
                self._silent_since_s, self._crash = now_s, ""
                _log.warning("The NVIDIA driver has not answered within %g s", self._answer_s)
            return answer
        return self._receive(0.0)

    def _start(self, now_s: float) -> bool:
        if now_s < self._retry_at_s:
            return False
        if self._ended is not None and self._ended.poll() is None:
            return False
        self._ended = None
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "runner.guards.gpu_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        self._read, self._pending = b"", False
        return True

    def _receive(self, patience_s: float) -> GpuReply | None:
        """The answer to the last question, if it comes in time; older ones are passed over."""
        end_s = time.monotonic() + patience_s
        while True:
            line, newline, rest = self._read.partition(b"\n")
            if newline:
                self._read = rest
                answer = self._understood(line)
                if answer is not None and answer.number == self._number:
                    self._answered()
                    return answer
                continue
            if not self._fill(max(0.0, end_s - time.monotonic())):
                return None

    def _fill(self, patience_s: float) -> bool:
        """Read what has come; False when nothing did in time."""
        process = self._process
        if process is None or process.stdout is None:
            return False
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(patience_s):
                return False
        data = os.read(process.stdout.fileno(), 65536)
        if not data or len(self._read) > _MOST_BYTES:
            self._died(_how_it_ended(process))
            return False
        self._read += data
        return True

    def _understood(self, line: bytes) -> GpuReply | None:
        try:
            return GpuReply.model_validate_json(line)
        except ValidationError:
            return None

    def _answered(self) -> None:
        if self._silent_since_s is not None:
            _log.info("The NVIDIA driver answers again")
        self._pending, self._silent_since_s, self._crash, self._failures = False, None, "", 0

    def _died(self, how: str) -> None:
        self._crash = how
        _log.warning("The process that looks at the GPUs ended: %s", how)
        self._failed()

    def _give_up(self, now_s: float) -> None:
        _log.warning("The NVIDIA driver has not answered for %.0f s; it is asked anew later", now_s - self._asked_at_s)
        self._failed()

    def _failed(self) -> None:
        self._end()
        self._retry_at_s = time.monotonic() + min(self._retry_s * 2.0 ** min(self._failures, 30), LONGEST_RETRY_S)
        self._failures += 1

    def _end(self) -> None:
        process, self._process = self._process, None
        self._pending = False
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._ended = process


def _how_it_ended(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(_END_S)
    except subprocess.TimeoutExpired:
        return "it closed its answers"
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
