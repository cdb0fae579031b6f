"""A small process between us and a snake, so that no snake outlives us: run as a script, imports only the library.

It starts the snake in a process group of its own and waits for the snake's end or for the end of its standard
input. We hold the other end of that pipe: closing it asks for the stop, and the kernel closes it for us when we are
killed. Then the snake's group gets TERM and, after the grace, KILL. Should this process itself be killed, the
kernel kills the snake (PR_SET_PDEATHSIG, on Linux; it follows the starting thread, and here there is only one).

    python supervisor.py GRACE_S COMMAND [ARGUMENT ...]

Exit code: the snake's own, 128 + signal where a signal ended it, 127 where it could not be started.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from typing import NoReturn

PR_SET_PDEATHSIG = 1
POLL_S = 0.02


def run(grace_s: float, command: list[str]) -> int:
    """Run the command until it ends or standard input does; return its exit code."""
    # Signals to our group are for our parent; it stops the snake through the pipe.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    supervisor = os.getpid()
    child = os.fork()
    if child == 0:
        _become(command, supervisor)
    with contextlib.suppress(OSError):
        os.setpgid(child, child)  # in both, or a stop could come before the child has done it
    while True:
        ready, _, _ = select.select([0, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 64)
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                _signal_group(child, signal.SIGKILL)  # whatever it left behind
                return _exit_code(status)
        if 0 in ready and not os.read(0, 64):
            return _stop(child, grace_s)


def _become(command: list[str], supervisor: int) -> NoReturn:
    try:
        os.setpgid(0, 0)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != supervisor:  # it died before the line above
                os._exit(127)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.execvp(command[0], command)  # noqa: S606 - the user's own command, argument by argument
    except OSError as error:
        os.write(2, f"cannot start {command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _stop(child: int, grace_s: float) -> int:
    _signal_group(child, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            _signal_group(child, signal.SIGKILL)
            return _exit_code(status)
        time.sleep(POLL_S)
    _signal_group(child, signal.SIGKILL)
    return _exit_code(os.waitpid(child, 0)[1])


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(run(float(sys.argv[1]), sys.argv[2:]))
