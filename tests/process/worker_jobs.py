"""Jobs that run in real worker processes under test, named `worker_jobs:NAME`. Some of them misbehave on purpose."""

import contextlib
import ctypes
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from runner.worker.run_folder import Heartbeat, RunDir
from schemas.errors import BadInputError, MachineError, SnakeError
from schemas.execution import Outcome, RunFailure, RunResult
from schemas.files import write_atomic
from schemas.model import PipelineState

PIDS = "pids.json"
FILES = Path("/proc/self/fd")


def _done(outcome=Outcome.SUCCEEDED, **state):
    return RunResult(outcome=outcome, state=PipelineState(**state))


def _mark_work(context, text="worked\n"):
    descriptor = os.open(context.run_dir / "worked", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def _idle_for_ever():
    while True:
        time.sleep(0.05)


def succeed(request, context):
    _mark_work(context)
    context.report(PipelineState(iteration=3, best_win_rate=0.25))
    print("words of the job")
    return _done(best_win_rate=0.5, best_win_rate_games=100, seed=request.seed)


def tell_limits(request, context):
    figures = {
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "cpus": sorted(os.sched_getaffinity(0)),
        "session": os.getsid(0),
        "group": os.getpgid(0),
        "pid": os.getpid(),
        "stdin": str(FILES.joinpath("0").readlink()),
        "stdout": str(FILES.joinpath("1").readlink()),
        "stderr": str(FILES.joinpath("2").readlink()),
        "files": [str(file.readlink()) for file in FILES.iterdir() if file.is_symlink() and int(file.name) > 2],
    }
    write_atomic(context.run_dir / "limits.json", json.dumps(figures))
    return _done()


def wait_for_stop(request, context):
    context.report(PipelineState(operation_details="waiting"))
    while not context.stop_requested():
        time.sleep(0.02)
    return _done(Outcome.CANCELLED, iteration=7)


def ignore_soft_stop(request, context):
    context.report(PipelineState(operation_details="deaf"))
    try:
        _idle_for_ever()
    finally:
        (context.run_dir / "cleaned").touch()


def raise_bad_input(request, context):
    context.report(PipelineState(iteration=5, best_win_rate=0.4))
    raise BadInputError("the snake has no head", where="snake.yaml", remedy="Give it one.")


def raise_memory(request, context):
    raise MemoryError


def raise_machine(request, context):
    raise MachineError("no Go toolchain")


def raise_full_disk_below(request, context):
    raise SnakeError("the snake does not build") from OSError(errno.ENOSPC, "No space left on device")


def raise_error(request, context):
    return 1 // 0


def exit_process(request, context):
    sys.exit("I leave")


def exit_hard(request, context):
    os._exit(9)


def crash(request, context):
    ctypes.string_at(0)


def return_nothing(request, context):
    context.report(PipelineState(iteration=4))


def return_a_number(request, context):
    return 3


def return_nonsense(request, context):
    return _done().model_copy(update={"state": PipelineState().model_copy(update={"iteration": "\udcff"})})


def return_no_number(request, context):
    return _done().model_copy(update={"state": PipelineState().model_copy(update={"best_win_rate": float("nan")})})


def return_too_much(request, context):
    return _done().model_copy(update={"added": "x" * (17 << 20)})


def raise_after_no_number(request, context):
    context.report(PipelineState().model_copy(update={"best_win_rate": float("inf")}))
    raise RuntimeError("the true reason")


async def be_asynchronous(request, context):
    raise AssertionError("nobody runs this")


def generate(request, context):
    yield "nobody runs this"


def exit_well(request, context):
    context.report(PipelineState(iteration=4))
    sys.exit(0)


def raise_past_all_handlers(request, context):
    class Unheard(BaseException):
        def __str__(self):
            raise SystemExit("from within __str__")

    sys.stdout.close()
    sys.stderr.close()
    raise Unheard


def fork_and_let_both_return(request, context):
    if os.fork() == 0:
        return RunResult(outcome=Outcome.FAILED, state=PipelineState(iteration=1))
    os.wait()
    return _done(iteration=2)


def raise_at_length(request, context):
    raise RuntimeError("\udcff \ud800 \x1b[31m\x00 " + "x" * 100_000)


def tell_surrogates(request, context):
    state = PipelineState().model_copy(update={"operation_details": "half \ud800"})
    context.report(state)
    time.sleep(0.3)  # longer than a heartbeat: its thread must have lived through it
    return RunResult(outcome=Outcome.SUCCEEDED, state=state)


def stay_in_a_thread(request, context):
    import threading

    threading.Thread(target=_idle_for_ever).start()
    return _done()


def fail_with_reason(request, context):
    failure = RunFailure(failure_class="error", message="told by the job itself")
    return RunResult(outcome=Outcome.FAILED, state=PipelineState(iteration=2), failure=failure)


def tear_result(request, context):
    (context.run_dir / "result.json").write_text('{"outcome": "succee')
    os._exit(0)


def fill_memory(request, context):
    held = []
    while True:
        held.append(bytearray(os.urandom(1) * (4 << 20)))
        time.sleep(0.01)


def burn_two_processes(request, context):
    """About 0.5 s of CPU time in each of two processes, and 80 MiB in the child."""
    code = (
        "import time; x = bytearray(b'x' * (80 << 20)); end = time.process_time() + 0.5\n"
        "while time.process_time() < end: pass"
    )
    child = subprocess.Popen([sys.executable, "-c", code])
    end = time.process_time() + 0.5
    while time.process_time() < end:
        pass
    child.wait()
    return _done()


_SLEEPER = "import time, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def _family(context):
    """A child, a double-forked grandchild in our session, one in its own, and one that hides its environment too."""
    code = (
        "import os, subprocess, sys\n"
        f"sleeper = [sys.executable, '-c', {_SLEEPER!r}]\n"
        "same = subprocess.Popen(sleeper, stdout=subprocess.DEVNULL)\n"
        "own = subprocess.Popen(sleeper, stdout=subprocess.DEVNULL, start_new_session=True)\n"
        "bare = subprocess.Popen(sleeper, stdout=subprocess.DEVNULL, start_new_session=True, env={})\n"
        "print(same.pid, own.pid, bare.pid, flush=True)\n"
        "os._exit(0)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", _SLEEPER])
    middle = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True)
    same, own, bare = (int(word) for word in middle.stdout.split())
    pids = {"worker": os.getpid(), "child": child.pid, "same_session": same, "own_session": own, "bare": bare}
    write_atomic(context.run_dir / PIDS, json.dumps(pids))


def ignore_term_with_family(request, context):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _family(context)
    _idle_for_ever()


def leave_family_behind(request, context):
    _family(context)
    return _done()


def report_often(request, context):
    for iteration in range(20_000):
        context.report(PipelineState(iteration=iteration))
    return _done(iteration=19_999)


def fill_the_disk(request, context):
    """Leaves not a byte, waits until the heartbeat has gone on all the same, tells a state, and succeeds."""
    with (context.run_dir / "ballast").open("wb", buffering=0) as ballast:
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(bytes(size))
    context.report(PipelineState(iteration=9))
    beats = set()
    while len(beats) < 5:
        heartbeat = RunDir(context.run_dir).read_heartbeat()
        if isinstance(heartbeat, Heartbeat):
            beats.add(heartbeat.beat)
        time.sleep(0.01)
    return _done(iteration=9, best_win_rate=0.5)


def start_on_a_full_disk(request, context):
    raise AssertionError("this job must never begin")


def flood_the_log(request, context):
    print("the first words", flush=True)
    block = "".join(f"a line of a flood {number:06d}\n" for number in range(40_000))
    for _ in range(40):
        sys.stdout.write(block)
    print("the last words", flush=True)
    return _done()
