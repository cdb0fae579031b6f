"""Running a condition of the user's own in a process that is ended at its time limit, with all it has started."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from runner.triggers.child_request import ChildAnswer, ChildRequest
from schemas.settings import Settings

CHECK_LIMIT_S = 30.0
MAX_ANSWER_BYTES = 1_000_000
_TAIL_BYTES = 2_000
_NO_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)


def ask_child(request: ChildRequest, limit_s: float) -> ChildAnswer:
    """The child's answer; an `error` when it raised, hung past `limit_s` seconds, died, or said nothing sensible.

    Input and output go through files: a grandchild that holds a pipe open cannot make us wait.

    Raises:
        OSError: no process could be started.
    """
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as answered, tempfile.TemporaryFile() as printed:
        told.write(request.model_dump_json().encode())
        told.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", "runner.triggers.child"],
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


def ask_whether_callable(target: str) -> str:
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
    return ask_child(request, CHECK_LIMIT_S).error


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
