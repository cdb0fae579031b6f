"""`python -m runner.cluster_node`: one machine's part in a cluster, until it is asked to leave.

Settings and request come as two lines on standard input; one line on standard output says that Ray is up, or why it is
not. Then the guards are asked every two seconds, and their answer is laid where the players look. Ray that dies is
started again: a head that comes back finds its nodes back.
"""

import fcntl
import logging
import os
import shutil
import signal
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime

from runner.cluster_guard import LendingGuard
from runner.cluster_ray import RayProcesses, ray_folder
from schemas.cgroup import usable_processors
from schemas.cluster import (
    ANSWER_NAME,
    DRAIN_NAME,
    NOTE_NAME,
    PLAYING_NAME,
    NodeNote,
    NodeRequest,
    NodeRole,
    cluster_dir,
    process_began,
)
from schemas.errors import OuroborosError
from schemas.files import write_atomic
from schemas.outside_text import REASON_LIMIT, line
from schemas.settings import Settings

LOCK_NAME = "node.lock"
AGAIN_S = 10.0
"""How long after Ray died, or a head was not found, it is tried again."""
DRAINED_AFTER_S = 60.0
"""A node that was asked to leave stays so long for the games that it plays: they take seconds."""
_log = logging.getLogger("ouroboros.cluster")


class _Node:
    """See the module's text."""

    def __init__(self, settings: Settings, request: NodeRequest) -> None:
        self._settings, self._request = settings, request
        self._folder = cluster_dir(settings.home)
        cores = min(settings.cluster.cores or 10_000, usable_processors())
        self._ray = RayProcesses(settings, request, cores)
        self._guard = LendingGuard(settings, self._folder, cores)
        self._stop = threading.Event()

    def start(self) -> None:
        """Bring Ray up.

        Raises:
            OuroborosError: it does not come up.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        (self._folder / DRAIN_NAME).unlink(missing_ok=True)
        shutil.rmtree(self._folder / PLAYING_NAME, ignore_errors=True)
        self._guard.start()
        self._say()
        self._ray.start(self._settings.cluster.start_timeout_s)
        note = NodeNote(
            role=self._request.role,
            head=self._request.head,
            host=self._request.host,
            pid=os.getpid(),
            began=process_began(os.getpid()),
            ray_folder=str(ray_folder(self._settings.home)),
        )
        write_atomic(self._folder / NOTE_NAME, note.model_dump_json())

    def stay(self) -> None:
        """Until a signal, or until it was asked to leave and had time to end its games."""
        interval_s = self._settings.cluster.answer_interval_s
        left_s, again_s = DRAINED_AFTER_S, 0.0
        while not self._stop.wait(interval_s):
            self._say()
            if self._guard.draining:
                left_s -= interval_s
                if left_s <= 0 or self._idle():
                    _log.warning("It was asked to leave, and has.")
                    return
            again_s = max(0.0, again_s - interval_s)
            if not self._ray.up and not again_s:
                again_s = AGAIN_S
                self._revive()

    def close(self) -> None:
        """End Ray, and leave nothing that looks alive."""
        with suppress(OSError):
            (self._folder / NOTE_NAME).unlink(missing_ok=True)
            (self._folder / ANSWER_NAME).unlink(missing_ok=True)
            (self._folder / DRAIN_NAME).unlink(missing_ok=True)
        self._ray.end()
        self._guard.close()

    def _say(self) -> None:
        """A disk that is full says nothing, and an old word is none: no games come here then."""
        with suppress(OSError):
            answer = self._guard.answer(datetime.now(UTC))
            write_atomic(self._folder / ANSWER_NAME, answer.model_dump_json())

    def _idle(self) -> bool:
        return not any((self._folder / PLAYING_NAME).glob("*"))

    def _revive(self) -> None:
        words = "Ray has ended" if self._request.role is NodeRole.MASTER else "the head, or Ray here, has ended"
        _log.warning("%s; starting it again", words)
        try:
            self._ray.start(self._settings.cluster.start_timeout_s)
        except OuroborosError as error:
            _log.warning("%s", error)


def main() -> None:
    """Read what is asked, be a node, say how that began."""
    settings = Settings.model_validate_json(sys.stdin.buffer.readline())
    request = NodeRequest.model_validate_json(sys.stdin.buffer.readline())
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    with (cluster_dir(settings.home) / LOCK_NAME).open("a+") as lock:
        if not _locked(lock.fileno()):
            _report("this state folder is in a cluster already. `ouroboros cluster stop` takes it out.")
            sys.exit(2)
        node = _Node(settings, request)
        try:
            node.start()
            _report("")
            node.stay()
        except (OuroborosError, OSError) as error:
            _report(line(str(error), REASON_LIMIT))
            sys.exit(2)
        finally:
            node.close()


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _report(trouble: str) -> None:
    """One line for whoever started this, who then goes its way."""
    with suppress(OSError):
        os.write(1, f"{trouble}\n".encode())
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 0)
        os.close(null)


if __name__ == "__main__":
    main()
