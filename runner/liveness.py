"""Whether the loop turns: how long there was no sign of life, in which step it stands, and how that is said."""

import logging
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.flow.runtime import Runtime
from runner.notify import messages
from runner.notify.channels import DeliveryError
from runner.silence import SILENT_AFTER_S
from runner.store import heartbeat
from schemas.errors import StateError
from schemas.message import Message
from schemas.outside_text import error_line, line
from schemas.times import duration

LOOK_S = 5.0
STANDS_AFTER_S = 15.0
"""A step that takes longer is named in the daemon's row; the loop's heartbeat is due as often."""
LEAVE_AFTER_S = 120.0
"""A daemon that was asked to stop and stands for so long ends without its loop; the next start finishes its runs."""
_log = logging.getLogger("ouroboros.liveness")
PING_TIMEOUT_S = 10
_HEARTBEAT_URL = "notifications.heartbeat_url"


@dataclass(frozen=True, slots=True)
class StalledStep:
    """A step that has not ended."""

    step: str
    for_s: float


class LoopProgress:
    """Written by the loop's thread, read by others: one assignment each."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._in: tuple[str, float] | None = None
        self.thread_id: int | None = None

    def enter(self, step: str) -> None:
        """The loop's thread begins a step."""
        self.thread_id = threading.get_ident()
        self._in = (step, self._monotonic_s())

    def rest(self) -> None:
        """The turn has ended."""
        self._in = None

    def stalled_step(self) -> StalledStep | None:
        """The step under way; None between two turns."""
        inside = self._in
        return None if inside is None else StalledStep(inside[0], self._monotonic_s() - inside[1])


class LoopWatchdog:
    """One `turn` looks at the loop from outside."""

    def __init__(self, runtime: Runtime, progress: LoopProgress, is_stopping: Callable[[], bool]) -> None:
        self._runtime = runtime
        self._progress = progress
        self._is_stopping = is_stopping
        self.say: Callable[[str], None] = lambda _line: None
        """Told in words while the loop stands: the service manager's status line."""
        self.leave: Callable[[], None] = lambda: None
        """Ends the process."""
        self._named: str | None = None
        self._told: str | None = None

    def turn(self) -> float:
        """Look once; seconds until the next look."""
        stalled = self._progress.stalled_step()
        if stalled is None or stalled.for_s < STANDS_AFTER_S:
            self._named = self._told = None
            return LOOK_S
        now = self._runtime.clock.now()
        since = now - timedelta(seconds=stalled.for_s)
        self.say(f"no sign of life for {duration(now - since)}: it stands in the step {stalled.step}")
        self._write_down(stalled, since, now)
        if self._is_stopping() and stalled.for_s > LEAVE_AFTER_S:
            _log.critical("Asked to stop, and the step %s does not end: leaving at once", stalled.step)
            self.leave()
        return LOOK_S

    def _write_down(self, stalled: StalledStep, since: datetime, now: datetime) -> None:
        silent = stalled.for_s >= SILENT_AFTER_S
        if self._named == stalled.step and (self._told == stalled.step or not silent):
            return
        if silent and self._told != stalled.step:
            _log.error("The step %s has not ended for %.0f s:\n%s", stalled.step, stalled.for_s, self._stack())
        try:
            with self._runtime.store.write() as session:
                heartbeat.record_stalled_step(session, stalled.step, since)
                if silent:
                    self._runtime.notifier.put(session, self._alert(stalled, since, now), now)
        except StateError as error:
            _log.warning("That the step %s stands cannot be written down yet: %s", stalled.step, error)
            return
        self._named = stalled.step
        if silent:
            self._told = stalled.step

    def _alert(self, stalled: StalledStep, since: datetime, now: datetime) -> Message:
        return messages.alert(
            subject="the daemon lives and does nothing",
            detail=f"It has stood in the step {stalled.step} for {duration(now - since)}. Nothing fires meanwhile.",
            advice="Its log shows the line where it stands; under systemd the watchdog restarts it.",
            key=f"stands-{stalled.step}-{since:%Y%m%dT%H%M}",
            settings=self._runtime.settings.notifications,
            now=now,
        )

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._progress.thread_id or 0)
        return "".join(traceback.format_stack(frame)) if frame is not None else "(its thread is gone)"


def ping_heartbeat_url(url: str) -> None:
    """Fetch `notifications.heartbeat_url` once: where it falls silent, others notice (healthchecks.io and its like).
    Whoever knows the URL can keep us silent, so it is named by its setting alone.

    Raises:
        DeliveryError: it cannot be reached or does not answer 2xx.
    """
    import http.client  # here, as few daemons need Python's HTTP client
    import urllib.error
    import urllib.parse
    import urllib.request

    try:
        if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
            raise DeliveryError("the heartbeat URL is neither http nor https", where=_HEARTBEAT_URL)
        with urllib.request.urlopen(url, timeout=PING_TIMEOUT_S):  # noqa: S310 - the scheme was checked above
            pass
    except urllib.error.HTTPError as error:
        error.close()  # it is an answer too, with a connection of its own
        raise DeliveryError(f"the heartbeat URL answers {error.code}", where=_HEARTBEAT_URL) from error
    except urllib.error.URLError as error:
        reason = f"the heartbeat URL cannot be reached: {line(str(error.reason))}"
        raise DeliveryError(reason, where=_HEARTBEAT_URL) from error
    except (http.client.InvalidURL, ValueError) as error:
        raise DeliveryError("the heartbeat URL is none", where=_HEARTBEAT_URL, remedy="Correct it.") from error
    except (http.client.HTTPException, OSError) as error:
        reason = f"the heartbeat URL cannot be reached: {error_line(error)}"
        raise DeliveryError(reason, where=_HEARTBEAT_URL) from error
