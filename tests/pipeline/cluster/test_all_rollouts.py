"""Self-play on several machines: a learner becomes the same, bit for bit, whatever the nodes are and do."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from cluster_stand_in import YES, StandInLink, StandInNode, other_moves
from rollout_learner import PARTS, UPDATES, learnt, same, self_play
from small_networks import small_network

from pipeline.cluster.all_rollouts import RolloutsOnAllMachines
from pipeline.cluster.backend import ClusterBackend
from pipeline.cluster.node_backend import NodeBackend
from pipeline.cluster.rollout_games import RolloutBackend, learner_text, own_rollouts
from pipeline.evolution.league import League, OpponentShares, TeacherTargets
from pipeline.evolution.rollout import RolloutWorker
from pipeline.evolution.rollout_stretch import packed, play_stretch, stretch_of, unpacked
from pipeline.simulator.go_snake import GO_SNAKE, go_snake_of
from pipeline.tuner.backends import PlayedGame
from schemas.cluster import NodeAnswer
from schemas.errors import DataError, MachineError, StoppedError


class Machines:
    """This machine, and nodes that are none."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.link, self.told = folder, StandInLink(), list[str]()
        self.nodes: list[RolloutBackend] = []

    def join(self, name: str) -> StandInNode:
        self.nodes.append(RolloutBackend(1))
        return self.link.join(name, self.nodes[-1], self.folder, capacity=1)

    def rollouts(self) -> RolloutsOnAllMachines:
        return RolloutsOnAllMachines(
            self.folder, 1, self.told.append,
            lambda: ClusterBackend(RolloutBackend(1), lambda: self.link, lambda _: None, self.told.append, ahead=1),
        )  # fmt: skip


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    made = Machines(tmp_path)
    yield made
    for backend in made.nodes:
        backend.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    return learnt(None, tmp_path_factory.mktemp("alone"))


@pytest.mark.parametrize("nodes", [0, 1, 3])
def test_a_learner_becomes_the_same_whatever_the_number_of_nodes(
    machines: Machines, alone: dict[str, np.ndarray], tmp_path: Path, nodes: int
) -> None:
    joined = [machines.join(f"node{number}") for number in range(nodes)]
    with machines.rollouts() as spread:
        assert same(learnt(spread, tmp_path), alone)
    assert sum(node.given for node in joined) >= min(nodes, UPDATES)
    # The learner as it is for each update, and past selves at the table: each once.
    assert all(node.sent_texts <= 2 * UPDATES for node in joined)
    assert not any("does not play" in line for line in machines.told)


def test_weights_that_a_node_has_no_room_for_are_forgotten_and_sent_again(
    machines: Machines, alone: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = len(learner_text(small_network(3)) or "") * 5 // 2
    monkeypatch.setattr("pipeline.cluster.node_backend.TEXT_CHARACTERS_KEPT", room)
    monkeypatch.setattr("pipeline.cluster.backend.TEXT_CHARACTERS_KNOWN", 1)
    node = machines.join("node")
    with machines.rollouts() as spread:
        assert same(learnt(spread, tmp_path), alone)
    assert node.sent_texts >= node.given >= UPDATES
    assert len(node.table._texts) == 2


def test_nodes_that_are_lost_fall_silent_repeat_themselves_or_lie(
    machines: Machines, alone: dict[str, np.ndarray], tmp_path: Path
) -> None:
    lost, silent, twice, liar = (machines.join(name) for name in ("lost", "silent", "twice", "liar"))
    twice.repeat = True
    liar.alter = other_moves
    struck = set[str]()

    def strike() -> None:
        for node, blow in ((lost, machines.link.kill), (silent, machines.link.silence)):
            if node.given and node.name not in struck:
                struck.add(node.name)
                blow(node.name)

    counted = list[str]()
    with machines.rollouts() as spread:
        opened = spread._open()
        finished = opened.finished

        def heard(timeout_s: float) -> list[PlayedGame]:
            strike()
            found = finished(timeout_s)
            counted.extend(played.job_id for played in found)
            return found

        opened.finished = heard  # type: ignore[method-assign]
        spread._open = lambda: opened
        assert same(learnt(spread, tmp_path), alone)
    assert sorted(counted) == [f"{call}.{part}" for call in range(1, UPDATES + 1) for part in range(PARTS)]
    assert struck == {"lost", "silent"}
    assert any("lost does not play" in line for line in machines.told)
    assert any("silent does not answer" in line for line in machines.told)


def test_a_node_that_computes_otherwise_is_told_by_its_first_stretch(machines: Machines) -> None:
    worker, league, targets = worker_of()
    stretch = stretch_of(worker, league, 2, targets)
    machines.join("liar").alter = other_moves
    with machines.rollouts() as spread:
        while not any("comes out otherwise there" in line for line in machines.told):
            assert len(spread.collect([stretch] * 2, [small_network(3), None, None], lambda: None) or ()) == 2


def worker_of() -> tuple[RolloutWorker, League, TeacherTargets]:
    settings = self_play()
    league = League(settings.heuristics, 0, 0)
    worker = RolloutWorker(2, 2, league, OpponentShares(0.5, 0.0), settings, 7, augmented=True)
    return worker, league, TeacherTargets(1, 1.0, 2, 0.5)


def test_stopped_in_the_middle_it_leaves_nothing_under_way(machines: Machines, tmp_path: Path) -> None:
    node, looks = machines.join("node"), 0

    def stop() -> None:
        nonlocal looks
        looks += 1
        if node.given:
            raise StoppedError("enough")

    with machines.rollouts() as spread:
        with pytest.raises(StoppedError, match="enough"):
            learnt(spread, tmp_path, stop, rollout_turns=400)
        machines.link.receive(0)
        assert not node.table._open
        assert not machines.nodes[0]._unwanted
    assert looks


def test_without_parts_or_without_a_head_all_is_played_here(machines: Machines, tmp_path: Path) -> None:
    node = machines.join("node")
    with machines.rollouts() as spread:
        learnt(spread, tmp_path, rollout_parts=None)
    assert node.given == 0
    with RolloutsOnAllMachines(tmp_path, 1, machines.told.append) as spread:
        assert spread.collect([], [small_network(3), None, None], lambda: None) is None


def test_a_stretch_travels_whole_or_not_at_all() -> None:
    worker, league, targets = worker_of()
    stretch = stretch_of(worker, league, 3, targets)
    networks = [small_network(3).eval(), None, None]
    data, told = packed(play_stretch(worker, league, stretch, networks))
    found = unpacked(data)
    assert packed(found)[1] == told
    assert len(found.samples.moves) == found.seen.decisions > 0
    again, league, _ = worker_of()
    assert packed(play_stretch(again, league, stretch, networks))[1] == told
    for broken in (data[:-9], data[9:], b""):
        with pytest.raises(DataError, match="a stretch of games"):
            unpacked(broken)
    with pytest.raises(DataError, match="not this worker's"):
        other = RolloutWorker(3, 2, league, OpponentShares(0.5, 0.0), self_play(), 7)
        play_stretch(other, league, stretch, networks)


def test_the_go_snake_sits_in_a_stretch_wherever_it_is_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))  # the node's: it builds the snake there
    settings = self_play(heuristics=[], go_snake_weight=1.0, go_snake_positions=30)
    league, targets = League([], 0, 0, settings.go_snake_weight), TeacherTargets(None, 0.0, GO_SNAKE, 1.0)
    go_snake = go_snake_of(settings, tmp_path / "here")
    assert go_snake is not None
    worker = RolloutWorker(2, 2, league, OpponentShares(1.0, 0.0), settings, 7, augmented=True, go_snake=go_snake)
    stretch, networks = stretch_of(worker, league, 3, targets), [small_network(3).eval(), None, None]
    here = play_stretch(worker, league, stretch, networks)
    assert here.samples.expert.all()
    node = RolloutBackend(1)
    there = node._worker(stretch.setup).play(stretch, networks, Event())
    assert packed(there)[1] == packed(here)[1]
    assert node._go_snake(settings) is node._go_snake(settings)
    assert node._go_snake(self_play()) is None
    node.close()
    go_snake.close()


def test_what_cannot_be_played_anywhere_is_told(machines: Machines) -> None:
    machines.join("node")
    worker, league, targets = worker_of()
    stretch = replace(stretch_of(worker, league, 2, targets), games=b"nothing")
    with machines.rollouts() as spread, pytest.raises(MachineError, match="did not arrive whole"):
        spread.collect([stretch], [small_network(3), None, None], lambda: None)


def test_a_node_has_played_before_it_is_asked_and_has_the_same_torch(tmp_path: Path) -> None:
    node = NodeBackend(tmp_path, lambda: NodeAnswer(decision=YES, said_at_s=0, cores=3))
    with pytest.raises(MachineError, match=r"it computes with torch .*, not torch 1\.0"):
        node.open(replace(own_rollouts(), computes="torch 1.0 and numpy 1.0"))
    assert node.open(own_rollouts()) == (3, "A learner's games are played in the simulator.")
    node.close()


def test_a_network_that_is_too_large_to_travel_plays_here_and_says_so_once(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.cluster.network_texts.MOST_CHARACTERS", 1000)
    with machines.rollouts() as spread:
        for _ in range(2):
            assert spread.collect([], [small_network(3), None, None], lambda: None) is None
    assert len(machines.told) == 1
    assert "The learner plays here alone: it is larger than" in machines.told[0]
