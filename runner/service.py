"""A daemon and all that stands around it: lock, log, database, periodic work. Opened once, closed once."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from runner import schedule_service
from runner.arena_sync import HUNG_AFTER_S, ArenaSync
from runner.arena_sync import LOOP as ARENA
from runner.clock import Clock, SystemClock, WakeEvent
from runner.daemon import Daemon, Steps
from runner.flow.check_triggers import CheckTriggers
from runner.flow.command_arguments import Verb
from runner.flow.fire import ExpireWaiting, FireSchedules
from runner.flow.follow_clock import FollowClock
from runner.flow.launch import LaunchRuns
from runner.flow.process_commands import ProcessCommands
from runner.flow.runtime import Runtime
from runner.flow.take_trigger_files import TakeTriggerFiles
from runner.flow.watch import WatchRuns
from runner.game_counter import LOOP, GameCounter
from runner.guards.allowed_hours import parse_hours
from runner.guards.gpu import GpuProbe
from runner.guards.probe import Probe
from runner.leader import LeaderState
from runner.liveness import LoopWatchdog, ping_heartbeat_url
from runner.logs import start_logging, stop_logging
from runner.maintenance import LOOP as HOUSEKEEPING
from runner.maintenance import Maintenance, NightlyBackup
from runner.notify.channels import Channel, CustomChannel, DeliveryError, NotificationSystem, configured
from runner.notify.dispatcher import Dispatcher, Notifier
from runner.periodic import PeriodicWork
from runner.state_folder import held, make_folders
from runner.store import commands, heartbeat, triggers
from runner.store.engine import Store
from runner.store.migrate import upgrade
from runner.triggers.built_in import TriggerFileParameters
from runner.triggers.conditions import MANUAL_FILE
from runner.triggers.folder_watcher import TriggerFileWatcher
from runner.worker.launch import Launcher
from schemas.database import UpgradeProgress, UpgradeReport
from schemas.errors import LeadershipLostError, SettingsError, StateError, TransientStateError
from schemas.settings import Settings

OUTBOX_POLL_S = 10.0
"""A look takes some milliseconds: every five seconds, it was a quarter of what an idle daemon used."""
THREAD_END_S = 10.0
NOT_LEADING_LOOK_S = 2.0
MAIL = "mail"
_log = logging.getLogger("ouroboros.service")


class Service:
    """Holds the state folder from `__enter__` to `__exit__`.

    Args:
        settings: as `get_config` gives them.
        clock: a test gives its own.
        gpu: how GPUs are looked for; None: by NVML, in a process of its own.
        notification_system: an object of the user's own instead of the configured channels.
        seed_defaults: on the very first start, save the default schedules and triggers.
        first_run: on the very first start, queue one run as well.
        extending: held, with a word for it, around a step of the start that may take minutes.
        stand_by: told in words while another daemon leads a server's database, or the server is away; None: neither is
            waited for.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        gpu: GpuProbe | None = None,
        notification_system: NotificationSystem | None = None,
        *,
        seed_defaults: bool = True,
        first_run: bool = True,
        extending: Callable[[str], AbstractContextManager[None]] = lambda _what: nullcontext(),
        stand_by: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = self._started_with = settings
        self._clock = clock or SystemClock()
        self._gpu = gpu
        self._custom = notification_system
        self._seed_defaults = seed_defaults
        self._first_run = first_run
        self._extending = extending
        self._stand_by = stand_by
        self._stack = ExitStack()
        self.upgraded: UpgradeReport | None = None
        self.log_path: Path | None = None

    def __enter__(self) -> Self:
        """Take the lock, open the log, bring the database up to date, and put everything together.

        Raises:
            StateError: another daemon serves this folder, or folder or database cannot be used.
            SettingsError: the settings name what cannot be used.
        """
        now = self._clock.now()
        _check(self.settings)
        try:
            self.store = Store(self.settings.database_url, self.settings.storage.busy_timeout_s)
            self.lead = self._stack.enter_context(held(self.settings, self.store, now, self._stand_by))
            self._stack.callback(self.store.close)
            now = self._began = self._clock.now()  # it may have stood by for weeks
            self.log_path = start_logging(self.settings.logs_dir, self.settings.logging, now)
            self._stack.callback(stop_logging)
            make_folders(self.settings)
            self._open_store()
            self._assemble()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let everything go; runs under way are left to whoever comes next."""
        self._stack.close()

    def run(self) -> None:
        """Serve until `daemon.request_stop`: account for what was left, start the threads, turn the loop."""
        self.daemon.start(self._clock.now())
        self.periodic.start()
        try:
            self.daemon.run()
            self._arena.close()  # what it was at is gone on with by the next daemon; nothing waits for it here
            left = self.periodic.stop(THREAD_END_S)
            if MAIL not in left and not isinstance(
                self.daemon.lost, LeadershipLostError
            ):  # else it is at a message, which must not go out twice
                self.deliver()  # what the last turns told of should not wait for a restart
        except StateError as error:
            # A file that is gone shows as whatever the disk says of it first, in the midst of a turn or after the last.
            self.daemon.look_at_file(self._clock.now())
            if self.daemon.lost is None:
                raise
            _log.warning("The end of the daemon: %s", error)
        finally:
            self.periodic.stop(THREAD_END_S)
        if isinstance(self.daemon.lost, LeadershipLostError):
            raise self.daemon.lost
        if self.daemon.lost is not None:
            raise self._rescued(self.daemon.lost)

    def _rescued(self, lost: StateError) -> StateError:
        """Copy what the open database holds beside the place where it lay, and say where that is."""
        path = self.store.path
        assert path is not None, "only a file can be taken away"
        target = path.with_name(f"{path.name}.rescued-{self._clock.now():%Y%m%dT%H%M%SZ}")
        try:
            self.store.rescue_to(target)
        except StateError as error:
            return StateError(lost.what, where=lost.where, remedy=f"What it held could not be copied: {error}")
        _log.warning("All that the daemon knew is in %s", target)
        remedy = (
            f"All that it knew is in {target}: put it in the old place to go on from there, or `ouroboros up` anew."
        )
        return StateError(lost.what, where=lost.where, remedy=remedy)

    def use_notification_system(self, system: NotificationSystem) -> None:
        """Tell the user's own object instead of the configured channels, from now on."""
        self._custom = system
        self._notifier.use([CustomChannel(system)], self.settings.notifications)

    def reload(self, settings: Settings) -> list[str]:
        """Take new settings, and return the names of those changed ones that wait for a restart.

        The state folder and the database stay what they are. Runs under way keep what they were started with, except
        for the limits that the daemon itself watches.

        Raises:
            SettingsError: they name another state folder or database, or channels that cannot be used.
        """
        if (settings.home, settings.database_url) != (self.settings.home, self.settings.database_url):
            raise SettingsError("home and database cannot change while the daemon runs", remedy="Restart it for that.")
        _check(settings)
        if self._custom is None:
            self._notifier.use(configured(settings.notifications), settings.notifications)
        else:
            self._notifier.use([CustomChannel(self._custom)], settings.notifications)
        self._launcher.use(settings.workers)
        self.probe.use(settings.guards)
        self.dispatcher.retry_waiting()
        later = _waiting_for_restart(self._started_with, settings)
        self.settings = self.runtime.settings = settings
        logging.getLogger("ouroboros").setLevel(settings.logging.level)
        self.daemon.wake.set()
        _log.info("Settings read again%s", f"; these wait for a restart: {', '.join(later)}" if later else "")
        return later

    def _open_store(self) -> None:
        storage = self.settings.storage
        with self._extending("bringing the database up to date"):
            self.upgraded = upgrade(self.store, storage.keep_backups, self._clock.now(), _Telling())
        self.store.hold_to_file()
        with self.store.write() as session:  # what a daemon that did not answer was to do: end, not this one
            words = "asked of an earlier daemon, which did not answer; ask again"
            commands.withdraw_older(session, Verb.STOP.value, self._began, words, self._clock.now())
        if self._seed_defaults:
            with self.store.write() as session:
                limit = self.settings.scheduler.max_queue_length
                schedule_service.seed(session, self._clock.now(), limit, first_run=self._first_run)

    def _assemble(self) -> None:
        notifications = self.settings.notifications
        channels: list[Channel] = [CustomChannel(self._custom)] if self._custom else configured(notifications)
        self._notifier = Notifier(channels, notifications)
        self.runtime = Runtime(self.settings, self.store, self._clock, self._notifier, self.lead)
        self.probe = Probe(self.settings.guards, self._written_folders(), self._gpu)
        self.probe.start()
        self._stack.callback(self.probe.close)
        launcher = self._launcher = Launcher(self.settings.workers, self.probe.gpu.use_of)
        wake = WakeEvent()
        watch = WatchRuns(self.runtime, launcher)
        self._stack.callback(watch.leave)
        steps = Steps(
            clock=FollowClock(self.runtime, self._after_clock_change),
            commands=ProcessCommands(self.runtime, watch, self._request_stop),
            expire=ExpireWaiting(self.runtime),
            fire=FireSchedules(self.runtime),
            trigger_files=TakeTriggerFiles(self.runtime),
            triggers=CheckTriggers(self.runtime, wake.set, self.probe.snapshot, Path.cwd()),
            watch=watch,
            launch=LaunchRuns(self.runtime, launcher, watch, self.probe),
        )
        self._stack.callback(steps.triggers.close)
        self.dispatcher = Dispatcher(self.store, self._notifier, self.runtime.reach)
        self.periodic = PeriodicWork(self._clock, self.store)
        self.daemon = Daemon(self.runtime, steps, self.periodic, wake)
        self.loop_watch = LoopWatchdog(self.runtime, self.daemon.progress, lambda: self.daemon.stopping)
        self._add_periodic_work()
        watcher = TriggerFileWatcher(self.settings.triggers_dir, wake.set, self._trigger_files())
        watcher.start()
        self._stack.callback(watcher.close)

    def _written_folders(self) -> list[Path]:
        database = self.store.path
        return [*self.settings.written_dirs, *([database.resolve().parent] if database is not None else [])]

    def _trigger_files(self) -> list[Path]:
        with self.store.read() as session:
            conditions = [record.condition for record in triggers.list_active(session)]
        files = []
        for condition in conditions:
            if condition.condition_function == MANUAL_FILE:
                with suppress(ValidationError):  # told of when it is looked at
                    files.append(TriggerFileParameters.model_validate(condition.parameters).trigger_file)
        return [Path.cwd() / file for file in files]

    def _after_clock_change(self) -> None:
        self.daemon.beat_soon()
        self.periodic.follow_clock()

    def _request_stop(self) -> None:
        self.daemon.request_stop()

    def _add_periodic_work(self) -> None:
        self.periodic.add(MAIL, self._while_leading(self.deliver), 600)
        self.periodic.add("liveness", self.loop_watch.turn, 600)
        self.periodic.add(HOUSEKEEPING, self._while_leading(Maintenance(self.runtime).turn), 3600)
        self.periodic.add(LOOP, self._while_leading(GameCounter(self.runtime).turn), 600)
        self._arena = ArenaSync(self.runtime)
        self._stack.callback(self._arena.close)
        self.periodic.add(ARENA, self._while_leading(self._arena.turn), HUNG_AFTER_S)
        self.periodic.add("backup", self._while_leading(NightlyBackup(self.runtime).turn), 3600)
        self.periodic.add("heartbeat URL", self._ping, 120)

    def _while_leading(self, turn: Callable[[], float]) -> Callable[[], float]:
        """A turn that is put off while it is not clear who leads the database."""

        def put_off_or_turn() -> float:
            if self.lead is not None and self.lead.state is not LeaderState.HELD:
                return NOT_LEADING_LOOK_S
            return turn()

        return put_off_or_turn

    def deliver(self) -> float:
        """Deliver what is due; seconds until the next look. A database that takes nothing now is asked again then."""
        try:
            delivered = self.dispatcher.deliver_due(self._clock.now())
        except TransientStateError as error:
            _log.warning("Messages wait for the database: %s", error)
            return OUTBOX_POLL_S
        return 0.0 if delivered else OUTBOX_POLL_S

    def _ping(self) -> float:
        settings = self.settings.notifications
        if settings.heartbeat_url:
            try:
                ping_heartbeat_url(settings.heartbeat_url)
            except DeliveryError as error:
                with self.store.write() as session:
                    heartbeat.loop_error(session, "heartbeat URL", str(error), self._clock.now())
                return min(60.0, settings.heartbeat_interval_s)
        return settings.heartbeat_interval_s


class _Telling:
    """Says once, before a large database is moved, how long that takes and what disk."""

    def __init__(self) -> None:
        self._said = False

    def __call__(self, told: UpgradeProgress) -> None:
        if not self._said:
            _log.warning("%s", told.sentence())
        self._said = True


def _waiting_for_restart(before: Settings, after: Settings) -> list[str]:
    """What is read once, at the start: how log files are written, and how long a connection waits."""
    once = {
        "storage.busy_timeout_s": (before.storage.busy_timeout_s, after.storage.busy_timeout_s),
        "logging.format": (before.logging.format, after.logging.format),
        "logging.max_mb": (before.logging.max_mb, after.logging.max_mb),
        "logging.keep_files": (before.logging.keep_files, after.logging.keep_files),
    }
    return [name for name, (old, new) in once.items() if old != new]


def _check(settings: Settings) -> None:
    """What only a parser can judge is judged at the edge, not at the first launch weeks later."""
    parse_hours(settings.guards.allowed_hours, settings.guards.allowed_hours_timezone)
