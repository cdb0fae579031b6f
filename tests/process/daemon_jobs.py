"""Jobs that a daemon under test launches as real worker processes (`daemon_jobs:NAME`)."""

import os
import signal
import subprocess
import sys
import threading

from schemas.errors import BadInputError
from schemas.execution import JobContext, Outcome, RunRequest, RunResult
from schemas.model import PipelineState, PipelineStatus

MEASURED = PipelineState(
    status=PipelineStatus.COMPLETED,
    best_win_rate=0.55,
    best_win_rate_low=0.5,
    best_win_rate_high=0.6,
    best_win_rate_games=400,
    total_games_processed=400,
)


def ledger(request: RunRequest, context: JobContext) -> RunResult:
    """Leave one line that says: this run was really done."""
    _write_line(request)
    context.report(MEASURED)
    return RunResult(outcome=Outcome.SUCCEEDED, state=MEASURED)


def fails_at_first(request: RunRequest, context: JobContext) -> RunResult:
    """An error at the first attempt, a success at the second."""
    _write_line(request)
    if request.attempt == 1:
        raise RuntimeError("the first attempt fails")
    return RunResult(outcome=Outcome.SUCCEEDED, state=MEASURED)


def refuses(request: RunRequest, context: JobContext) -> RunResult:
    """Bad input: the same request would fail again."""
    _write_line(request)
    raise BadInputError("this cannot work", where="here", remedy="Ask for something else.")


def until_stopped(request: RunRequest, context: JobContext) -> RunResult:
    """Goes on until it is asked to stop; the second execution of an occurrence ends at once."""
    _write_line(request)
    if (request.settings.home / "let_it_end").exists():
        return RunResult(outcome=Outcome.SUCCEEDED, state=MEASURED)
    pause = threading.Event()
    while not context.stop_requested():
        context.report(MEASURED.model_copy(update={"status": PipelineStatus.CONTINUOUS_TRAINING}))
        pause.wait(0.02)
    return RunResult(outcome=Outcome.CANCELLED, state=MEASURED)


def tears_its_result(request: RunRequest, context: JobContext) -> RunResult:
    """At the first attempt half a result, as a file system without order could leave it; then a success."""
    _write_line(request)
    if request.attempt == 1:
        folder = request.settings.runs_dir / f"{request.execution_id:08d}"
        (folder / "result.json").write_text('{"outcome": "succ')
        os._exit(0)
    return RunResult(outcome=Outcome.SUCCEEDED, state=MEASURED)


def is_killed(request: RunRequest, context: JobContext) -> RunResult:
    """At the first attempt SIGKILL; then a success."""
    _write_line(request)
    if request.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return RunResult(outcome=Outcome.SUCCEEDED, state=MEASURED)


def feeds_a_child_too_much(request: RunRequest, context: JobContext) -> RunResult:
    """A child takes a gigabyte, and the error says how the child ended."""
    subprocess.run([sys.executable, "-c", "held = [bytearray(b'x') * (1 << 20) for _ in range(1024)]"], check=True)
    return RunResult(outcome=Outcome.SUCCEEDED, state=MEASURED)


def _write_line(request: RunRequest) -> None:
    line = f"{request.execution_id} {request.schedule_name} {request.scheduled_for.isoformat()} {request.attempt}\n"
    descriptor = os.open(request.settings.home / "ledger.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def says_what_it_added(request: RunRequest, context: JobContext) -> RunResult:
    """The best is the one that was measured before; and this run says what it did."""
    state = MEASURED.model_copy(update={"best_model_version": "v1", "operation_details": "iteration 3, tuning"})
    return RunResult(outcome=Outcome.SUCCEEDED, state=state, added=f"Run {request.execution_id} judged 3 candidates.")
