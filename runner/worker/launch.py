"""The daemon's door to its workers: launch, adopt, revoke, observe, stop."""

import logging
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from runner.worker import process_tree
from runner.worker.identity import identity_of, is_alive, own_identity
from runner.worker.log_cap import cap_log
from runner.worker.observation import Observation, OomCount, OomKills, Phase, count_now, since
from runner.worker.process_tree import MARK_VARIABLE, Root
from runner.worker.resource_usage import GpuUseOf, Reaped, Sampler, lifetime_s
from runner.worker.run_folder import Claim, ClaimRole, Heartbeat, RunDir, UnreadableFile
from runner.worker.stopping import StopReason
from schemas.errors import WorkerError
from schemas.execution import ProcessIdentity, RunRequest, RunResult
from schemas.model import PipelineState
from schemas.service import WorkerSettings

_log = logging.getLogger("ouroboros.workers")
_KIB_PER_MIB = 1024.0
_GIB_IN_MIB = 1024.0
_BYTES_PER_MB = 1e6


@dataclass
class WorkerHandle:
    """A worker that this daemon watches; only `Launcher` changes it."""

    run_dir: RunDir
    root: Root
    ours: bool
    """A child of this process, which must reap it; False after adoption."""
    known_since_s: float
    """Of the monotonic clock: when it was launched or adopted."""
    phase: Phase = Phase.RUNNING
    exit_code: int | None = None
    signal_number: int | None = None
    reaped: Reaped | None = None

    @property
    def identity(self) -> ProcessIdentity:
        """The worker's process."""
        return self.root.worker


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a daemon that starts finds of a run that an earlier one recorded as started: one of three things."""

    handle: WorkerHandle | None
    """Its living worker, adopted."""
    never_began: bool
    """No worker had claimed it, and now none can."""
    seen: Observation
    """What the run folder tells; final without a `handle`."""


class Launcher:
    """Starts workers and watches them. One for a daemon; `close` leaves running workers alone."""

    def __init__(self, settings: WorkerSettings, gpu_use_of: GpuUseOf | None = None) -> None:
        self._settings = settings
        self._sampler = Sampler(settings.sample_interval_s, gpu_use_of)

    def use(self, settings: WorkerSettings) -> None:
        """Take new settings: for the runs under way too."""
        self._settings = settings
        self._sampler.use(settings.sample_interval_s)

    def launch(self, request: RunRequest, run_dir: Path, monotonic_s: float) -> WorkerHandle:
        """Write the request and start the worker in its own session.

        The intent must be in the database before: from here on a kill of this process leaves a worker that only the
        run folder tells of.

        Raises:
            WorkerError: the folder was used before, or it or the process cannot be made.
        """
        try:
            folder, pid = _begun(request, run_dir)
        except OSError as error:
            raise _not_launched(run_dir, error) from error
        try:
            identity = identity_of(pid)
            assert identity is not None, "nobody but us can reap it, so it is there, be it as a zombie"
            root = Root(identity, _mark(folder))
            return self._watch(WorkerHandle(folder, root, ours=True, known_since_s=monotonic_s))
        except BaseException as error:  # no file or thread to be had: a worker that nobody watches must not work
            _end_unwatched(pid)
            if isinstance(error, OSError | RuntimeError):
                raise _not_launched(run_dir, error) from error
            raise

    def recover(self, run_dir: Path, monotonic_s: float) -> Recovered:
        """Find out what became of a run that an earlier daemon recorded as started, and decide it for good.

        Raises:
            WorkerError: nothing could be decided (a full disk); try again.
        """
        handle = self.adopt(run_dir, monotonic_s)
        revoked = handle is None and (self.revoke(run_dir) or self.was_revoked(run_dir))
        if handle is None and not revoked:
            handle = self.adopt(run_dir, monotonic_s)  # it may have come between our first look and our claim
        if handle is None:
            self.sweep(run_dir)
        return Recovered(handle, revoked, self.inspect(run_dir))

    def adopt(self, run_dir: Path, monotonic_s: float) -> WorkerHandle | None:
        """The living worker of a run folder that another daemon launched; None: it has no living worker.

        None leaves two cases: nobody has claimed the run yet (`revoke` it), or its worker has died (`inspect` it).
        """
        folder = _folder(run_dir)
        claim = folder.read_claim()
        if not isinstance(claim, Claim) or claim.role is not ClaimRole.WORKER or not is_alive(claim.holder):
            return None
        root = Root(claim.holder, _mark(folder))
        return self._watch(WorkerHandle(folder, root, ours=False, known_since_s=monotonic_s))

    def revoke(self, run_dir: Path) -> bool:
        """Forbid a run that has not begun: a worker that is still on its way will do nothing. False: it has begun.

        Raises:
            WorkerError: the claim cannot be written; nothing is decided, try again.
        """
        folder = _folder(run_dir)
        try:
            folder.create()
            return folder.take_claim(ClaimRole.REVOKED, own_identity())
        except OSError as error:
            raise WorkerError(
                f"cannot revoke a run: {error.strerror}", where=str(run_dir), remedy="Free disk space."
            ) from error

    def inspect(self, run_dir: Path) -> Observation:
        """What the folder of a run without a living worker tells: phase GONE, its last state, its result."""
        folder = _folder(run_dir)
        self._cap_log(folder, ended=True)
        state, result, problem = _told(folder)
        return Observation(
            phase=Phase.GONE,
            state=state,
            result=result,
            result_problem=problem,
            oom_kills=_oom_kills(folder),
            stop_reason=_stop_reason(folder),
        )

    def was_revoked(self, run_dir: Path) -> bool:
        """True when a daemon has forbidden this run."""
        claim = _folder(run_dir).read_claim()
        return isinstance(claim, Claim) and claim.role is ClaimRole.REVOKED

    def sweep(self, run_dir: Path) -> None:
        """KILL what a dead worker left behind (and the worker, were it alive)."""
        folder = _folder(run_dir)
        claim = folder.read_claim()
        if isinstance(claim, Claim) and claim.role is ClaimRole.WORKER:
            process_tree.kill_all(Root(claim.holder, _mark(folder)))

    def observe(self, handle: WorkerHandle, monotonic_s: float) -> Observation:
        """Look at the worker; reaps it when it has ended."""
        # The process first, its files second: a result that is not there after the end will never be.
        self._look_at_process(handle)
        self._cap_log(handle.run_dir, ended=handle.phase is not Phase.RUNNING)
        state, result, problem = _told(handle.run_dir)
        memory_mb = self._sampler.memory_mb(handle.root) if handle.phase is Phase.RUNNING else 0.0
        limit_mb = self._settings.memory_limit_gb * _GIB_IN_MIB
        return Observation(
            phase=handle.phase,
            exit_code=handle.exit_code,
            signal_number=handle.signal_number,
            heartbeat_age_s=_heartbeat_age_s(handle, monotonic_s),
            state=state,
            result=result,
            result_problem=problem,
            usage=self._sampler.usage(handle.root, handle.reaped),
            memory_mb=memory_mb,
            over_memory_limit=0 < limit_mb < memory_mb,
            oom_kills=_oom_kills(handle.run_dir) if handle.phase is not Phase.RUNNING else None,
            stop_reason=_stop_reason(handle.run_dir),
        )

    def request_stop(self, handle: WorkerHandle, reason: StopReason) -> None:
        """Ask the worker to save and return; the first reason stays. On a full disk a TERM says it instead."""
        try:
            handle.run_dir.request_stop(reason)
        except OSError as error:
            _log.warning("Cannot write %s (%s); asking by TERM", handle.run_dir.stop_path, error)
            process_tree.terminate(handle.root)

    def terminate(self, handle: WorkerHandle, reason: StopReason) -> None:
        """TERM. To a worker that was asked softly before it means: leave the work now, clean up, and end."""
        self._note(handle, reason)
        process_tree.terminate(handle.root)

    def kill(self, handle: WorkerHandle, reason: StopReason) -> list[int]:
        """KILL the whole tree; process numbers not yet gone at the last look."""
        self._note(handle, reason)
        return process_tree.kill_all(handle.root)

    def release(self, handle: WorkerHandle) -> None:
        """Forget a worker: what a dead one left behind is ended, a living one goes on and can be adopted."""
        self._look_at_process(handle)
        if handle.phase is not Phase.RUNNING:
            process_tree.kill_all(handle.root)
        self._sampler.unwatch(handle.root)

    def _watch(self, handle: WorkerHandle) -> WorkerHandle:
        self._sampler.watch(handle.root)
        return handle

    def _cap_log(self, folder: RunDir, *, ended: bool) -> None:
        try:
            cap_log(folder.log_path, int(self._settings.log_max_mb * _BYTES_PER_MB), ended=ended)
        except OSError as error:
            _log.warning("Cannot cap %s: %s", folder.log_path, error.strerror)

    def _note(self, handle: WorkerHandle, reason: StopReason) -> None:
        """Leave the reason where the next daemon finds it, should this one die before it finishes the run."""
        try:
            handle.run_dir.request_stop(reason)
        except OSError as error:
            _log.warning("Cannot note in %s why the run is ended: %s", handle.run_dir.stop_path, error)

    def _look_at_process(self, handle: WorkerHandle) -> None:
        if handle.phase is not Phase.RUNNING:
            return
        if not handle.ours:
            handle.phase = Phase.RUNNING if is_alive(handle.identity) else Phase.GONE
            return
        try:
            pid, status, use = os.wait4(handle.identity.pid, os.WNOHANG)
        except ChildProcessError:  # somebody else in this process reaped it
            handle.phase = Phase.RUNNING if is_alive(handle.identity) else Phase.GONE
            return
        if pid == 0:
            return
        handle.phase = Phase.EXITED
        code = os.waitstatus_to_exitcode(status)
        handle.exit_code, handle.signal_number = (code, None) if code >= 0 else (None, -code)
        handle.reaped = Reaped(use.ru_utime + use.ru_stime, use.ru_maxrss / _KIB_PER_MIB, lifetime_s(handle.root))


def _folder(run_dir: Path) -> RunDir:
    # Resolved, as the path is also the mark by which a run's processes are known to a later daemon.
    try:
        return RunDir(run_dir.resolve())
    except (OSError, RuntimeError):  # links in a circle, say: no process was ever started there
        return RunDir(run_dir.absolute())


def _mark(folder: RunDir) -> str:
    return str(folder.path)


def _spawn(folder: RunDir) -> int:
    """Start the worker: own session, no pipe to us, nothing on its stdin, its words in its log."""
    log = str(folder.log_path)
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-u", "-m", "runner.worker.child", str(folder.path)],
        {**os.environ, MARK_VARIABLE: _mark(folder)},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP],
    )


def _begun(request: RunRequest, run_dir: Path) -> tuple[RunDir, int]:
    folder = _folder(run_dir)
    claim = folder.read_claim()
    if isinstance(claim, UnreadableFile):
        raise WorkerError(f"cannot launch a worker: {claim.reason}", where=str(run_dir), remedy="Mend the folder.")
    if claim is not None:
        raise WorkerError("this run folder has been used already", where=str(run_dir), remedy="Use a new one.")
    folder.create()
    folder.write_request(request)
    oom_count = count_now()
    if oom_count is not None:
        folder.write_oom_count(oom_count)
    return folder, _spawn(folder)


def _not_launched(run_dir: Path, error: OSError | RuntimeError) -> WorkerError:
    words = error.strerror if isinstance(error, OSError) else str(error)
    return WorkerError(f"cannot launch a worker: {words}", where=str(run_dir), remedy="Check disk and limits.")


def _end_unwatched(pid: int) -> None:
    """KILL and reap a child of ours, which leads its own group, and all that it may have started."""
    os.killpg(pid, signal.SIGKILL)  # nobody but us can reap it, so the number is still its own
    os.waitpid(pid, 0)


def _told(folder: RunDir) -> tuple[PipelineState | None, RunResult | None, str]:
    state, result = folder.read_progress(), folder.read_result()
    if isinstance(state, UnreadableFile):  # the next one is whole; nothing hangs on a single state
        _log.warning("Skipping a state: %s", state.reason)
        state = None
    if isinstance(result, UnreadableFile):
        return state, None, result.reason
    return state, result, ""


def _oom_kills(folder: RunDir) -> OomKills | None:
    before = folder.read_oom_count()
    return since(before) if isinstance(before, OomCount) else None


def _heartbeat_age_s(handle: WorkerHandle, monotonic_s: float) -> float:
    heartbeat = handle.run_dir.read_heartbeat()
    last_s = handle.known_since_s
    if isinstance(heartbeat, Heartbeat) and heartbeat.worker == handle.identity:
        last_s = heartbeat.monotonic_s
    return max(0.0, monotonic_s - last_s)


def _stop_reason(folder: RunDir) -> StopReason | None:
    text = folder.read_stop()
    if text is None:
        return None
    try:
        return StopReason(text)
    except ValueError:
        return StopReason.CANCEL  # made by hand, with `touch`: somebody asked
