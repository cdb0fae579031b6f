"""The daemon: the flow by name. It owns no policy; each step is a file of `runner.flow`.

One thread turns the loop. A step that fails costs its turn, a row and a message, never the loop: the next turn tries
again. Signals and other threads only set flags and wake the loop.
"""

import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version

from sqlalchemy.orm import Session

from runner.clock import WakeEvent
from runner.flow.check_triggers import CheckTriggers
from runner.flow.error_reporter import ErrorReporter
from runner.flow.fire import ExpireWaiting, FireSchedules
from runner.flow.follow_clock import FollowClock
from runner.flow.launch import LaunchRuns
from runner.flow.process_commands import ProcessCommands
from runner.flow.runtime import Runtime
from runner.flow.take_trigger_files import TakeTriggerFiles
from runner.flow.watch import WatchRuns
from runner.leader import LeaderLock, LeaderState
from runner.liveness import LoopProgress
from runner.notify import messages
from runner.periodic import PeriodicWork
from runner.store import heartbeat
from runner.store.heartbeat import DaemonRecord
from runner.worker.identity import boot_id
from schemas.automation import RunnerStatus
from schemas.errors import DatabaseAwayError, LeadershipLostError, StateError, TransientStateError

HEARTBEAT_INTERVAL_S = 15.0
"""How often the daemon writes that it lives, when nothing else happens."""
BUSY_INTERVAL_S = 0.5
"""How often it looks while runs are under way."""
_log = logging.getLogger("ouroboros.daemon")


@dataclass
class Steps:
    """The flow's steps, in the order of a turn."""

    clock: FollowClock
    commands: ProcessCommands
    expire: ExpireWaiting
    fire: FireSchedules
    trigger_files: TakeTriggerFiles
    triggers: CheckTriggers
    watch: WatchRuns
    launch: LaunchRuns

    def in_order(self) -> tuple[tuple[str, Callable[[datetime], None]], ...]:
        """The clock first: no step may act by an instant that was not put right yet. Commands next, so that a pause
        holds for this turn; the watch before the launch, so that a run that has ended makes room for the next one in
        the same turn."""
        return (
            ("clock", self.clock),
            ("commands", self.commands),
            ("deadlines", self.expire),
            ("schedules", self.fire),
            ("trigger files", self.trigger_files),
            ("triggers", self.triggers),
            ("runs", self.watch),
            ("launches", self.launch),
        )


@dataclass
class Daemon:
    """Turns the loop until it is asked to stop. All state that matters is in the store and the run folders."""

    runtime: Runtime
    steps: Steps
    periodic: PeriodicWork | None = None
    """Work beside the loop, which it supervises."""
    wake: WakeEvent = field(default_factory=WakeEvent)
    on_turn: Callable[[RunnerStatus], None] = lambda _status: None
    """Called after each turn: the progress line."""
    on_step: Callable[[], None] = lambda: None
    """Called after each step: the watchdog. A step may wait for a locked database as long as it is allowed to, and
    several in one turn; that is no hang."""
    on_away: Callable[[str], None] = lambda _line: None
    """Told in words when the database's server does not answer any more."""
    lost: StateError | None = None
    """The database's file was removed or replaced, or another daemon leads: why the daemon ends."""
    _away: str = ""
    _stopping: bool = False
    _paused: bool = False
    _last_beat_s: float = float("-inf")
    _status: RunnerStatus = RunnerStatus.IDLE

    def __post_init__(self) -> None:
        """No trouble yet."""
        self._errors = ErrorReporter(self.runtime)
        self.progress = LoopProgress(self.runtime.clock.monotonic_s)

    def start(self, now: datetime) -> DaemonRecord | None:
        """Take the state over: say who serves it now, and account for what an earlier daemon left. Returns the
        earlier daemon's record.

        Raises:
            StateError: the database cannot be used.
        """
        self.steps.clock.at_start(now)
        with self.runtime.store.write() as session:
            before = heartbeat.started(
                session,
                pid=os.getpid(),
                host=socket.gethostname(),
                boot_id=boot_id(),
                version=version("ouroboros"),
                now=now,
            )
            if self.runtime.lead is not None:
                self._lead_alone(session, self.runtime.lead)
        self.runtime.reach("start.announced")
        moved = self.runtime.lead is not None and before is not None and before.host != socket.gethostname()
        lines = self.steps.watch.take_over(now, before.host if before is not None and moved else "")
        self.steps.triggers.take_over(now)
        self.runtime.reach("start.taken_over")
        if before is not None and not before.stopped_cleanly:
            settings = self.runtime.settings.notifications
            message = messages.recovered_from_crash(before.heartbeat_at, lines, settings, now)
            with self.runtime.store.write() as session:
                self.runtime.notifier.put(session, message, now)
        for line in lines:
            _log.info("Taken over: %s", line)
        return before

    def tick(self, now: datetime) -> None:
        """One turn: every step once. A step that fails is told of, and the others have their turn."""
        self.look_at_file(now)
        if not self._leads(now):
            return
        self.runtime.idle.begin_turn(now, whole=self._errors.any or self._stopping)
        for name, step in self.steps.in_order():
            self.progress.enter(name)
            try:
                step(now)
            except LeadershipLostError as lost:
                self._lose(lost)
                return
            except DatabaseAwayError as away:  # one sentence for all steps, said by the next turn
                assert self.runtime.lead is not None, "only a server can be away"
                self.runtime.lead.doubt(str(away))
                return
            except Exception as error:  # noqa: BLE001 - whatever a step raises must not end the loop
                self._errors.note(name, error, now)
                if name == "clock":
                    break  # deadlines, fires and retries by a clock that was not put right would miss or repeat runs
            else:
                self._errors.over(name)
            self.on_step()
        self.progress.enter("heartbeat")
        self._supervise(now)
        self._errors.tell()
        self._beat(now)
        self._rest(now)
        self.progress.rest()

    def _rest(self, now: datetime) -> None:
        """Find out until when the rows are content to wait; where that cannot be, the next turn is a whole one."""
        try:
            self.runtime.idle.end_turn(now)
        except StateError:
            return  # told of by the steps themselves
        except Exception as error:  # noqa: BLE001 - whatever the rows hold must not end the loop
            self._errors.note("rest", error, now)
        else:
            self._errors.over("rest")

    def look_at_file(self, now: datetime) -> None:
        """The database went from under us: whatever is written now goes to a file that nobody finds any more. The runs
        are asked to save, the daemon ends, and what it still has open is copied beside the old place."""
        trouble = self.runtime.store.file_trouble()
        if not trouble or self.lost is not None:
            return
        self.lost = StateError(
            f"the database was {trouble} under the daemon",
            where=self.runtime.store.where,
            remedy="The daemon ends once its runs have saved; stop it before you touch its files.",
        )
        _log.critical("%s", self.lost)
        message = messages.alert(
            subject="the database is gone from under the daemon",
            detail=f"{self.runtime.store.where} was {trouble}. The daemon stops: its history would be lost.",
            advice="A copy of all that it knew is laid beside the old place; the log and `ouroboros up` name it.",
            key=f"database-{now:%Y%m%dT%H%M%S}",
            settings=self.runtime.settings.notifications,
            now=now,
        )
        with suppress(StateError), self.runtime.store.write() as session:
            self.runtime.notifier.put(session, message, now)
        self.request_stop()

    def _lead_alone(self, session: Session, lead: LeaderLock) -> None:
        """From now on whatever this process still writes once another daemon leads is refused."""
        me = heartbeat.get(session)
        assert me is not None, "its row was written a moment ago"
        self.runtime.store.fence = heartbeat.leader_fence(me)
        lead.still_ours = self._led_without_break

    def _led_without_break(self) -> bool:
        """By the database: the lock was lost with the server, and nobody took it meanwhile."""
        try:
            with self.runtime.store.write():
                return True
        except LeadershipLostError:
            return False

    def _leads(self, now: datetime) -> bool:
        """Whether this turn may start anything. With the server away, the runs under way are watched all the same."""
        lead = self.runtime.lead
        if lead is None or lead.state is LeaderState.HELD:
            if self._away:
                _log.warning("The database is back, and this daemon leads it")
                self._away, self._last_beat_s = "", float("-inf")
            return True
        if lead.state is LeaderState.LOST:
            self._lose(LeadershipLostError("another daemon leads this database", where=self.runtime.store.where))
            return False
        self._status = RunnerStatus.ERROR
        if not self._away:
            self._away = f"Nothing starts until the database answers: {lead.trouble or 'no answer for some seconds'}"
            _log.warning("%s", self._away)
            self.on_away(self._away)
        with suppress(StateError):
            self.steps.watch(now)
        self.on_step()
        return False

    def _lose(self, lost: LeadershipLostError) -> None:
        """Nothing more is written or started. Runs are left to the new leader, who adopts them, if it is on this
        machine; else it counts them as lost, and they end."""
        if self.lost is not None:
            return
        self.lost = lost
        _log.critical("%s", lost)
        with suppress(StateError):
            with self.runtime.store.read() as session:
                leader = heartbeat.get(session)
            if leader is not None and leader.host != socket.gethostname():
                self.steps.watch.give_up()
        self.request_stop()

    def run(self) -> None:
        """Turn until `request_stop` and until every run has been drained.

        Raises:
            StateError: the database was taken away under the daemon; it names the copy of what it held.
        """
        clock = self.runtime.clock
        while not self._drained():
            self.tick(clock.now())
            self.on_turn(self._status)
            if not self._drained():
                self.wake.sleep(self._patience_s(clock.now()))
        self._end(clock.now())

    def request_stop(self) -> None:
        """Start no more; end the runs under way, or leave them, as `scheduler.on_shutdown` says. Safe in a signal."""
        self._stopping = True
        self.steps.watch.shutting_down = True
        self.wake.set()

    def beat_soon(self) -> None:
        """Write the next sign of life in this turn: readers judge it by the wall clock, which was set."""
        self._last_beat_s = float("-inf")

    @property
    def stopping(self) -> bool:
        """A stop was requested."""
        return self._stopping

    @property
    def status(self) -> RunnerStatus:
        """What the daemon did in its last turn."""
        return self._status

    def _drained(self) -> bool:
        nobodys = isinstance(self.lost, LeadershipLostError) or bool(
            self._away
        )  # the next leader accounts for the runs
        leave = self.runtime.settings.scheduler.on_shutdown == "leave" or nobodys
        return self._stopping and (leave or not self.steps.watch.runs)

    def _patience_s(self, now: datetime) -> float:
        """How long the loop may sleep: until something is due, but never longer than the poll for commands."""
        if self._errors.any:  # what a failing step leaves due is due at once: no reason to spin
            return self.runtime.settings.scheduler.poll_interval_s
        patience_s = min(self.runtime.settings.scheduler.poll_interval_s, self.steps.trigger_files.patience_s)
        if self.steps.watch.runs:
            patience_s = min(patience_s, BUSY_INTERVAL_S)
        return min(patience_s, self.runtime.idle.left_s(now))

    def _beat(self, now: datetime) -> None:
        clock_s = self.runtime.clock.monotonic_s()
        try:
            if not self.runtime.idle.nothing_new:
                with self.runtime.store.read() as session:
                    daemon = heartbeat.get(session)
                self._paused = daemon is not None and daemon.paused
            status = self._status_now()
            if status is self._status and clock_s - self._last_beat_s < HEARTBEAT_INTERVAL_S:
                return
            with self.runtime.store.write() as session:
                heartbeat.beat(session, status, now)
        except LeadershipLostError as lost:
            self._lose(lost)
            return
        except StateError as error:
            self._errors.note("heartbeat", error, now)
            self._status, self._last_beat_s = RunnerStatus.ERROR, float("-inf")
            return
        self._errors.over("heartbeat")
        self._status, self._last_beat_s = status, clock_s

    def _status_now(self) -> RunnerStatus:
        if self._errors.any:
            return RunnerStatus.ERROR
        if self.steps.watch.runs:
            return RunnerStatus.EXECUTING
        return RunnerStatus.PAUSED if self._paused else RunnerStatus.MONITORING

    def _supervise(self, now: datetime) -> None:
        for name, trouble in self.periodic.supervise() if self.periodic is not None else ():
            self._errors.note_thread(name, trouble, now)

    def _end(self, now: datetime) -> None:
        if self.lost is not None:
            return
        try:
            with self.runtime.store.write() as session:
                heartbeat.stopped(session, now)
        except TransientStateError as error:
            _log.warning("That it stops cannot be written down: %s", error)
            return
        _log.info("Stopped in good order")
