"""Cradles: a process that has everything imported and forks a child for each line that it reads, which costs
milliseconds where a start of its own costs seconds. What is forked is a process like any other: it can be killed."""

import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHILD_S = 200


def rock(child: Callable[..., None]) -> None:
    """Be the cradle: read lines of JSON, `[file for its words, argument, ...]`; each answered with a wait status."""
    for line in sys.stdin:
        told, *asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _be(child, told, asked)
        print(os.waitpid(pid, 0)[1], flush=True)


def _be(child: Callable[..., None], told: str, asked: list[Any]) -> None:
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        file = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        child(*asked)
        code = 0
    except BaseException:  # noqa: BLE001 - told, and the exit code tells the cradle
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Cradle:
    """The tests' side of one."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def bear(self, told: Path, *arguments: Any) -> tuple[int, str]:
        """One child; its exit code, negative for the signal that ended it, and what it said."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps([str(told), *arguments]), file=self._process.stdin, flush=True)
        late = threading.Timer(CHILD_S, self._process.kill)
        late.start()
        status = self._process.stdout.readline()
        late.cancel()
        said = told.read_text(errors="backslashreplace") if told.exists() else ""
        assert status, f"no end after {CHILD_S} s: {said[-3000:]}"
        return os.waitstatus_to_exitcode(int(status)), said


@contextmanager
def cradle(program: Path) -> Iterator[Cradle]:
    """Start `program`, which calls `rock`."""
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent / "support"), *filter(None, [os.environ.get("PYTHONPATH")])])
    with subprocess.Popen(
        [sys.executable, program], env=os.environ | {"PYTHONPATH": path}, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield Cradle(process)
        assert process.stdin is not None
        process.stdin.close()  # the end of its lines is its end
        process.wait(60)
