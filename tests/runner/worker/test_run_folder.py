"""The run folder's files: whole or absent, and what is not is told."""

import errno
import os
import threading

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.worker.identity import own_identity
from runner.worker.run_folder import Claim, ClaimRole, Heartbeat, RunDir, UnreadableFile
from schemas.execution import Outcome, RunRequest, RunResult
from schemas.model import PipelineState

RESULT = RunResult(outcome=Outcome.SUCCEEDED, state=PipelineState(best_win_rate=0.625, best_win_rate_games=400))


@pytest.fixture
def folder(tmp_path):
    run_dir = RunDir(tmp_path / "run")
    run_dir.create()
    return run_dir


def test_an_empty_folder_tells_nothing(folder):
    assert folder.read_request() is None
    assert folder.read_claim() is None
    assert folder.read_heartbeat() is None
    assert folder.read_progress() is None
    assert folder.read_result() is None
    assert folder.read_stop() is None
    assert folder.log_tail() == []


def test_everything_comes_back_as_it_was_written(folder, request_for):
    request = request_for("tuner")
    folder.write_request(request)
    folder.write_progress(PipelineState(iteration=3))
    folder.reserve_result()
    folder.write_result(RESULT)
    folder.write_heartbeat(Heartbeat(worker=own_identity(), beat=2, monotonic_s=12345.6789))
    assert isinstance(folder.read_request(), RunRequest)
    assert folder.read_request() == request
    assert folder.read_progress() == PipelineState(iteration=3)
    assert folder.read_result() == RESULT
    assert (folder.read_heartbeat().beat, folder.read_heartbeat().monotonic_s) == (2, 12345.6789)
    assert sorted(path.name for path in folder.path.iterdir()) == [
        "heartbeat.json",
        "progress.json",
        "request.json",
        "result.json",
    ]


@hypothesis.settings(deadline=None)
@given(cut=st.integers(min_value=0))
def test_no_part_of_a_result_is_taken_for_a_result(tmp_path_factory, cut):
    folder = RunDir(tmp_path_factory.mktemp("run"))
    whole = RESULT.model_dump_json()
    (folder.path / "result.json").write_text(whole[: cut % len(whole)])
    assert isinstance(folder.read_result(), UnreadableFile)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]", b'{"outcome": "succeeded"}', b'{"outcome": "well", "state": {}}']
)
def test_foreign_content_is_unreadable_with_its_file(folder, content):
    (folder.path / "result.json").write_bytes(content)
    found = folder.read_result()
    assert isinstance(found, UnreadableFile)
    assert "result.json" in found.reason


def test_a_heartbeat_caught_half_written_is_unreadable(folder):
    path = folder.path / "heartbeat.json"
    folder.write_heartbeat(Heartbeat(worker=own_identity(), beat=41, monotonic_s=1000.5))
    old = path.read_bytes()
    folder.write_heartbeat(Heartbeat(worker=own_identity(), beat=42, monotonic_s=2000.75))
    new = path.read_bytes()
    assert len(old) == len(new)
    readable = 0
    for cut in range(len(old)):
        path.write_bytes(new[:cut] + old[cut:])
        found = folder.read_heartbeat()
        readable += isinstance(found, Heartbeat)
        assert isinstance(found, UnreadableFile) or (found.beat, found.monotonic_s) in {(41, 1000.5), (42, 2000.75)}
    assert 0 < readable < len(old)


def test_of_many_takers_one_gets_the_claim(folder):
    gate, won = threading.Barrier(8), []

    def take():
        gate.wait()
        if folder.take_claim(ClaimRole.WORKER, own_identity()):
            won.append(1)

    takers = [threading.Thread(target=take) for _ in range(8)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert won == [1]
    assert folder.read_claim() == Claim(role=ClaimRole.WORKER, holder=own_identity())
    assert [path.name for path in folder.path.iterdir()] == ["claim"]


def test_a_run_is_claimed_once_where_there_are_no_hard_links(folder, monkeypatch):
    def none(*_arguments: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    assert folder.take_claim(ClaimRole.WORKER, own_identity())
    assert not folder.take_claim(ClaimRole.REVOKED, own_identity())
    assert folder.read_claim() == Claim(role=ClaimRole.WORKER, holder=own_identity())
    assert [path.name for path in folder.path.iterdir()] == ["claim"]


def test_the_first_reason_to_stop_stays(folder):
    folder.request_stop("shutdown")
    folder.request_stop("cancel")
    assert folder.read_stop() == "shutdown"


def test_a_log_that_cannot_be_read_says_so_in_its_place(folder):
    folder.log_path.mkdir()
    assert folder.log_tail() == [f"(the log cannot be read: Is a directory, {folder.log_path})"]


def test_a_stop_file_that_cannot_be_read_is_a_request_all_the_same(folder):
    folder.stop_path.mkdir()
    assert folder.read_stop() == ""


def test_a_file_in_the_folders_place_tells_nothing(tmp_path):
    (tmp_path / "run").touch()
    folder = RunDir(tmp_path / "run")
    assert (folder.read_stop(), folder.log_tail(), folder.read_result()) == (None, [], None)


def test_the_tail_of_a_long_log(folder):
    folder.log_path.write_text("".join(f"line {number}\n" for number in range(50_000)))
    assert folder.log_tail(3) == ["line 49997", "line 49998", "line 49999"]
    assert len(folder.log_tail(10**9)) < 10_000  # only its end is read


def test_a_pipe_in_the_place_of_a_file_is_waited_for_by_nobody(folder):
    for name in ("progress.json", "result.json", "heartbeat.json", "claim", "stop", "worker.log"):
        os.mkfifo(folder.path / name)
    assert isinstance(folder.read_progress(), UnreadableFile)
    assert isinstance(folder.read_result(), UnreadableFile)
    assert isinstance(folder.read_heartbeat(), UnreadableFile)
    assert isinstance(folder.read_claim(), UnreadableFile)
    assert folder.read_stop() == ""
    assert folder.log_tail() == [f"(the log cannot be read: it is no plain file, {folder.log_path})"]
