"""The worker's own half, in real processes."""

import json
import os
import subprocess
import sys

import pytest

from runner.worker.observation import Phase
from runner.worker.run_folder import WorkerExit
from schemas.execution import FailureClass, Outcome
from schemas.model import PipelineStatus
from schemas.service import WorkerSettings


def test_a_job_that_succeeds_leaves_result_state_and_words(bench):
    handle = bench.start("succeed")
    seen = bench.end_of(handle)
    assert (seen.phase, seen.exit_code, seen.signal_number) == (Phase.EXITED, WorkerExit.SUCCEEDED, None)
    assert seen.result.outcome is Outcome.SUCCEEDED
    assert (seen.result.state.best_win_rate, seen.result.state.seed) == (0.5, 4711)
    assert seen.state.iteration == 3
    assert seen.state.updated_at is not None
    assert "words of the job" in handle.run_dir.log_tail()


def test_nice_affinity_session_and_files(bench):
    cpu = min(os.sched_getaffinity(0))
    handle = bench.start("tell_limits", WorkerSettings(nice=4, cpu_affinity=[cpu]))
    assert bench.end_of(handle).result.outcome is Outcome.SUCCEEDED
    told = json.loads((handle.run_dir.path / "limits.json").read_text())
    assert told["nice"] == max(4, os.getpriority(os.PRIO_PROCESS, 0))
    assert told["cpus"] == [cpu]
    assert told["pid"] == told["session"] == told["group"] == handle.identity.pid
    assert told["session"] != os.getsid(0)
    assert told["stdin"] == "/dev/null"
    assert told["stdout"] == told["stderr"] == str(handle.run_dir.log_path)
    assert not [name for name in told["files"] if name.startswith(("pipe:", "socket:"))]


def test_a_cpu_that_does_not_exist_is_bad_input(bench):
    seen = bench.run("succeed", WorkerSettings(cpu_affinity=[100_000]))
    assert seen.result.failure.failure_class is FailureClass.BAD_INPUT
    assert "cpu_affinity" in seen.result.failure.message


@pytest.mark.parametrize(
    ("job", "kind", "words"),
    [
        ("raise_bad_input", FailureClass.BAD_INPUT, "the snake has no head (snake.yaml). Give it one."),
        ("raise_memory", FailureClass.RESOURCE, "MemoryError"),
        ("raise_machine", FailureClass.RESOURCE, "no Go toolchain"),
        ("raise_full_disk_below", FailureClass.RESOURCE, "does not build"),
        ("raise_error", FailureClass.ERROR, "division"),
        ("exit_process", FailureClass.ERROR, "I leave"),
        ("return_a_number", FailureClass.BAD_INPUT, "the worker returned a int"),
        ("be_asynchronous", FailureClass.BAD_INPUT, "returned a coroutine, and nothing of its work was done"),
        ("generate", FailureClass.BAD_INPUT, "returned a generator, and nothing of its work was done"),
        ("raise_past_all_handlers", FailureClass.ERROR, "(its text cannot be read: SystemExit)"),
        ("raise_after_no_number", FailureClass.ERROR, "the true reason"),
        ("=no_such_worker", FailureClass.BAD_INPUT, "no worker of that name is installed"),
        ("worker_jobs:no_such_function", FailureClass.BAD_INPUT, "no_such_function"),
        ("no_such_module_at_all:job", FailureClass.BAD_INPUT, "no_such_module_at_all"),
        ("worker_jobs:PIDS", FailureClass.BAD_INPUT, "no function"),
    ],
)
def test_what_goes_wrong_becomes_a_failure_of_its_class(bench, job, kind, words):
    seen = bench.run(job)
    assert seen.exit_code == WorkerExit.NOT_SUCCEEDED
    assert seen.result.outcome is Outcome.FAILED
    assert seen.result.failure.failure_class is kind
    assert words in seen.result.failure.message
    assert "Traceback" in seen.result.failure.traceback
    assert (seen.result.state.status, seen.result.state.last_error) == (
        PipelineStatus.ERROR,
        seen.result.failure.message,
    )


@pytest.mark.parametrize("job", ["return_nothing", "exit_well"])
def test_a_function_that_returns_nothing_and_raises_nothing_has_succeeded(bench, job):
    seen = bench.run(job)
    assert (seen.exit_code, seen.result.outcome) == (WorkerExit.SUCCEEDED, Outcome.SUCCEEDED)
    assert (seen.result.state.status, seen.result.state.iteration) == (PipelineStatus.COMPLETED, 4)


def test_an_exception_of_any_text_is_told_short_and_kept_whole_in_the_log(bench):
    handle = bench.start("raise_at_length")
    seen = bench.end_of(handle)
    message, log = seen.result.failure.message, str(handle.run_dir.log_path)
    assert len(message) <= 4000
    assert message.startswith(r"\xff \ud800 \x1b[31m\x00 xxxx")
    assert f"characters left out; the whole is in {log} ...]" in message
    assert len(seen.result.failure.traceback) <= 20_000
    assert "x" * 100_000 in handle.run_dir.log_path.read_text()


def test_what_a_job_tells_past_the_door_costs_neither_heartbeat_nor_result(bench):
    seen = bench.run("tell_surrogates")
    assert seen.result.outcome is Outcome.SUCCEEDED
    assert seen.result.state.operation_details == r"half \ud800"
    assert seen.state.operation_details == r"half \ud800"


@pytest.mark.parametrize("job", ["return_nonsense", "return_no_number", "return_too_much"])
def test_a_result_that_cannot_be_written_is_a_failure_that_says_so(bench, job):
    seen = bench.run(job)
    assert (seen.exit_code, seen.result.outcome) == (WorkerExit.NOT_SUCCEEDED, Outcome.FAILED)
    assert "result cannot be written" in seen.result.failure.message
    assert seen.result.failure.failure_class is FailureClass.BAD_INPUT


def test_a_copy_that_the_job_forked_tells_nothing_of_the_run(bench):
    seen = bench.run("fork_and_let_both_return")
    assert (seen.exit_code, seen.result.outcome) == (WorkerExit.SUCCEEDED, Outcome.SUCCEEDED)
    assert seen.result.state.iteration == 2


def test_a_failure_keeps_the_state_told_before_it(bench):
    seen = bench.run("raise_bad_input")
    assert (seen.result.state.iteration, seen.result.state.best_win_rate) == (5, 0.4)


def test_a_failure_told_by_the_job_goes_through(bench):
    assert bench.run("fail_with_reason").result.failure.message == "told by the job itself"


def test_a_thread_left_behind_does_not_keep_the_worker_alive(bench):
    assert bench.run("stay_in_a_thread").exit_code == WorkerExit.SUCCEEDED


def test_a_segmentation_fault_leaves_its_stack_in_the_log(bench):
    handle = bench.start("crash")
    seen = bench.end_of(handle)
    assert (seen.signal_number, seen.result) == (11, None)
    assert "Segmentation fault" in "\n".join(handle.run_dir.log_tail())


def test_states_told_often_end_with_the_newest(bench):
    seen = bench.run("report_often")
    assert seen.state.iteration == 19_999


def test_a_folder_without_a_request_fails_with_a_result(tmp_path, environment):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "runner.worker.child", str(run_dir)], check=False, env=environment, timeout=60
    )
    assert done.returncode == WorkerExit.NOT_SUCCEEDED
    result = json.loads((run_dir / "result.json").read_text())
    assert result["failure"]["failure_class"] == "bad_input"
    assert "request.json" in result["failure"]["message"]


def test_a_folder_that_is_not_there_cannot_be_claimed(tmp_path, environment):
    command = [sys.executable, "-m", "runner.worker.child", str(tmp_path / "nowhere")]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, timeout=60)
    assert done.returncode == WorkerExit.NO_CLAIM
    assert b"Cannot claim" in done.stderr


def test_started_by_hand_without_a_folder_it_says_how(environment):
    command = [sys.executable, "-m", "runner.worker.child"]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (WorkerExit.USAGE, b"Usage: python -m runner.worker.child RUN_DIR\n")


def test_no_file_but_the_named_ones_stays_in_the_folder(bench):
    handle = bench.start("report_often")
    bench.end_of(handle)
    assert {path.name for path in handle.run_dir.path.iterdir()} - {"oom.json"} == {  # where the kernel counts
        "request.json",
        "claim",
        "heartbeat.json",
        "progress.json",
        "result.json",
        "worker.log",
    }
