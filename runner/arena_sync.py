"""`arena.sync`: every so many minutes the public Arena is asked for what is new, beside the loop.

A schedule-like source, not a schedule: it takes no slot, waits for no guard and starts no run; what it fetches are
production games, which triggers look at. Off until there is a token. The work is a process's, which is ended when it
takes too long: an Arena that hangs costs one waiting thread.
"""

import logging
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import datetime

from pydantic import ValidationError

from runner.flow.runtime import Runtime
from runner.notify import messages
from runner.store import heartbeat
from schemas.ladder import SyncReport
from schemas.outside_text import REASON_LIMIT, line, to_json
from schemas.secrets import has_arena_token
from schemas.settings import Settings

LOOP = "arena.sync"
FIRST_TURN_AFTER_S = 20.0
"""Not while a start is busy with what is due."""
OFF_LOOK_S = 60.0
"""How soon a token that comes, or a setting, is noticed."""
EXPLAIN_LIMIT_S = 900.0
"""On top of a synchronisation's own limit: for what our snake thinks of lost games, and for building it."""
HUNG_AFTER_S = 6 * 3600.0
_COMMAND = (sys.executable, "-P", "-m", "runner.arena_sync_process")
_SAID_BYTES = 4000
_log = logging.getLogger("ouroboros.arena")


class ArenaSync:
    """One `turn` is one synchronisation."""

    def __init__(self, runtime: Runtime, first_after_s: float = FIRST_TURN_AFTER_S) -> None:
        self._runtime = runtime
        self._first_after_s = first_after_s
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def turn(self) -> float:
        """Synchronise, if that is asked for and there is a token; seconds until the next turn."""
        if self._first_after_s:
            after_s, self._first_after_s = self._first_after_s, 0.0
            return after_s
        settings = self._runtime.settings
        if self._closed or not settings.arena.sync_minutes or not has_arena_token(settings):
            return OFF_LOOK_S
        report = self._synchronise(settings)
        if not self._closed:
            self._note(report, self._runtime.clock.now())
        return settings.arena.sync_minutes * 60

    def close(self) -> None:
        """End the synchronisation under way, which the next daemon goes on with."""
        self._closed = True
        process = self._process
        if process is not None:
            _kill(process)

    def _synchronise(self, settings: Settings) -> SyncReport:
        limit_s = settings.arena.sync_limit_s + settings.arena.call_limit_s + EXPLAIN_LIMIT_S
        request = to_json(settings.located()).replace("\n", " ").encode() + b"\n"
        with subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            self._process = process
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                with suppress(BrokenPipeError):
                    process.stdin.write(request)
                    process.stdin.flush()
                return self._answer(process, limit_s)
            finally:
                _kill(process)
                self._process = None

    def _answer(self, process: "subprocess.Popen[bytes]", limit_s: float) -> SyncReport:
        stdin, process.stdin = process.stdin, None  # `communicate` would close it, and the child ends with it
        try:
            said, troubles = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return SyncReport(trouble=f"it was ended after {limit_s:g} s")
        finally:
            if stdin is not None:
                with suppress(OSError):
                    stdin.close()
        try:
            return SyncReport.model_validate_json(said)
        except ValidationError:
            last = line(troubles[-_SAID_BYTES:].strip().rpartition(b"\n")[2] or b"it said nothing", REASON_LIMIT)
            return SyncReport(trouble=f"its process ended without a report: {last}")

    def _note(self, report: SyncReport, now: datetime) -> None:
        """What went well is a row of the work's own; trouble is told."""
        for note in report.notes:
            _log.info("Arena: %s", note)
        if not report.trouble:
            _log.info("Arena: %s games fetched, %s requests", report.games, report.requests)
            return
        _log.warning("Arena: %s", report.trouble)
        with self._runtime.store.write() as session:
            heartbeat.loop_error(session, LOOP, report.trouble, now)
            if report.token_refused:
                message = messages.alert(
                    subject="the Arena refuses the token",
                    detail=report.trouble,
                    advice="Make a new one on the Arena's settings page, and `ouroboros arena login`.",
                    key=f"arena-token-{now:%Y%m%d}",
                    settings=self._runtime.settings.notifications,
                    now=now,
                )
                self._runtime.notifier.put(session, message, now)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """The child and what it started (compilers, our snake), unless it has ended: its number may be another's then."""
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
