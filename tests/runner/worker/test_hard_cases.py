"""Workers that misbehave, and daemons that die: with real processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from runner.worker.launch import Launcher
from runner.worker.observation import Phase
from runner.worker.run_folder import WorkerExit
from runner.worker.stopping import StopReason, StopStep, follow, next_step, why_stop
from schemas.execution import Outcome
from schemas.service import SchedulerSettings, WorkerSettings


@pytest.fixture
def write_request(request_for, tmp_path):
    def write(job):
        path = tmp_path / "request-to-send.json"
        path.write_text(request_for(f"worker_jobs:{job}").model_dump_json())
        return path

    return write


def escalate(bench, handle, workers, scheduler, **reasons):
    """What the daemon's loop does until the worker has ended; the steps taken."""
    stopping, steps = None, []
    while True:
        now_s = time.monotonic()
        seen = bench.look(handle)
        if seen.ended:
            return seen, steps
        facts = {"past_deadline": False, "cancelled": False, "shutting_down": False, **reasons}
        reason = why_stop(
            heartbeat_age_s=seen.heartbeat_age_s, over_memory_limit=seen.over_memory_limit, settings=workers, **facts
        )
        stopping = follow(stopping, reason, now_s)
        if stopping is None:
            continue
        step = next_step(stopping, now_s, workers, scheduler)
        if step is StopStep.SOFT:
            bench.launcher.request_stop(handle, stopping.reason)
        elif step is StopStep.TERM:
            bench.launcher.terminate(handle, stopping.reason)
        elif step is StopStep.KILL:
            bench.launcher.kill(handle, stopping.reason)
        if step is not StopStep.NOTHING:
            steps.append(step)
        stopping = stopping.after(step, now_s)


def test_a_worker_that_ignores_term_goes_with_its_whole_family(bench, until, is_there):
    workers = WorkerSettings(heartbeat_interval_s=0.1, soft_stop_timeout_s=0.2, term_timeout_s=0.2)
    handle = bench.start("ignore_term_with_family")
    pids = bench.pids_of(handle)
    assert all(is_there(pid) for pid in pids.values())
    seen, steps = escalate(bench, handle, workers, SchedulerSettings(), past_deadline=True)
    assert steps[:3] == [StopStep.SOFT, StopStep.TERM, StopStep.KILL]
    assert (seen.signal_number, seen.result, seen.stop_reason) == (signal.SIGKILL, None, StopReason.DURATION)
    until(lambda: not any(is_there(pid) for pid in pids.values()), "the end of the whole family")


def test_what_a_job_leaves_behind_is_ended_with_the_run(bench, until, is_there):
    handle = bench.start("leave_family_behind")
    seen = bench.end_of(handle)
    assert seen.result.outcome is Outcome.SUCCEEDED
    pids = bench.pids_of(handle)
    until(lambda: not any(is_there(pid) for pid in pids.values()), "the end of the family")


def test_a_killed_worker_leaves_nothing_but_what_hid_completely(bench, until, is_there):
    """Session and mark still tell whose they are. What left the session, cleared its environment and lost its parent
    is out of reach: that one, and only that one, has to be ended by hand here."""
    handle = bench.start("ignore_term_with_family")
    pids = bench.pids_of(handle)
    os.kill(handle.identity.pid, signal.SIGKILL)
    seen = bench.end_of(handle)
    assert (seen.phase, seen.signal_number, seen.result) == (Phase.EXITED, signal.SIGKILL, None)
    bench.launcher.release(handle)
    caught = [pids[name] for name in ("child", "same_session", "own_session")]
    until(lambda: not any(is_there(pid) for pid in caught), "the end of what the worker left")
    assert is_there(pids["bare"])
    os.kill(pids["bare"], signal.SIGKILL)


def test_a_worker_that_fills_the_memory_is_ended(bench):
    limited = WorkerSettings(
        heartbeat_interval_s=0.1,
        sample_interval_s=0.1,
        memory_limit_gb=0.15,
        soft_stop_timeout_s=30,
        term_timeout_s=0.1,
    )
    bench.use(limited)
    handle = bench.start("fill_memory", limited)
    seen, steps = escalate(bench, handle, limited, SchedulerSettings())
    assert steps[0] is StopStep.TERM  # no time for a soft request
    assert seen.stop_reason is StopReason.MEMORY
    assert seen.usage.peak_memory_mb > 0.15 * 1024


def test_a_torn_result_is_told_and_never_taken_for_one(bench):
    seen = bench.run("tear_result")
    assert (seen.phase, seen.exit_code, seen.result) == (Phase.EXITED, 0, None)
    assert "result.json" in seen.result_problem


def test_a_worker_that_leaves_without_a_word(bench):
    seen = bench.run("exit_hard")
    assert (seen.exit_code, seen.result, seen.result_problem) == (9, None, "")


def _start_daemon(run_dir, request_file, environment):
    script = environment["PYTHONPATH"] + "/worker_daemon.py"
    command = [sys.executable, script, str(run_dir), str(request_file)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)


def test_a_worker_outlives_its_killed_daemon_and_is_adopted(
    bench, write_request, environment, tmp_path, until, is_there
):
    run_dir = tmp_path / "run"
    with _start_daemon(run_dir, write_request("wait_for_stop"), environment) as daemon:
        pid = int(daemon.stdout.readline())
        until((run_dir / "progress.json").exists, "the job at work")
        daemon.kill()
    assert is_there(pid)
    handle = bench.adopt(run_dir)
    assert (handle.identity.pid, handle.ours) == (pid, False)
    seen = bench.look(handle)
    assert (seen.phase, seen.state.operation_details) == (Phase.RUNNING, "waiting")
    bench.launcher.request_stop(handle, StopReason.CANCEL)
    seen = bench.end_of(handle)
    assert (seen.phase, seen.result.outcome, seen.result.state.iteration) == (Phase.GONE, Outcome.CANCELLED, 7)


def test_a_daemon_killed_at_once_after_the_launch_loses_no_run(
    bench, write_request, environment, tmp_path, until, is_there
):
    """Whether the worker had its claim or not when the next daemon looks, the run either works or never will."""
    for number in range(3):
        run_dir = tmp_path / f"run-{number}"
        with _start_daemon(run_dir, write_request("succeed"), environment) as daemon:
            pid = int(daemon.stdout.readline())
            daemon.kill()
        found = bench.launcher.recover(run_dir, time.monotonic())
        until(lambda pid=pid: not is_there(pid), "the end of the worker")
        again = bench.launcher.recover(run_dir, time.monotonic())
        assert again.handle is None
        assert again.never_began == found.never_began
        assert (again.seen.result is None) == found.never_began
        assert (run_dir / "worked").exists() != found.never_began
        if found.handle:
            bench.launcher.release(found.handle)


def _races(kind, rounds, folder, request_file, environment):
    script = environment["PYTHONPATH"] + "/worker_races.py"
    command = [sys.executable, script, kind, str(folder), str(request_file), str(rounds)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, timeout=240)
    return json.loads(done.stdout)


def test_of_two_children_exactly_one_works(write_request, environment, tmp_path):
    rounds = _races("children", 100, tmp_path / "races", write_request("succeed"), environment)
    assert len(rounds) == 100
    for told in rounds:
        assert sorted(told["codes"]) == [WorkerExit.SUCCEEDED, WorkerExit.CLAIM_LOST]
        assert told["worked"] == 1


def test_of_a_child_and_a_recovering_daemon_exactly_one_has_the_run(write_request, environment, tmp_path):
    rounds = _races("revoke", 100, tmp_path / "races", write_request("succeed"), environment)
    outcomes = {(tuple(told["codes"]), told["worked"]) for told in rounds}
    revoked, worked = (int(WorkerExit.CLAIM_LOST), 99), (int(WorkerExit.SUCCEEDED), 0)
    assert outcomes <= {(revoked, 0), (worked, 1)}
    assert len(outcomes) == 2, "the race was always won by the same side, so it was none"


def test_workers_do_not_leave_zombies_or_threads(bench):
    before = threading.active_count()
    own = Launcher(WorkerSettings(sample_interval_s=0.05))
    bench.launcher = own
    handle = bench.start("succeed")
    bench.end_of(handle)
    own.release(handle)
    end_s = time.monotonic() + 90
    while threading.active_count() > before:
        assert time.monotonic() < end_s, threading.enumerate()
