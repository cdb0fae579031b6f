"""Games that a phase plays: what the store holds is not played again, what is missing is."""

from dataclasses import replace

import pytest
import torch

from pipeline.data.manager import SelfPlayDataManager
from pipeline.evolution.networks import build_network
from pipeline.phases import bootstrap, hybrid
from pipeline.simulator.matches import play_matches
from schemas.errors import StoppedError


def stored(work):
    return sorted(game.game_id for game in SelfPlayDataManager(work.settings).store.read())


@pytest.fixture
def network(work):
    torch.manual_seed(1)
    return build_network(work().settings.neural_network)


def test_a_round_of_hybrid_is_played_once_and_its_missing_half_is_completed(work, network):
    orders = work("hybrid")

    def play(number):
        hybrid._play_round(orders, network, SelfPlayDataManager(orders.settings), number, 2, wanted=4)

    play(0)
    first = stored(orders)
    assert len(first) == 4
    play(0)
    assert stored(orders) == first
    files = sorted(orders.settings.training_games_dir.rglob("*.parquet"))
    files[1].unlink()  # as a kill between two files leaves it: one duel of two
    files[3].unlink()
    files[2].unlink()  # and no game of four
    assert len(stored(orders)) == 1
    play(0)
    assert stored(orders) == first
    play(1)
    assert len(stored(orders)) == 8
    games = SelfPlayDataManager(orders.settings).store.read()
    assert len(hybrid._games_of_rounds(orders, games, 0)) == 4
    assert len(hybrid._games_of_rounds(orders, games, 1)) == 8


def test_the_network_plays_where_it_learns(work, network):
    """The first round's games were played on the CPU, whatever GPU there was."""
    seen = []

    def play(players, *_games, **_more):
        seen.append(players[0].policy.device.type)
        raise StoppedError("enough was seen")

    orders = replace(work("hybrid", data_source="mixed", games_required=8), play=play)
    with pytest.raises(StoppedError):
        hybrid.hybrid(orders, network, torch.device("meta"))
    assert seen == ["meta"]


def test_a_stopped_round_of_hybrid_says_so(work, network):
    orders = work("hybrid", stop=lambda: True)
    with pytest.raises(StoppedError):
        hybrid._play_round(orders, network, SelfPlayDataManager(orders.settings), 0, 2, wanted=4)
    assert not stored(orders)


def test_a_round_of_hybrid_is_played_by_whoever_plays_for_it(work, network):
    seats = []

    def elsewhere(players, seatings, *given, **named):
        seats.append(seatings.shape[1])
        return play_matches(players, seatings, *given, **named)

    orders = replace(work("hybrid"), play=elsewhere)
    hybrid._play_round(orders, network, SelfPlayDataManager(orders.settings), 0, 2, wanted=4)
    assert seats == [2, 4]
    assert len(stored(orders)) == 4


def test_the_teachers_share_falls_in_a_straight_line(work):
    phase = work(heuristic_mix_ratio=0.7, heuristic_mix_ratio_end=0.1).phase
    assert [round(hybrid._share(phase, number, 4), 6) for number in range(4)] == [0.7, 0.5, 0.3, 0.1]
    assert hybrid._share(phase, 0, 1) == 0.7
    constant = work(heuristic_mix_ratio=0.4).phase
    assert [hybrid._share(constant, number, 3) for number in range(3)] == [0.4] * 3


def test_the_teachers_games_make_its_share(work):
    phase = work(games_required=30).phase
    assert hybrid._teacher_count(phase, 0.75, 10) == 30
    assert hybrid._teacher_count(phase, 0.0, 10) == 0
    assert hybrid._teacher_count(phase, 1.0, 0) == 30  # nothing but the teacher


def test_bootstrap_plays_what_the_store_lacks(work):
    orders = work("bootstrap", games_required=4)
    bootstrap._play_missing(orders)
    first = stored(orders)
    assert len(first) == 4
    bootstrap._play_missing(orders)
    assert stored(orders) == first
    sorted(orders.settings.training_games_dir.rglob("*.parquet"))[-1].unlink()
    bootstrap._play_missing(orders)
    assert len(stored(orders)) == 4
    assert bootstrap._played(orders) == 4
