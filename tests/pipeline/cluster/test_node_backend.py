"""The games on a node: a call made twice does nothing twice, and an answer is kept until it has arrived."""

import os
import subprocess
from pathlib import Path

import pytest
from tuning_bench import CONFIG, strength

from pipeline.cluster.messages import Guest, Request, SentGame, SnakePackage
from pipeline.cluster.node import find_head, mark_playing, node_says
from pipeline.cluster.node_backend import NodeBackend, own_scratch
from pipeline.tuner.backends.simulated import SimulatedBackend
from pipeline.tuner.jobs import PlayConditions, SourceKind
from schemas.cluster import (
    ANSWER_NAME,
    NOTE_NAME,
    NodeAnswer,
    NodeIdentity,
    NodeNote,
    NodeRole,
    cluster_dir,
    process_began,
)
from schemas.errors import MachineError
from schemas.machine import GuardDecision

DIGEST = "d" * 32
YES = NodeAnswer(decision=GuardDecision(allowed=True, code="ok", reason="yes"), said_at_s=0, cores=2)


def sent(number: int, job: str = "j#odd name", digest: str = DIGEST) -> SentGame:
    guests = (Guest(SourceKind.WEIGHTS, digest), Guest(SourceKind.WEIGHTS, digest))
    return SentGame(job, number, guests, 7 + number // 2, ((0, 1), (1, 0))[number % 2], PlayConditions())


@pytest.fixture
def table(tmp_path: Path) -> NodeBackend:
    made = NodeBackend(tmp_path, lambda: YES)
    made._backend = SimulatedBackend(strength, capacity=2)
    return made


def asked(table: NodeBackend, request: Request, times: int = 20):
    answers = [table.exchange(request)]
    for _ in range(times):
        answers.append(table.exchange(Request(request.seen)))
    return answers[-1]


def test_a_call_that_is_made_twice_plays_once(table: NodeBackend) -> None:
    request = Request(0, tuple(map(sent, range(6))), texts=((DIGEST, CONFIG),), wait_s=0.0)
    for _ in range(5):
        table.exchange(request)
    answer = asked(table, request)
    assert sorted(played.number for _, played in answer.answers) == list(range(6))
    assert {played.job_id for _, played in answer.answers} == {"j#odd name"}
    assert table._backend.games == 6


def test_answers_are_kept_until_they_have_arrived(table: NodeBackend) -> None:
    first = asked(table, Request(0, tuple(map(sent, range(4))), texts=((DIGEST, CONFIG),)))
    again = table.exchange(Request(0))
    assert again.answers == first.answers
    assert len(table.exchange(Request(first.answers[1][0])).answers) == 2
    assert table.busy
    assert table.exchange(Request(first.answers[-1][0])).answers == ()
    assert not table.busy


def test_a_dropped_job_is_not_played_on(table: NodeBackend) -> None:
    table.exchange(Request(0, tuple(map(sent, range(8))), texts=((DIGEST, CONFIG),)))
    before = table._backend.games
    answer = asked(table, Request(1000, drops=("j#odd name",)))
    assert answer.answers == ()
    assert table._backend.games == before


def test_weights_that_never_arrived_are_a_trouble_of_the_node(table: NodeBackend) -> None:
    answer = table.exchange(Request(0, (sent(0, digest="e" * 32),)))
    assert "weights did not arrive" in answer.trouble
    assert not table.busy


def test_a_game_at_a_time_is_begun_as_the_backend_wants_them(tmp_path: Path) -> None:
    class Counted(SimulatedBackend):
        most = 0

        def begin(self, orders) -> None:
            super().begin(orders)
            Counted.most = max(Counted.most, len(self._under_way))

    table = NodeBackend(tmp_path, lambda: YES)
    table._backend = Counted(strength, capacity=3)
    asked(table, Request(0, tuple(map(sent, range(40))), texts=((DIGEST, CONFIG),)))
    assert Counted.most == 3


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "a/../../out", ""])
def test_a_parcel_that_would_write_elsewhere_is_refused(table: NodeBackend, tmp_path: Path, name: str) -> None:
    from pipeline.cluster.snake_packages import _digest
    from schemas.errors import SnakeError

    files = ((name, b"x", False),)
    with pytest.raises(SnakeError, match="outside its folder"):
        table.keep(SnakePackage(_digest(list(files)), files))
    with pytest.raises(SnakeError, match="damaged"):
        table.keep(SnakePackage("0" * 64, files))
    assert not (tmp_path / "out").exists()


def test_the_guards_word_is_taken_by_the_monotonic_clock_and_only_while_it_is_fresh(tmp_path, monkeypatch) -> None:
    import time

    assert node_says(tmp_path).decision.reason == "Its own process has said nothing yet."
    fresh = YES.model_copy(update={"said_at_s": time.monotonic() - 29})
    (tmp_path / ANSWER_NAME).write_text(fresh.model_dump_json())
    # The wall clock of this node is a year off: nobody asks it.
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert node_says(tmp_path).decision.allowed
    old = YES.model_copy(update={"said_at_s": time.monotonic() - 31})
    (tmp_path / ANSWER_NAME).write_text(old.model_dump_json())
    assert node_says(tmp_path).decision.reason == "Its own process has said nothing for 30 s."
    (tmp_path / ANSWER_NAME).write_text("{}")
    assert not node_says(tmp_path).decision.allowed


def test_a_node_that_plays_leaves_a_mark(tmp_path: Path) -> None:
    mark_playing(tmp_path, True)
    assert len(list((tmp_path / "playing").iterdir())) == 1
    mark_playing(tmp_path, False)
    assert not list((tmp_path / "playing").iterdir())


def test_another_version_or_processor_is_refused_for_what_depends_on_it() -> None:
    mine = NodeIdentity(version="0.2.0+aa", python="3.12", machine="x86_64", cpu="Ryzen 7")
    assert mine.refusal(mine, one_model=True) == ""
    other_cpu = mine.model_copy(update={"cpu": "Xeon"})
    assert mine.refusal(other_cpu, one_model=False) == ""
    assert "its processor is Xeon, not Ryzen 7" in mine.refusal(other_cpu, one_model=True)
    for name, value in (("version", "0.2.0+bb"), ("python", "3.13"), ("machine", "aarch64")):
        words = mine.refusal(mine.model_copy(update={name: value}), one_model=False)
        assert f"is {value}, not" in words


def test_what_killed_players_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "scratch" / "999999999" / "copy_1").mkdir(parents=True)
    own = own_scratch(tmp_path / "scratch")
    (own / "file").touch()
    assert own_scratch(tmp_path / "scratch") == own
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == [own.name]
    assert (own / "file").exists()
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="no scratch folder"):
        own_scratch(tmp_path / "file")


def test_a_node_without_our_process_says_what_to_do(monkeypatch) -> None:
    from pipeline.cluster.node import node_folder

    monkeypatch.delenv("OUROBOROS_CLUSTER_NODE", raising=False)
    with pytest.raises(MachineError, match="ouroboros cluster join"):
        node_folder()


def test_a_head_is_known_by_its_process_and_no_other_of_that_number(tmp_path: Path) -> None:
    folder = cluster_dir(tmp_path)
    folder.mkdir()
    note = NodeNote(
        role=NodeRole.MASTER, head="127.0.0.2:6380", host="127.0.0.2", pid=os.getpid(),
        began=process_began(os.getpid()), ray_folder="/tmp/nothing",
    )  # fmt: skip

    def found(**changes: object) -> bool:
        (folder / NOTE_NAME).write_text(note.model_copy(update=changes).model_dump_json())
        return find_head(tmp_path) is not None

    ended = subprocess.Popen(["sleep", "0"])
    began = process_began(ended.pid)
    ended.wait()
    assert found()
    assert not found(role=NodeRole.WORKER)
    assert not found(pid=ended.pid, began=began), "it has ended"
    assert not found(began=began), "another process has its number now"
    assert not found(pid=1), "the machine's first process is always there"
    assert not found(pid=ended.pid, began=""), "nothing is no process"
