"""`ouroboros up`: the daemon in the foreground, from the first line it prints to its graceful end."""

import gc
import os
import signal
import sys
import threading
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from types import FrameType

import click
from rich.markup import escape

from runner.commands.output import when
from runner.commands.progress import ProgressLine, say
from runner.dashboard import DashboardProcess
from runner.flow.runtime import Runtime
from runner.heap import share_one_heap, trim_heap
from runner.schedule_service import coming_fires
from runner.service import Service
from runner.store import clock_changes, queue, schedules, triggers
from runner.systemd import ServiceNotifier
from runner.worker.jobs import installed_workers
from schemas.automation import RunnerStatus
from schemas.errors import DatabaseAwayError, LeadershipLostError, SettingsError
from schemas.outside_text import LINE_LIMIT, error_line, line
from schemas.service import url_of
from schemas.settings import get_config

FIRES_SHOWN = 5


@click.command()
@click.option(
    "--first-run/--no-first-run", default=True, show_default=True, help="Whether the very first start runs one."
)
@click.option("--web/--no-web", default=None, help="Whether to start the dashboard too; else `web.enabled` says it.")
def up(first_run: bool, web: bool | None) -> None:
    """Start the daemon and keep it in the foreground until Ctrl+C or SIGTERM.

    The first start seeds the default schedules and triggers and begins one run at once, unless a schedule was added
    before (`ouroboros init`).

    Example: ouroboros up --no-first-run
    """
    share_one_heap()
    with ServiceNotifier() as notifier:
        while True:
            try:
                _serve(notifier, first_run=first_run, web=web)
            except (LeadershipLostError, DatabaseAwayError) as lost:
                say(f"[yellow]{escape(line(str(lost)))}[/]")
            else:
                return


def _serve(notifier: ServiceNotifier, *, first_run: bool, web: bool | None) -> None:
    """One daemon, from its start, or its turn to lead, to its end.

    Raises:
        LeadershipLostError: another daemon leads the database now.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who stands by has nothing to save
    waiting = _StandBy(notifier)
    with Service(get_config(), first_run=first_run, extending=notifier.extending, stand_by=waiting) as service:
        _spare_the_collector()
        dashboard = _dashboard(service, web)
        _introduce(service, datetime.now(UTC), dashboard)
        progress = ProgressLine()
        service.daemon.steps.watch.listener = progress.tell

        def on_turn(status: RunnerStatus) -> None:
            progress.show_idle(status, service.daemon.steps.launch.head)
            notifier.show(f"{status.value}; {progress.text}" if progress.text else status.value)

        service.daemon.on_turn = on_turn
        service.daemon.on_step = notifier.feed
        service.loop_watch.say = notifier.show
        service.daemon.on_away = lambda told: say(f"[yellow]{escape(line(told))}[/]")
        service.loop_watch.leave = lambda: os._exit(1)  # the step that stands would wait for ever
        _take_signals(service, notifier, dashboard)
        notifier.ready()
        with progress, dashboard or nullcontext():
            service.run()
        notifier.stopping()
        say("Stopped in good order; `ouroboros up` goes on from here.")


class _StandBy:
    """Tells once what a daemon waits for that does not lead yet, and keeps the service manager content."""

    def __init__(self, notifier: ServiceNotifier) -> None:
        self._notifier = notifier
        self._told = ""

    def __call__(self, words: str) -> None:
        self._notifier.ready()
        self._notifier.feed()
        self._notifier.show(f"stand-by: {words}")
        if words != self._told:
            say(f"[yellow]Standing by:[/] {escape(line(words))}")
            self._told = words


def _spare_the_collector() -> None:
    """What is loaded now stays for weeks: the collector need not look at it again and again. With 10,000 schedules due
    in one second, its default thresholds cost half of the time."""
    gc.collect()
    gc.freeze()
    trim_heap()
    gc.set_threshold(50_000, 20, 100)


def _dashboard(service: Service, wanted: bool | None) -> DashboardProcess | None:
    """The web process, looked after by the service's periodic work; None: nobody wants one."""
    if not (service.settings.web.enabled if wanted is None else wanted):
        return None
    dashboard = DashboardProcess(service.settings, lambda told: say(f"[yellow]{escape(line(told))}[/]"))
    service.periodic.add("dashboard", dashboard.turn, 120)
    return dashboard


def _take_signals(service: Service, notifier: ServiceNotifier, dashboard: DashboardProcess | None) -> None:
    """TERM and INT drain; a second one leaves at once, and the runs to the next start. HUP reads the settings again."""

    def stop(number: int, _frame: FrameType | None) -> None:
        if service.daemon.stopping:
            _say("Leaving at once; the next start takes up what is under way.")
            raise SystemExit(128 + number)
        _say("Stopping: runs are asked to save. Once more to leave at once.")
        service.daemon.request_stop()

    def reload(_number: int, _frame: FrameType | None) -> None:
        # Reading files inside a signal handler could meet a lock that the interrupted code holds.
        threading.Thread(target=_reload, args=(service, notifier, dashboard), name="ouroboros-reload").start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, reload)


def _say(text: str) -> None:
    """Print inside a signal handler: past the buffers, which the interrupted code may be in the middle of."""
    with suppress(OSError, ValueError, AttributeError):  # nobody listens, or there is no output at all
        os.write(sys.stdout.fileno(), f"{text}\n".encode())


def _reload(service: Service, notifier: ServiceNotifier, dashboard: DashboardProcess | None) -> None:
    try:
        later = service.reload(get_config())
        if dashboard is not None:
            dashboard.use(service.settings)
        say(f"Settings read again{'; for a restart wait: ' + ', '.join(later) if later else ''}.")
    except SettingsError as error:
        say(f"[red]The old settings stay:[/] {escape(line(str(error)))}")
    except Exception as error:  # noqa: BLE001 - a folder closed to us, say: whoever waits for READY must be told
        say(f"[red]The settings are not read again:[/] {escape(error_line(error, LINE_LIMIT))}")
    notifier.ready()


def _introduce(service: Service, now: datetime, dashboard: DashboardProcess | None) -> None:
    """Where the state is, and what will happen next."""
    settings = service.settings
    say(f"[bold]Ouroboros[/] serves [bold]{escape(str(settings.home.absolute()))}[/]")
    say(f"  history   {escape(service.store.where + _upgrade_told(service))}")
    say(f"  log       {escape(str(service.log_path))}")
    if dashboard is not None:
        say(f"  dashboard {escape(url_of(settings.web))}")
    machine = service.probe.snapshot(now)
    choice = service.probe.choose(machine, installed_workers())
    say(f"  hardware  {escape(line(machine.gpu.detail))}")
    say(f"  worker    {escape(line(f'{choice.worker}. {choice.reason}'))}")
    _coming(service.runtime, now)


def _coming(runtime: Runtime, now: datetime) -> None:
    with runtime.store.read() as session:
        known = schedules.upcoming(session, now, FIRES_SHOWN)
        taken = clock_changes.recorded_ahead(session, now)
        watching = triggers.list_active(session)
        waiting = queue.queued(session, FIRES_SHOWN)
    zones = {record.name: record.readable.timezone for record in known if record.readable is not None}
    for number, (instant, name) in enumerate(coming_fires(known, now, FIRES_SHOWN, taken)):
        say(f"  {'next' if number == 0 else '    '}      {when(instant, now, zones[name])}  {name}")
    for number, trigger in enumerate(watching):
        condition = trigger.condition
        say(
            f"  {'triggers' if number == 0 else '        '}  {trigger.name}: {condition.condition_function}"
            f" every {condition.check_interval_s:g} s, cooldown {condition.cooldown_hours:g} h"
        )
    for run in waiting:
        say(f"  queued    {run.schedule_name}, asked by {run.trigger_type.value}")


def _upgrade_told(service: Service) -> str:
    upgraded = service.upgraded
    if upgraded is None or upgraded.before == upgraded.after:
        return ""
    if upgraded.before is None:
        return " (new)"
    return f" (upgraded from {upgraded.before}; backup: {upgraded.backup})"
