"""The worker process: `python -m runner.worker.child RUN_DIR` does the one run that the folder's request names.

Order matters and is told at each step: claim, limits, signals, heartbeat, work, cleaning up, result, end.
"""

import contextlib
import ctypes
import faulthandler
import inspect
import logging
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from runner.worker.heartbeat import HeartbeatThread
from runner.worker.identity import own_identity
from runner.worker.job_errors import failure_of
from runner.worker.jobs import resolve
from runner.worker.process_tree import MARK_VARIABLE, Root, kill_all
from runner.worker.run_folder import MOST_BYTES, ClaimRole, RunDir, UnreadableFile, WorkerExit
from schemas.errors import BadInputError
from schemas.execution import FailureClass, Outcome, ProcessIdentity, RunFailure, RunRequest, RunResult
from schemas.model import PipelineState, PipelineStatus
from schemas.outside_text import error_line, to_json
from schemas.service import WorkerSettings

_log = logging.getLogger("runner.worker")
_PR_SET_CHILD_SUBREAPER = 36
_OOM_SCORE = "500"
_DONE = {"status": PipelineStatus.COMPLETED, "progress_percentage": 100.0}
_RESULT_TRIES = 20
_RESULT_RETRY_S = 0.5


class JobInterrupted(BaseException):
    """Raised in the job by a TERM after the request to stop was not followed, so that its `finally` blocks run."""


def main(arguments: list[str]) -> int:
    """Do the run; the exit code is a `WorkerExit`."""
    if len(arguments) != 1:
        sys.stderr.write("Usage: python -m runner.worker.child RUN_DIR\n")
        return WorkerExit.USAGE
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.raiseExceptions = False  # a job may close the streams; what cannot be logged then must not end us
    faulthandler.enable()  # a segmentation fault in native code leaves its stack in the log
    run_dir = RunDir(Path(arguments[0]).absolute())
    identity = own_identity()
    try:
        # First of all: whoever has the claim decides what becomes of the run, and a daemon that is recovering may
        # be taking it at this very moment.
        if not run_dir.take_claim(ClaimRole.WORKER, identity):
            _log.info("Somebody else has this run: %s", run_dir.path)
            return WorkerExit.CLAIM_LOST
    except OSError:
        _log.exception("Cannot claim the run in %s", run_dir.path)
        return WorkerExit.NO_CLAIM
    return _run_claimed(run_dir, identity)


def _run_claimed(run_dir: RunDir, identity: ProcessIdentity) -> int:
    """Do the run that is ours, tell its result, and leave no process behind."""
    request = run_dir.read_request()
    settings = request.settings.workers if isinstance(request, RunRequest) else WorkerSettings()
    heartbeat = HeartbeatThread(run_dir, identity, settings.heartbeat_interval_s)
    _take_signals(heartbeat)  # before the first heartbeat: from here on a TERM is a request, not an end
    heartbeat.start()
    try:
        result = _result_of(request, heartbeat, settings)
        _ignore_term()  # the work is over, and a TERM must not cost its result
    except JobInterrupted:  # it came between the job's end and the line above
        _ignore_term()
        result = RunResult(outcome=Outcome.CANCELLED, state=heartbeat.last_state)
    if os.getpid() != identity.pid:  # a copy of us that the job forked and let return: the run is not its to tell of
        return WorkerExit.CLAIM_LOST
    kill_all(Root(identity, os.environ.get(MARK_VARIABLE, "")))  # what the job left behind; never this process itself
    heartbeat.close()
    return _tell(run_dir, result)


def _result_of(
    request: RunRequest | UnreadableFile | None, heartbeat: HeartbeatThread, settings: WorkerSettings
) -> RunResult:
    """Do the work, and turn whatever comes out of it into a result."""
    try:
        return _work(request, heartbeat, settings)
    except JobInterrupted:
        _log.warning("The job did not follow the request to stop and was interrupted")
        return RunResult(outcome=Outcome.CANCELLED, state=heartbeat.last_state)
    except BaseException as error:  # noqa: BLE001 - a job may raise anything; its parent learns of it, traceback and all
        if isinstance(error, KeyboardInterrupt) and heartbeat.stop_requested():
            return RunResult(outcome=Outcome.CANCELLED, state=heartbeat.last_state)
        failure = failure_of(error, str(heartbeat.log_path))
        ended = heartbeat.last_state.model_copy(update={"status": PipelineStatus.ERROR, "last_error": failure.message})
        return RunResult(outcome=Outcome.FAILED, state=ended, failure=failure)


def _work(
    request: RunRequest | UnreadableFile | None, heartbeat: HeartbeatThread, settings: WorkerSettings
) -> RunResult:
    if not isinstance(request, RunRequest):
        problem = request.reason if request else "request.json is not there"
        raise BadInputError(f"cannot read what to do: {problem}", where=str(heartbeat.run_dir))
    RunDir(heartbeat.run_dir).reserve_result()
    _take_limits(settings)
    job = resolve(request.worker)
    who, run = request.worker, request.execution_id
    _log.info("Run %s of %s, attempt %s: %s", run, request.schedule_name, request.attempt, who)
    try:
        result = job(request, heartbeat)
    except SystemExit as leaving:
        if leaving.code:
            raise
        result = None  # a program's way to say that all went well
    if result is None:  # a function of the user's that ended without an exception has done its work
        return RunResult(outcome=Outcome.SUCCEEDED, state=heartbeat.last_state.model_copy(update=_DONE))
    if not isinstance(result, RunResult):
        raise _no_result(result, request.worker)
    return result


def _no_result(returned: object, worker: str) -> BadInputError:
    """Why what a job returned is none."""
    kind = type(returned).__name__
    if inspect.isawaitable(returned) or inspect.isgenerator(returned) or inspect.isasyncgen(returned):
        if inspect.iscoroutine(returned):
            returned.close()  # else the interpreter warns of it in the log
        return BadInputError(
            f"the worker is no plain function: called, it returned a {kind}, and nothing of its work was done",
            where=worker,
            remedy="Name a function that does the work when it is called; in it `asyncio.run` runs a coroutine.",
        )
    return BadInputError(
        f"the worker returned a {kind}; its work is done, but what came of it cannot be read",
        where=worker,
        remedy="Return a schemas.RunResult, or nothing at all for a success.",
    )


def _take_signals(heartbeat: HeartbeatThread) -> None:
    def on_term(_number: int, _frame: FrameType | None) -> None:
        if not heartbeat.stop_requested():
            heartbeat.request_stop()
            return
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # one more ends the process at once
        raise JobInterrupted

    signal.signal(signal.SIGTERM, on_term)


def _ignore_term() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _take_limits(settings: WorkerSettings) -> None:
    """Niceness, CPUs, first choice of the kernel's out-of-memory killer, and gatherer of orphans."""
    os.setpriority(os.PRIO_PROCESS, 0, max(settings.nice, os.getpriority(os.PRIO_PROCESS, 0)))  # never back down
    if settings.cpu_affinity:
        try:
            os.sched_setaffinity(0, settings.cpu_affinity)
        except (OSError, ValueError, OverflowError) as error:
            raise BadInputError(
                f"cannot run on CPUs {settings.cpu_affinity}: {error_line(error)}",
                where="workers.cpu_affinity",
                remedy="Name CPUs that this machine lets us use, or none for all.",
            ) from error
    try:
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")
    except OSError as error:
        _log.warning("Cannot ask to be ended before the daemon when memory runs out: %s", error)
    # Orphans of this run hang below this process from now on, so that whoever ends its tree ends them too.
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        _log.warning("Cannot become the reaper of orphans: %s", os.strerror(ctypes.get_errno()))


def _tell(run_dir: RunDir, result: RunResult) -> int:
    """Write the result; on a full disk, try for ten seconds."""
    result = _writable(result)
    for left in reversed(range(_RESULT_TRIES)):
        try:
            run_dir.write_result(result)
        except OSError as error:
            _log.error("Cannot write the result (%s); %s tries left", error, left)
            time.sleep(_RESULT_RETRY_S if left else 0)
        else:
            return WorkerExit.SUCCEEDED if result.outcome is Outcome.SUCCEEDED else WorkerExit.NOT_SUCCEEDED
    _log.error("The result that could not be written: %s", to_json(result))
    return WorkerExit.NO_RESULT


def _writable(result: RunResult) -> RunResult:
    """The result, or where a job put into it what nobody could read again, a failure that says so."""
    problem = _unreadable(result)
    if not problem:
        return result
    _log.error("The result cannot be written: %s", problem)
    told = f"The job's result cannot be written: {problem}"
    failure = result.failure or RunFailure(failure_class=FailureClass.BAD_INPUT, message=told)
    state = PipelineState(status=PipelineStatus.ERROR, last_error=failure.message)
    return RunResult(outcome=Outcome.FAILED, state=state, failure=failure)


def _unreadable(result: RunResult) -> str:
    """Why the parent could not read this result; "": it can."""
    try:
        text = to_json(result)
        RunResult.model_validate_json(text)
    except Exception as error:  # noqa: BLE001 - a job copies anything into its result, past all checks
        return error_line(error)
    size = len(text.encode())
    return f"it has {size:,} bytes, and {MOST_BYTES:,} are the most" if size > MOST_BYTES else ""


def _leave(code: int) -> None:
    """End at once: a thread that a job left behind must not keep a finished run alive."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a log that cannot be written, or that the job closed: nobody to tell
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # what the daemon's libraries may have left open to its children
    _leave(main(sys.argv[1:]))
