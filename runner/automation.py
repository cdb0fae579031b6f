"""`AutomatedTrainingRunner`: the operations guide's façade over the daemon."""

import logging
import signal
import threading
import weakref
from types import FrameType
from typing import Any

from runner import leader, schedule_service, status
from runner.clock import Clock, SystemClock
from runner.flow.command_arguments import NoArguments, PauseArguments, Verb
from runner.flow.enqueue import enqueue_run
from runner.guards.gpu import GpuProbe
from runner.notify.channels import NotificationSystem
from runner.service import Service
from runner.store import commands, triggers
from runner.store.engine import Store
from runner.store.migrate import upgrade
from schemas.automation import TrainingSchedule, TriggerCondition, TriggerType
from schemas.base import Frozen
from schemas.errors import ScheduleError, StateError
from schemas.settings import Settings, get_config

START_WAIT_S = 60.0
STOP_WAIT_S = 300.0


class AutomatedTrainingRunner:
    """Schedules, triggers and the daemon that serves them, from Python.

    Schedules and triggers are saved at once, whether or not a daemon runs. `start_automation` runs the daemon on a
    thread of this process and returns; several runner objects may look at one state folder, one daemon serves it.

    Args:
        config_manager: the settings; None: `get_config()`.
        gpu: how GPUs are looked for; None: by NVML, in a process of its own.
        clock: a test gives its own.

    Raises:
        StateError: the state folder or its database cannot be used.
    """

    def __init__(
        self, config_manager: Settings | None = None, gpu: GpuProbe | None = None, clock: Clock | None = None
    ) -> None:
        self.settings = config_manager or get_config()
        self._gpu = gpu
        self._clock = clock or SystemClock()
        self._store = Store(self.settings.database_url, self.settings.storage.busy_timeout_s)
        # The guide's scripts never close a runner: whoever lets go of one lets go of its database.
        weakref.finalize(self, self._store.close)
        upgrade(self._store, self.settings.storage.keep_backups, self._clock.now())
        self._service: Service | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._notification_system: NotificationSystem | None = None

    def add_schedule(self, schedule: TrainingSchedule) -> None:
        """Save a schedule; one of the same name is replaced, and nothing due before now fires. One that stands exactly
        so already is left alone: a script may add its schedules at each start.

        Raises:
            ScheduleError: its cron line or time zone cannot be used, or never fires.
        """
        with self._store.write() as session:
            schedule_service.save_schedule(session, schedule, self._clock.now())

    def remove_schedule(self, name: str) -> None:
        """Take a schedule out of service: what waits of it is cancelled; its history stays.

        Raises:
            ScheduleError: no such schedule.
        """
        with self._store.write() as session:
            schedule_service.remove_schedule(session, name, self._clock.now())

    def add_trigger(self, trigger: TriggerCondition) -> None:
        """Save a trigger; one of the same name is replaced.

        Raises:
            ScheduleError: its condition does not exist, or does not take its parameters.
        """
        schedule_service.save_trigger(self._store, trigger, self._clock.now())

    def remove_trigger(self, name: str) -> None:
        """Take a trigger out of service; its history stays.

        Raises:
            ScheduleError: no such trigger.
        """
        with self._store.write() as session:
            if not triggers.remove(session, name, self._clock.now()):
                raise ScheduleError("no such trigger", where=name)

    def start_automation(self) -> None:
        """Start the daemon on a thread of this process; returns once it serves. A second call does nothing.

        Called on the main thread, it also makes Ctrl+C and SIGTERM stop the daemon in good order, before whatever
        they did so far. Where no trigger was ever saved, the default ones are.

        Raises:
            StateError: another process's daemon serves the folder.
        """
        if self._thread is not None and self._thread.is_alive():
            return
        self._failure = None
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), name="ouroboros-daemon")
        self._thread.start()
        if not ready.wait(START_WAIT_S):
            raise StateError(f"the daemon did not start within {START_WAIT_S:.0f} s", where=str(self.settings.home))
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._stop_at(number)

    def stop_automation(self) -> None:
        """Stop in good order: runs save their work and go on at the next start. Waits for it.

        Raises:
            StateError: it has not stopped within five minutes.
        """
        if self._thread is None or self._service is None:
            return
        self._service.daemon.request_stop()
        self._thread.join(STOP_WAIT_S)
        if self._thread.is_alive():
            raise StateError(f"the daemon did not stop within {STOP_WAIT_S:.0f} s", where=str(self.settings.home))
        self._thread = self._service = None

    def pause_automation(self, note: str = "") -> None:
        """Start nothing new until `resume_automation`; runs under way go on. Holds across restarts."""
        self._command(Verb.PAUSE, PauseArguments(note=note))

    def resume_automation(self) -> None:
        """End a pause."""
        self._command(Verb.RESUME, NoArguments())

    def get_runner_status(self) -> dict[str, Any]:
        """status, running, paused, schedules, triggers, recent_executions (10), current_execution (None while nothing
        runs), queued, statistics."""
        return status.as_dictionary(status.read_status(self._store, self.settings.home))

    def enable_debug_logging(self) -> None:
        """Log everything from now on."""
        logging.getLogger("ouroboros").setLevel(logging.DEBUG)

    @property
    def notification_system(self) -> NotificationSystem | None:
        """The user's own, if one was set; else None, and the configured channels are used."""
        return self._notification_system

    @notification_system.setter
    def notification_system(self, system: NotificationSystem) -> None:
        """Tell `system` of every run that ends, instead of the configured channels."""
        self._notification_system = system
        if self._service is not None:
            self._service.use_notification_system(system)

    def _execute_scheduled_training(self, name: str, schedule: TrainingSchedule) -> None:
        """Queue a run of `schedule` under `name` at once: the guide's way to force an execution."""
        now = self._clock.now()
        with self._store.write() as session:
            enqueue_run(
                session,
                schedule.model_copy(update={"name": name}),
                TriggerType.MANUAL,
                now,
                self.settings.scheduler.max_queue_length,
                note="forced from Python",
            )
        if self._service is not None:
            self._service.daemon.wake.set()

    def _command(self, verb: Verb, arguments: Frozen) -> None:
        """Ask the daemon, ours or another process's, and wait until it is done; without one it will at its start."""
        with self._store.write() as session:
            number = commands.enqueue(session, verb.value, arguments, "AutomatedTrainingRunner", self._clock.now())
        if self._service is not None:
            self._service.daemon.wake.set()
        deadline_s = self._clock.monotonic_s() + START_WAIT_S
        waiter = threading.Event()
        while leader.daemon_is_running(self.settings.home, self._store) and self._clock.monotonic_s() < deadline_s:
            with self._store.read() as session:
                command = commands.get(session, number)
            if command is not None and command.handled_at is not None:
                return
            waiter.wait(0.05)

    def _stop_at(self, number: int) -> None:
        before = signal.getsignal(number)

        def stop(caught: int, frame: FrameType | None) -> None:
            if self._service is not None:
                self._service.daemon.request_stop()
            signal.signal(number, before)
            # Once the script has ended, the interpreter only waits for the daemon's thread: an exception raised here
            # would end that wait, and the daemon with it.
            if threading.main_thread().is_alive() and not _only_waits(frame):
                if callable(before):
                    before(caught, frame)
                elif before is signal.SIG_DFL:
                    raise SystemExit(128 + caught)

        signal.signal(number, stop)

    def _serve(self, ready: threading.Event) -> None:
        try:
            with Service(
                self.settings, self._clock, self._gpu, self._notification_system, seed_defaults=False
            ) as service:
                with service.store.write() as session:
                    schedule_service.seed_triggers(session, self._clock.now())
                self._service = service
                service.daemon.on_turn = lambda _status: ready.set()
                service.run()
        except BaseException as error:
            self._failure = error
            logging.getLogger("ouroboros").exception("The daemon ended")
        finally:
            ready.set()


def _only_waits(frame: FrameType | None) -> bool:
    """Whether the script has ended and the interpreter waits for threads; at first the main one still counts."""
    while frame is not None:
        if frame.f_code.co_name == "_shutdown" and frame.f_globals.get("__name__") == "threading":
            return True
        frame = frame.f_back
    return False
