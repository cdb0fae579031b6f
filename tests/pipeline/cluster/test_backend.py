"""Several machines are one backend: same games as one, each told once, whatever the nodes and the network do."""

from collections.abc import Callable
from dataclasses import replace
from math import isnan
from pathlib import Path

import backend_contract as contract
import pytest
from backend_contract import play
from cluster_stand_in import NO, YES, StandInLink, other_moves
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tuning_bench import CONFIG, strength

from pipeline.cluster.backend import ClusterBackend
from pipeline.cluster.dispatch import HERE
from pipeline.tuner.backends import GameOrder, PlayedGame
from pipeline.tuner.backends.simulated import SimulatedBackend
from pipeline.tuner.jobs import JobFailure, JobKind, MatchJob, Participant, PlayConditions, SourceKind

OTHER = CONFIG.replace("strength: 0.0", "strength: 0.5")


def job(name: str, seeds: int = 10, texts: tuple[str, ...] = (CONFIG, OTHER)) -> MatchJob:
    people = tuple(Participant(SourceKind.WEIGHTS, text) for text in texts)
    return MatchJob(name, JobKind.PROBE, people, (0, 1), tuple(range(1, seeds + 1)), PlayConditions())


class Slow(SimulatedBackend):
    """This machine, beside which the nodes are quick: one game a look."""

    def finished(self, timeout_s: float) -> list[PlayedGame]:
        kept, self._under_way = self._under_way[1:], self._under_way[:1]
        ended = super().finished(timeout_s)
        self._under_way += kept
        return ended


class Bench:
    def __init__(self, folder: Path, here: SimulatedBackend | None = None) -> None:
        self.folder, self.told, self.time_s = folder, [], 0.0
        self.link = StandInLink()
        self.here = here or Slow(strength, capacity=4)
        self.up = True
        self.backend = ClusterBackend(
            self.here, lambda: self.link if self.up else None, lambda _folder: None, self.told.append, self.tick
        )

    def tick(self) -> float:
        self.time_s += 0.01
        return self.time_s

    def node(self, name: str, **changes: object):
        backend = changes.pop("backend", None) or SimulatedBackend(strength, shuffle_seed=len(name))
        return self.link.join(name, backend, self.folder, **changes)

    def said(self, words: str) -> bool:
        return any(words in line for line in self.told)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(params=[0, 1, 3])
def cluster(request, tmp_path: Path) -> ClusterBackend:
    """With so many nodes."""
    made = Bench(tmp_path)
    for number in range(request.param):
        made.node(f"n{number}")
    return made.backend


def alone() -> SimulatedBackend:
    return SimulatedBackend(strength)


def test_the_same_games_whatever_the_number_of_nodes(cluster: ClusterBackend) -> None:
    contract.plays_the_games_of(cluster, alone(), job("j"))


def test_jobs_stay_apart(cluster: ClusterBackend) -> None:
    contract.keeps_jobs_apart(cluster, job)


def test_a_dropped_job_is_silent(cluster: ClusterBackend) -> None:
    contract.drops_in_silence(cluster, job)


def test_a_job_that_cannot_be_played_fails_alone(tmp_path: Path) -> None:
    def refuse(asked: MatchJob) -> JobFailure | None:
        bad = any("strength: 9" in who.text for who in asked.participants)
        return JobFailure(asked.id, "it is too strong", "weights", "") if bad else None

    made = Bench(tmp_path, Slow(strength, refuse=refuse, capacity=4))
    made.node("n", backend=SimulatedBackend(strength, refuse=refuse))
    bad = job("bad", texts=(CONFIG, CONFIG.replace("strength: 0.0", "strength: 9")))
    contract.fails_one_job_alone(made.backend, bad, job)


def test_a_failure_that_only_a_node_has_is_played_here(bench: Bench) -> None:
    """No toolchain there, a program that does not start there: that says nothing of the snake."""
    bench.node("n", backend=SimulatedBackend(strength, refuse=lambda asked: JobFailure(asked.id, "no Go", "", "")))
    contract.plays_the_games_of(bench.backend, alone(), job("j"))


def test_an_answer_that_was_late_on_a_node_is_played_here(bench: Bench) -> None:
    late = SimulatedBackend(strength, faults=lambda order: ("timeout", ""))
    bench.node("n", backend=late)
    games = play(bench.backend, job("j"))["j"]
    assert late.games
    assert not any(any(game.failures) for game in games)


def test_nodes_play_most_where_they_are_quick(bench: Bench) -> None:
    node = bench.node("n", cores=4, capacity=16)
    play(bench.backend, job("j", seeds=100))
    assert node.given > 100
    assert bench.here.games < 100


def test_what_a_dead_node_had_is_played_elsewhere(bench: Bench) -> None:
    bench.node("n", cores=4)
    asked = job("j", seeds=30)
    bench.backend.begin([GameOrder(asked, number) for number in range(60)])
    first = bench.backend.finished(0.05)
    held = bench.backend._dispatch.at("n")
    assert held
    bench.link.kill("n")
    rest = []
    while len(first) + len(rest) < 60:
        rest += bench.backend.finished(0.05)
    assert bench.said(f"n does not play: its machine or its network is gone. Its {held} games are played elsewhere.")
    assert sorted(played.number for played in [*first, *rest]) == list(range(60))


def test_a_partition_loses_and_doubles_nothing(bench: Bench) -> None:
    bench.node("n", cores=4)
    play(bench.backend, job("trial"))
    asked = job("j", seeds=20)
    bench.backend.begin([GameOrder(asked, number) for number in range(40)])
    bench.link.silence("n")
    got = bench.backend.finished(0.02)
    bench.link.heal("n")
    while len(got) < 40:
        got += bench.backend.finished(0.05)
    assert sorted(played.number for played in got) == list(range(40))
    assert bench.said("n does not answer.") and bench.said("n takes games again.")
    assert bench.backend.finished(0.1) == []


def test_a_call_that_arrives_twice_counts_once(bench: Bench) -> None:
    node = bench.node("n", cores=4)
    node.repeat = True
    contract.plays_the_games_of(bench.backend, alone(), job("j", seeds=40))
    assert node.table._backend.games <= node.given


def test_a_desk_in_use_gets_nothing_until_its_guards_agree(bench: Bench) -> None:
    node = bench.node("desk", cores=4)
    node.decision[0] = NO
    bench.link.said.append(_willing("desk", NO))
    play(bench.backend, job("first"))
    assert node.given == 0
    assert bench.said("desk rests: 97.0 % of the CPU were in use")
    bench.link.said.append(_willing("desk", YES))
    play(bench.backend, job("second"))
    assert node.given


def _willing(name, decision):
    from pipeline.cluster.messages import Willing

    return Willing(name, decision.allowed, decision.reason)


def test_a_node_that_plays_other_games_counts_for_nothing(bench: Bench) -> None:
    node = bench.node("odd", cores=4)
    node.alter = other_moves
    contract.plays_the_games_of(bench.backend, alone(), job("j", seeds=40))
    assert bench.said("odd does not play: the same game comes out otherwise there than here.")
    given = node.given
    play(bench.backend, job("next"))
    assert node.given == given


def test_a_snake_that_differs_from_itself_is_not_the_nodes_fault(tmp_path: Path) -> None:
    class Moody(Slow):
        def _game(self, order):
            return replace(super()._game(order), transcript=f"{self.games:032x}")

    made = Bench(tmp_path, Moody(strength, capacity=4))
    node = made.node("n", cores=4, backend=Moody(strength, shuffle_seed=3))
    node.alter = other_moves
    assert len(play(made.backend, job("j", seeds=40))["j"]) == 80
    assert not made.said("does not play")


def test_milliseconds_of_another_processor_are_not_told(tmp_path: Path) -> None:
    made = Bench(tmp_path, Slow(strength, move_ms=lambda _values: 1.0, capacity=4))
    made.node("n", cores=8, same_cpu=False, backend=SimulatedBackend(strength, move_ms=lambda _values: 7.0))
    asked = job("j", seeds=40)
    made.backend.begin([GameOrder(asked, number) for number in range(80)])
    got = []
    while len(got) < 80:
        got += made.backend.finished(0.05)
    seen = [ms for played in got for ms in played.result.move_ms]
    assert any(isnan(ms) for ms in seen)
    assert {ms for ms in seen if not isnan(ms)} == {1.0}


def test_a_run_of_weeks_sends_weights_once_while_they_are_used_and_keeps_few(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr("pipeline.cluster.backend.TEXTS_KNOWN", 4)
    monkeypatch.setattr("pipeline.cluster.node_backend.TEXTS_KEPT", 8)
    node = bench.node("n", cores=4)
    for number in range(30):
        candidate = CONFIG.replace("strength: 0.0", f"strength: {number / 100}")
        assert len(play(bench.backend, job(f"j{number}", seeds=6, texts=(OTHER, candidate)))[f"j{number}"]) == 12
    assert len(node.table._texts) == 8
    assert node.sent_texts < 60, "the best, which plays in every job, travels once"
    assert not bench.said("does not play")


def test_snakes_at_a_url_of_this_machine_stay_here(bench: Bench) -> None:
    node = bench.node("n")
    people = (Participant(SourceKind.WEIGHTS, CONFIG), Participant(SourceKind.URL, "http://127.0.0.1:8000"))
    asked = MatchJob("url", JobKind.PROBE, people, (0, 1), (1, 2, 3), PlayConditions())
    assert len(play(bench.backend, asked)["url"]) == 6
    assert node.given == 0


def test_a_full_disk_on_a_node_costs_its_games_a_second_way(bench: Bench) -> None:
    from schemas.errors import MachineError

    class Full(SimulatedBackend):
        def begin(self, orders) -> None:
            raise MachineError("the disk is full: no snake can be built", where="/tmp")

    bench.node("n", backend=Full(strength))
    contract.plays_the_games_of(bench.backend, alone(), job("j"))
    assert bench.said("n does not play: the disk is full")


def test_a_bridge_that_dies_is_made_anew_and_this_machine_plays_meanwhile(bench: Bench) -> None:
    bench.node("n", cores=4)
    asked = job("j", seeds=20)
    bench.backend.begin([GameOrder(asked, number) for number in range(40)])
    got = bench.backend.finished(0.02)
    bench.link.nodes.clear()
    bench.link.ended = True
    bench.up = False
    while len(got) < 40:
        got += bench.backend.finished(0.05)
    assert sorted(played.number for played in got) == list(range(40))
    assert bench.said("The cluster is out of reach, this machine plays alone: GCS is gone")
    assert bench.backend.name == "simulated"
    bench.link, bench.up = StandInLink(), True
    bench.time_s += 60
    node = bench.node("n")
    play(bench.backend, job("later"))
    assert node.given


Fault = Callable[[Bench], None]


def _kill(bench: Bench) -> None:
    if "n" in bench.link.nodes:
        bench.link.kill("n")


def _return(bench: Bench) -> None:
    if "n" not in bench.link.nodes:
        bench.node("n")


def _silence(bench: Bench) -> None:
    if "n" in bench.link.nodes:
        bench.link.silence("n")


def _heal(bench: Bench) -> None:
    if "n" in bench.link.nodes:
        bench.link.heal("n")


def _repeat(bench: Bench) -> None:
    for node in bench.link.nodes.values():
        node.repeat = not node.repeat


@given(
    faults=st.lists(st.sampled_from([_kill, _return, _silence, _heal, _repeat, None]), max_size=14),
    nodes=st.integers(0, 2),
    dropped=st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_every_game_is_told_once_and_is_the_same(tmp_path, faults, nodes, dropped) -> None:
    bench = Bench(tmp_path)
    for name in ["n", "m"][:nodes]:
        bench.node(name, cores=2)
    asked, gone = job("j", seeds=15), job("gone")
    if dropped:
        bench.backend.begin([GameOrder(gone, number) for number in range(20)])
    bench.backend.begin([GameOrder(asked, number) for number in range(30)])
    told = []
    for fault in faults:
        if fault is not None:
            fault(bench)
        told += bench.backend.finished(0.02)
    if dropped:
        bench.backend.drop("gone")
    _heal(bench)
    for _ in range(2000):
        told += bench.backend.finished(0.02)
        if sum(played.job_id == "j" for played in told) >= 30:
            break
    mine = {played.number: played.result for played in told if played.job_id == "j"}
    assert sum(played.job_id == "j" for played in told) == len(mine) == 30
    reference = play(alone(), asked)["j"]
    assert [replace(mine[number], move_ms=()) for number in range(30)] == reference
    assert bench.backend._dispatch.at(HERE) == 0 or dropped
