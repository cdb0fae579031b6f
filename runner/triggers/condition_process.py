"""A condition of the user's own, run in a process that is ended at its time limit, with all it has started.

The daemon's half sends a request with all that a condition may look at, and reads one answer. The child's half
(`python -m runner.triggers.condition_process`) imports the function and calls it; what that prints goes to standard
error, which the parent keeps for its messages.
"""

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from pydantic import Field, ValidationError

from runner.triggers.context import ConditionContext, ConditionVerdict, EndedRuns, FinishedRun, OverdueRun, RunnerView
from schemas.base import Frozen
from schemas.ladder import LadderRating, LadderRegistration, LadderResult
from schemas.machine import ResourceSnapshot
from schemas.outside_text import ReasonText, error_line, to_json
from schemas.settings import Settings

RATINGS_OF = timedelta(days=30)
CHECK_LIMIT_S = 30.0
MAX_ANSWER_BYTES = 1_000_000
_TAIL_BYTES = 2_000
_NO_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)


class ViewSnapshot(Frozen):
    """A `RunnerView` of one moment."""

    games: int
    measured: FinishedRun | None
    recent: list[FinishedRun]
    all_ended_up_to: int
    waiting: list[OverdueRun]
    machine: ResourceSnapshot | None
    registrations: list[LadderRegistration] = Field(default_factory=list)
    results: dict[str, list[LadderResult]] = Field(default_factory=dict)
    """Of each snake that is held to something, since it is."""
    ratings: list[LadderRating] = Field(default_factory=list)
    """Of the last thirty days."""

    def games_counted(self) -> int:
        return self.games

    def last_measured_success(self) -> FinishedRun | None:
        return self.measured

    def recent_runs(self) -> list[FinishedRun]:
        return self.recent

    def ended_after(self, execution_id: int | None) -> EndedRuns:
        beyond = self.all_ended_up_to if execution_id is None else execution_id
        runs = sorted((run for run in self.recent if run.execution_id > beyond), key=lambda run: run.execution_id)
        return EndedRuns(runs=runs, all_ended_up_to=self.all_ended_up_to)

    def overdue(self, before: datetime) -> list[OverdueRun]:
        return [run for run in self.waiting if run.scheduled_for <= before]

    def ladder_registrations(self) -> list[LadderRegistration]:
        return self.registrations

    def ladder_results_after(self, snake_id: str, number: int) -> list[LadderResult]:
        return [result for result in self.results.get(snake_id, []) if result.number > number]

    def ladder_ratings_since(self, since: datetime) -> list[LadderRating]:
        return [rating for rating in self.ratings if rating.at >= since]

    def resources(self) -> ResourceSnapshot | None:
        return self.machine


def snapshot(view: RunnerView, now: datetime) -> ViewSnapshot:
    """All that a view tells at `now`."""
    held = view.ladder_registrations()
    return ViewSnapshot(
        games=view.games_counted(),
        measured=view.last_measured_success(),
        recent=view.recent_runs(),
        all_ended_up_to=view.ended_after(None).all_ended_up_to,
        waiting=view.overdue(now),
        machine=view.resources(),
        registrations=held,
        results={one.snake_id: view.ladder_results_after(one.snake_id, one.up_to_result) for one in held},
        ratings=view.ladder_ratings_since(now - RATINGS_OF),
    )


class ChildRequest(Frozen):
    """One line on the child's standard input."""

    target: str
    """`package.module:function`."""
    trigger_name: str
    now: datetime
    parameters: dict[str, Any]
    cursor: str
    settings: Settings
    working_dir: Path
    view: ViewSnapshot | None
    """None: only say whether `target` can be called."""


class ChildAnswer(Frozen):
    """What the child writes."""

    fired: bool = False
    reason: ReasonText = ""
    cursor: str = ""
    error: ReasonText = ""
    """Not empty: the condition could not be imported, or raised."""


def run_condition(request: ChildRequest, limit_s: float) -> ChildAnswer:
    """The child's answer; an `error` when it raised, hung past `limit_s` seconds, died, or said nothing sensible.

    Input and output go through files: a grandchild that holds a pipe open cannot make us wait.

    Raises:
        OSError: no process could be started.
    """
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as answered, tempfile.TemporaryFile() as printed:
        told.write(request.model_dump_json().encode())
        told.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", "runner.triggers.condition_process"],
            stdin=told,
            stdout=answered,
            stderr=printed,
            cwd=request.working_dir,
            env=_environment(),
            start_new_session=True,
        )
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return ChildAnswer(error=f"took longer than its time limit of {limit_s:g} s and was ended")
        finally:
            _end(process)
        return _understood(answered, printed, code)


def why_not_callable(target: str) -> str:
    """Why `target` cannot be imported and called; empty if it can."""
    request = ChildRequest(
        target=target,
        trigger_name="",
        now=_NO_MOMENT,
        parameters={},
        cursor="",
        settings=Settings(),
        working_dir=Path.cwd(),
        view=None,
    )
    return run_condition(request, CHECK_LIMIT_S).error


def _environment() -> dict[str, str]:
    """Ours, with the import path of this process: what it can import, the child can."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _end(process: subprocess.Popen[bytes]) -> None:
    """The whole session, also when the condition returned and left something behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _understood(answered: IO[bytes], printed: IO[bytes], code: int) -> ChildAnswer:
    answered.seek(0)
    data = answered.read(MAX_ANSWER_BYTES + 1)
    try:
        return ChildAnswer.model_validate_json(data)
    except ValidationError:
        size = printed.seek(0, os.SEEK_END)
        printed.seek(max(0, size - _TAIL_BYTES))
        lines = printed.read().decode(errors="replace").strip().splitlines()
        last = f": {lines[-1]}" if lines else ""
        return ChildAnswer(error=f"its process ended with code {code} and no answer{last}")


def main() -> None:
    """The child: read the request from standard input, write the answer to what was standard output."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    request = ChildRequest.model_validate_json(sys.stdin.buffer.read())
    try:
        answer = _answer(request)
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises, `SystemExit` too, is its answer
        trace = traceback.extract_tb(error.__traceback__)[-1]
        answer = ChildAnswer(error=f"{error_line(error)} ({trace.filename}:{trace.lineno})")
    os.write(answer_to, to_json(answer).encode())


def _answer(request: ChildRequest) -> ChildAnswer:
    function = _load(request.target)
    if request.view is None:
        return ChildAnswer()
    verdict = function(
        ConditionContext(
            trigger_name=request.trigger_name,
            now=request.now,
            parameters=request.parameters,
            cursor=request.cursor,
            settings=request.settings,
            working_dir=request.working_dir,
            view=request.view,
        )
    )
    if isinstance(verdict, bool):
        return ChildAnswer(fired=verdict, reason=f"{request.target} answered {verdict}", cursor=request.cursor)
    if not isinstance(verdict, ConditionVerdict):
        raise TypeError(f"{request.target} returned {type(verdict).__name__}, not a ConditionVerdict or a bool")
    return ChildAnswer(fired=verdict.fired, reason=verdict.reason, cursor=verdict.cursor)


def _load(target: str) -> Callable[[ConditionContext], ConditionVerdict | bool]:
    module, _, name = target.partition(":")
    function: Callable[[ConditionContext], ConditionVerdict | bool] = getattr(importlib.import_module(module), name)
    if not callable(function):
        raise TypeError(f"{target} is no function")
    return function


if __name__ == "__main__":
    main()
