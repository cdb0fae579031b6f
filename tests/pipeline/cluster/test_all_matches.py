"""Judging on several machines: the same games as on one, each written down once, whatever the nodes do."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cluster_stand_in import StandInLink, StandInNode
from small_networks import small_network

from pipeline.cluster.all_matches import MatchesOnAllMachines
from pipeline.cluster.backend import ClusterBackend
from pipeline.cluster.match_games import (
    SLOTS,
    SimulatorBackend,
    own_opening,
    player_of,
    text_of,
)
from pipeline.cluster.node_backend import NodeBackend
from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.evaluation.tournament import run_tournament
from pipeline.evolution.policy import TorchPolicy
from pipeline.simulator.competitor import Competitor, every_seating, from_policy, heuristic
from pipeline.simulator.journal import GameJournal
from pipeline.simulator.matches import Finished, play_matches
from pipeline.tuner.backends import PlayedGame
from schemas.errors import MachineError, ModelError, StoppedError
from schemas.training import TournamentConfig

SMALL = GameConditions(width=7, height=7, most_turns=16)


def players() -> list[Competitor]:
    network = TorchPolicy(small_network(3), "model:one", temperature=0.5)
    return [from_policy(network), heuristic("aggressive"), from_policy(TorchPolicy(small_network(4), "model:two"))]


def games(count: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    return every_seating(np.array([[0, 1], [1, 0], [2, 0]], np.uint8), fresh_seeds(seed, count))


def same(one: Finished, other: Finished) -> bool:
    arrays = all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in Finished._fields if name != "tapes"
    )
    return arrays and one.tapes == other.tapes


class Machines:
    """This machine, and nodes that are none."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.link, self.told = folder, StandInLink(), list[str]()
        self.opened = 0

    def open(self) -> ClusterBackend:
        self.opened += 1
        return ClusterBackend(SimulatorBackend(), lambda: self.link, lambda _: None, self.told.append, in_batches=True)

    def join(self, name: str) -> StandInNode:
        return self.link.join(name, SimulatorBackend(), self.folder, capacity=SLOTS)

    def matches(self) -> MatchesOnAllMachines:
        return MatchesOnAllMachines(self.folder, 1, self.told.append, self.open)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    yield Machines(tmp_path)


@pytest.mark.parametrize("nodes", [0, 1, 2])
@pytest.mark.parametrize("tapes", [True, False])
def test_the_same_games_whatever_the_number_of_nodes(machines: Machines, nodes: int, tapes: bool) -> None:
    joined = [machines.join(f"node{number}") for number in range(nodes)]
    people, (seatings, seeds) = players(), games(12)
    want = play_matches(people, seatings, seeds, SMALL, tapes=tapes)
    seen: list[int] = []
    progress: list[tuple[int, int]] = []
    with machines.matches() as spread:
        for _ in range(2):
            found = spread.play(
                people, seatings, seeds, SMALL, tapes=tapes,
                finish=lambda _results, ended: seen.extend(ended.tolist()),
                progress=lambda done, whole: progress.append((done, whole)),
            )  # fmt: skip
            assert same(found, want)
    assert sorted(seen) == sorted([*range(36), *range(36)])
    assert progress[-1] == (36, 36)
    assert machines.opened == 1
    assert machines.link.closed == 1
    for node in joined:
        assert node.given > 24 / (nodes + 1)
        assert node.sent_texts == 3, "each player once"


def test_a_node_that_is_lost_repeats_itself_or_lies(machines: Machines, tmp_path: Path) -> None:
    lost, liar, twice = (machines.join(name) for name in ("lost", "liar", "twice"))
    twice.repeat = True

    def lie(played: PlayedGame) -> PlayedGame:
        ranks = played.result.ranks[::-1]  # type: ignore[union-attr]
        return replace(played, result=replace(played.result, ranks=ranks, transcript="f" * 32))

    liar.alter = lie
    people, (seatings, seeds) = players(), games(24)
    want = play_matches(people, seatings, seeds, SMALL)
    journal = tmp_path / "judging.jsonl"
    seen = 0

    def kill(_results: Finished, ended: np.ndarray) -> None:
        nonlocal seen
        before, seen = seen, seen + len(ended)
        if before < 12 <= seen:
            machines.link.kill("lost")

    with machines.matches() as spread:

        def play(*given: object, **named: object) -> Finished:
            keep = named.pop("finish")
            return spread.play(*given, **named, finish=lambda *told: (keep(*told), kill(*told)))  # type: ignore[operator]

        assert same(GameJournal(journal, play=play).play(people, seatings, seeds, SMALL), want)
    assert lost.given
    keys = [json.loads(line)["key"] for line in journal.read_text().splitlines()]
    assert len(keys) == len(set(keys)) == 72, "each game is written down once"
    assert any("liar does not play: the same game comes out otherwise there" in line for line in machines.told)
    assert any("lost does not play" in line for line in machines.told)
    again = GameJournal(journal, play=play_matches)
    assert same(again.play(people, seatings, seeds, SMALL), want)


def test_stopped_it_leaves_nothing_under_way_and_goes_on(machines: Machines, tmp_path: Path) -> None:
    node = machines.join("node")
    people, (seatings, seeds) = players(), games(24)
    path = tmp_path / "judging.jsonl"
    with machines.matches() as spread:
        journal = GameJournal(path, play=spread.play)
        with pytest.raises(StoppedError, match="were finished when asked to stop"):
            journal.play(people, seatings, seeds, SMALL, stop=lambda: len(journal) > 8)
        kept = len(path.read_text().splitlines())
        assert 8 < kept < 72
        machines.link.receive(0)
        assert not node.table.busy or not node.table._open, "dropped there as well"
        found = journal.play(people, seatings, seeds, SMALL)
    assert same(found, play_matches(people, seatings, seeds, SMALL))
    assert len(path.read_text().splitlines()) == 72


def test_a_tournament_of_networks(machines: Machines) -> None:
    machines.join("node")
    config = TournamentConfig(games_per_matchup=8)
    with machines.matches() as spread:
        found = run_tournament(players(), config, 7, conditions=SMALL, play=spread.play)
    alone = run_tournament(players(), config, 7, conditions=SMALL)
    assert found.pairings == alone.pairings
    assert found.standings == alone.standings


def test_without_a_head_nothing_is_opened(tmp_path: Path) -> None:
    people, (seatings, seeds) = players(), games(2)
    told: list[str] = []
    with MatchesOnAllMachines(tmp_path, 1, told.append) as spread:
        assert same(spread.play(people, seatings, seeds, SMALL), play_matches(people, seatings, seeds, SMALL))
        assert spread._backend is None
    assert told == []


def test_a_player_travels_as_text_and_nothing_else_does() -> None:
    one, aggressive, _ = players()
    text = text_of(one)
    assert text is not None
    there = player_of(text)
    assert (there.name, text_of(there)) == ("model:one", text)
    assert player_of(text_of(aggressive) or "") == aggressive

    class Other:
        name = "somebody's"

        def choose(self, *_given: object) -> np.ndarray:
            return np.zeros(0, np.uint8)

    assert text_of(from_policy(Other())) is None
    for broken in (text[: len(text) // 2], text.replace('"weights": "', '"weights": "AAAA'), "{}", "heuristic:nobody"):
        with pytest.raises((ModelError, KeyError)):
            player_of(broken)


def test_a_node_with_another_torch_is_refused(tmp_path: Path) -> None:
    node = NodeBackend(tmp_path, lambda: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(MachineError, match=r"it computes with torch .*, not torch 1\.0 .* need not be the same"):
        node.open(replace(own_opening(1), computes="torch 1.0 and numpy 1.0"))
    assert node.open(own_opening(1)) == (SLOTS, "Networks and heuristics play in the simulator.")


def test_a_node_has_played_before_it_is_asked_for_a_game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled at its first use takes minutes on a new machine: no game may wait for that."""
    turns, ended = list[str](), list[PlayedGame]()
    choose, result = TorchPolicy.choose, SimulatorBackend.finished
    monkeypatch.setattr(TorchPolicy, "choose", lambda self, *given: turns.append(self.name) or choose(self, *given))
    monkeypatch.setattr(
        SimulatorBackend, "finished", lambda self, wait_s: [ended.append(game) or game for game in result(self, wait_s)]
    )
    node = NodeBackend(tmp_path, lambda: None)  # type: ignore[arg-type, return-value]
    node.open(own_opening(1))
    assert turns
    (game,) = ended
    assert game.result.turns >= 1
    assert game.result.tape
    assert not node.busy
    assert node._backend.finished(0) == []
