"""The daemon's half, with real workers."""

import os
import signal
import subprocess
import sys
import time

import pytest

from runner.worker import launch
from runner.worker.identity import stat_fields
from runner.worker.launch import Launcher
from runner.worker.observation import Phase
from runner.worker.run_folder import ClaimRole, Heartbeat, RunDir, WorkerExit
from runner.worker.stopping import StopReason
from schemas.errors import WorkerError
from schemas.execution import Outcome
from schemas.service import WorkerSettings


def test_a_running_worker_beats_and_tells(bench, until):
    handle = bench.working(bench.start("wait_for_stop"))
    first = handle.run_dir.read_heartbeat()
    assert isinstance(first, Heartbeat)
    assert first.worker == handle.identity
    until(lambda: handle.run_dir.read_heartbeat().beat > first.beat + 2, "more heartbeats")
    seen = bench.look(handle)
    assert (seen.phase, seen.state.operation_details, seen.result) == (Phase.RUNNING, "waiting", None)
    assert not seen.ended


def test_a_stop_file_is_followed_and_its_reason_kept(bench):
    handle = bench.working(bench.start("wait_for_stop"))
    bench.launcher.request_stop(handle, StopReason.SHUTDOWN)
    bench.launcher.request_stop(handle, StopReason.CANCEL)  # too late: the first reason says what became of the run
    seen = bench.end_of(handle)
    assert (seen.result.outcome, seen.result.state.iteration) == (Outcome.CANCELLED, 7)
    assert seen.stop_reason is StopReason.SHUTDOWN


def test_a_stop_file_made_by_hand_is_a_cancel(bench):
    handle = bench.working(bench.start("wait_for_stop"))
    handle.run_dir.stop_path.touch()
    seen = bench.end_of(handle)
    assert (seen.result.outcome, seen.stop_reason) == (Outcome.CANCELLED, StopReason.CANCEL)


def test_a_first_term_is_a_request(bench):
    handle = bench.working(bench.start("wait_for_stop"))
    bench.launcher.terminate(handle, StopReason.CANCEL)
    assert bench.end_of(handle).result.state.iteration == 7


def test_soft_then_one_term_leaves_a_result_of_a_deaf_job(bench, until):
    handle = bench.working(bench.start("ignore_soft_stop"))
    bench.launcher.request_stop(handle, StopReason.CANCEL)
    beat = handle.run_dir.read_heartbeat().beat
    # The thread that looks for the stop file is the one that beats: several beats later it has seen it.
    until(lambda: handle.run_dir.read_heartbeat().beat > beat + 3, "the stop file to be seen")
    bench.launcher.terminate(handle, StopReason.CANCEL)
    seen = bench.end_of(handle)
    assert (seen.exit_code, seen.result.outcome) == (WorkerExit.NOT_SUCCEEDED, Outcome.CANCELLED)
    assert seen.result.state.operation_details == "deaf"
    assert (handle.run_dir.path / "cleaned").exists()


def test_an_ended_worker_is_reaped(bench):
    handle = bench.start("succeed")
    bench.end_of(handle)
    with pytest.raises(ChildProcessError):
        os.waitpid(handle.identity.pid, os.WNOHANG)


def test_a_used_folder_is_refused(bench, request_for):
    handle = bench.start("succeed")
    bench.end_of(handle)
    with pytest.raises(WorkerError, match="used already"):
        bench.launcher.launch(request_for("worker_jobs:succeed"), handle.run_dir.path, time.monotonic())


def test_a_folder_that_cannot_be_made_is_a_worker_error(bench, request_for, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WorkerError, match="cannot launch"):
        bench.launcher.launch(request_for("worker_jobs:succeed"), tmp_path / "file" / "run", time.monotonic())


def test_links_in_a_circle_are_a_worker_error(bench, request_for, tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(WorkerError, match="cannot launch"):
        bench.launcher.launch(request_for("worker_jobs:succeed"), tmp_path / "circle" / "run", time.monotonic())


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("runner.worker.launch.identity_of", OSError(24, "Too many open files")),
        ("runner.worker.launch.identity_of", WorkerError("cannot tell processes apart")),
        ("runner.worker.resource_usage.threading.Thread.start", RuntimeError("can't start new thread")),
    ],
)
def test_a_worker_that_cannot_be_watched_is_ended_at_once(bench, request_for, tmp_path, monkeypatch, what, problem):
    pids = []
    spawn = launch._spawn
    monkeypatch.setattr(launch, "_spawn", lambda folder: pids.append(spawn(folder)) or pids[-1])

    def refuse(*_):
        raise problem

    monkeypatch.setattr(what, refuse)
    with pytest.raises(WorkerError, match=r"cannot launch a worker: .*(files|thread)|cannot tell"):
        bench.launcher.launch(request_for("worker_jobs:wait_for_stop"), tmp_path / "run", time.monotonic())
    monkeypatch.undo()
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
    with pytest.raises(ChildProcessError):
        os.waitpid(pids[0], 0)


def test_a_revoked_run_never_works(bench, request_for, tmp_path):
    run_dir = tmp_path / "revoked"
    assert bench.launcher.revoke(run_dir)
    assert not bench.launcher.revoke(run_dir)
    assert bench.launcher.was_revoked(run_dir)
    assert bench.launcher.adopt(run_dir, 0.0) is None
    with pytest.raises(WorkerError):
        bench.launcher.launch(request_for("worker_jobs:succeed"), run_dir, 0.0)
    assert not (run_dir / "worked").exists()


def test_a_worker_that_comes_after_the_revocation_leaves(bench, request_for, tmp_path, environment):
    run_dir = RunDir(tmp_path / "run")
    run_dir.create()
    run_dir.write_request(request_for("worker_jobs:succeed"))
    assert bench.launcher.revoke(run_dir.path)
    done = subprocess.run(
        [sys.executable, "-m", "runner.worker.child", str(run_dir.path)], check=False, env=environment, timeout=60
    )
    assert done.returncode == WorkerExit.CLAIM_LOST
    assert sorted(path.name for path in run_dir.path.iterdir()) == ["claim", "request.json"]


def test_recover_finds_the_living(bench):
    handle = bench.working(bench.start("wait_for_stop"))
    found = bench.launcher.recover(handle.run_dir.path, time.monotonic())
    assert found.handle.identity == handle.identity
    assert not found.handle.ours
    assert not found.never_began


def test_recover_forbids_what_never_began(bench, tmp_path):
    for _ in range(2):  # killed after it has revoked, a daemon finds the same again
        found = bench.launcher.recover(tmp_path / "never", 0.0)
        assert (found.handle, found.never_began, found.seen.result) == (None, True, None)


def test_recover_reads_what_the_dead_left(bench):
    handle = bench.start("succeed")
    bench.end_of(handle)
    found = Launcher(WorkerSettings()).recover(handle.run_dir.path, time.monotonic())
    assert (found.handle, found.never_began, found.seen.phase) == (None, False, Phase.GONE)
    assert found.seen.result.outcome is Outcome.SUCCEEDED


def test_a_claim_of_an_earlier_boot_is_not_adopted(bench, tmp_path):
    handle = bench.working(bench.start("wait_for_stop"))
    run_dir = RunDir(tmp_path / "old")
    run_dir.create()
    run_dir.take_claim(ClaimRole.WORKER, handle.identity.model_copy(update={"boot_id": "another"}))
    assert bench.launcher.adopt(run_dir.path, 0.0) is None


def test_the_age_of_a_heartbeat_counts_from_the_last_one_and_before_it_from_the_launch(bench, until):
    handle = bench.working(bench.start("wait_for_stop"))
    os.kill(handle.identity.pid, signal.SIGSTOP)
    until(lambda: stat_fields(handle.identity.pid)[0] == b"T", "the worker to stand still: no more heartbeats")
    last = handle.run_dir.read_heartbeat()
    seen = bench.launcher.observe(handle, last.monotonic_s + 500.0)
    assert seen.heartbeat_age_s == pytest.approx(500.0)
    (handle.run_dir.path / "heartbeat.json").unlink()
    seen = bench.launcher.observe(handle, handle.known_since_s + 400.0)
    assert seen.heartbeat_age_s == pytest.approx(400.0)
    foreign = last.model_copy(update={"worker": last.worker.model_copy(update={"start_ticks": 1}), "monotonic_s": 1e9})
    handle.run_dir.write_heartbeat(foreign)
    seen = bench.launcher.observe(handle, handle.known_since_s + 400.0)
    assert seen.heartbeat_age_s == pytest.approx(400.0)


def test_a_frozen_worker_grows_silent(bench, until):
    handle = bench.working(bench.start("wait_for_stop"))
    os.kill(handle.identity.pid, signal.SIGSTOP)
    until(lambda: bench.look(handle).heartbeat_age_s > 1.0, "a silence of a second, ten beats long")
    assert bench.look(handle).phase is Phase.RUNNING
    bench.launcher.kill(handle, StopReason.HUNG)
    seen = bench.end_of(handle)
    assert (seen.signal_number, seen.stop_reason) == (signal.SIGKILL, StopReason.HUNG)


def test_a_full_run_folder_asks_by_term_instead(bench, monkeypatch):
    handle = bench.working(bench.start("wait_for_stop"))

    def full(self, reason):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunDir, "request_stop", full)
    bench.launcher.request_stop(handle, StopReason.CANCEL)
    assert bench.end_of(handle).result.outcome is Outcome.CANCELLED
