"""The league: who is matched, how hard opponents come oftener, which snapshots stay, and that it comes back whole."""

import numpy as np
import torch

from pipeline.engine.players.kinds import STRONG, VORONOI
from pipeline.evolution.league import (
    LEARNER,
    RESIDENTS,
    League,
    OpponentRecord,
    OpponentShares,
    hardness,
    player_mark,
)
from pipeline.simulator.go_snake import GO_SNAKE
from schemas.self_play import OpponentShare

_OPPONENTS = [OpponentShare(kind="strong", weight=3), OpponentShare(kind="voronoi", weight=1)]


def _weights(number: float) -> dict[str, torch.Tensor]:
    return {"a": torch.full((2, 2), number), "b.c": torch.tensor([number])}


def _faced(**scores: tuple[int, float]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    faced = np.zeros((256, 2))
    for name, pair in scores.items():
        faced[{"strong": STRONG, "voronoi": VORONOI, "first": RESIDENTS[0], "second": RESIDENTS[1]}[name]] = pair
    return faced


def test_shares_and_weights_are_kept_in_duels() -> None:
    league = League(_OPPONENTS, 2, 0)
    league.remember(1, _weights(1))
    league.change_residents(np.random.default_rng(0))
    seated = league.matchmake(20_000, 2, OpponentShares(0.5, 0.3), np.random.default_rng(0))
    assert ((seated == LEARNER).sum(1) >= 1).all()
    opponents = seated[(seated == LEARNER).sum(1) == 1]
    heuristics = np.isin(opponents, [STRONG, VORONOI]).sum()
    assert abs(heuristics / len(seated) - 0.5) < 0.02
    assert abs((opponents == RESIDENTS[0]).sum() / len(seated) - 0.3) < 0.02
    assert abs((opponents == STRONG).sum() / heuristics - 0.75) < 0.02
    assert abs((seated[:, 0] != LEARNER).mean() - 0.4) < 0.02, "opponents sit at either place"


def test_the_hardest_opponents_come_oftenest_and_none_is_forgotten() -> None:
    league = League(_OPPONENTS, 0, 0)
    league.note(_faced(strong=(400, 360.0), voronoi=(400, 40.0)))
    seated = league.matchmake(40_000, 2, OpponentShares(1.0, 0.0), np.random.default_rng(0))
    seen = [(seated == kind).sum() / len(seated) for kind in (STRONG, VORONOI)]
    hard = [
        3 * hardness(league.record_of("heuristic:strong").mean),
        hardness(league.record_of("heuristic:voronoi").mean),
    ]
    assert np.allclose(seen, np.array(hard) / sum(hard), atol=0.02)
    assert seen[1] > 4 * seen[0] > 0


def test_a_record_fades_so_that_what_was_hard_once_is_not_hard_for_ever() -> None:
    record = OpponentRecord()
    for _ in range(40):
        record = record.plus(100, 0.0)
    assert record.mean < 0.02
    for _ in range(8):
        record = record.plus(100, 100.0)
    assert record.mean > 0.85
    assert record.games <= 400


def test_frozen_networks_are_drawn_by_hardness_and_their_games_are_theirs() -> None:
    league = League(_OPPONENTS, 2, 2)
    league.remember(10, _weights(1))
    assert league.welcome("m1", _weights(2))
    assert not league.welcome("m1", _weights(3)), "it is here already"
    seats = [league.change_residents(np.random.default_rng(seed)) for seed in range(2)]
    assert seats == [0, 1]
    assert (league.last_change(0), league.last_change(1)) == (1, 2)
    league.residents = ["champion:m1", "past:10"]
    league.note(_faced(first=(100, 5.0), second=(100, 95.0)))
    assert league.record_of("champion:m1").mean < 0.1 < 0.9 < league.record_of("past:10").mean
    drawn = []
    for seed in range(400):
        place = league.change_residents(np.random.default_rng(seed))
        drawn.append(league.residents[place or 0])
    assert drawn.count("champion:m1") > 10 * drawn.count("past:10") > 0


def test_of_champions_the_newest_stay() -> None:
    league = League(_OPPONENTS, 0, 2)
    for number in range(4):
        league.welcome(f"m{number}", _weights(number))
    assert league.participants == ["champion:m2", "champion:m3"]


def test_crowds_meet_one_two_and_three_heuristics() -> None:
    seated = League(_OPPONENTS, 0, 0).matchmake(2000, 4, OpponentShares(1.0, 0.0), np.random.default_rng(1))
    others = (seated != LEARNER).sum(1)
    assert set(others.tolist()) == {1, 2, 3}
    assert (others == 3).mean() > 0.5


def test_without_frozen_networks_their_games_are_the_learner_s_own() -> None:
    league = League(_OPPONENTS, 4, 4)
    assert league.change_residents(np.random.default_rng(0)) is None
    assert (league.matchmake(100, 2, OpponentShares(0.0, 1.0), np.random.default_rng(1)) == LEARNER).all()


def test_snapshots_stay_spread_over_the_life_and_the_newest_stays() -> None:
    league = League(_OPPONENTS, 4, 1)
    league.welcome("m", _weights(0))
    for update in range(10, 210, 10):
        league.remember(update, _weights(update))
        assert f"past:{update}" in league.participants
    kept = [int(name.partition(":")[2]) for name in league.participants[1:]]
    assert len(kept) == 4
    assert kept[0] <= 60, "the league remembers its youth"
    assert max(np.diff(kept)) <= 120


def test_a_snapshot_is_a_copy_and_the_league_comes_back_whole() -> None:
    league = League(_OPPONENTS, 4, 4)
    weights = _weights(1)
    league.remember(3, weights)
    weights["a"].fill_(9)
    league.welcome("m", weights)
    league.change_residents(np.random.default_rng(0))
    league.note(_faced(strong=(10, 4.0), first=(10, 1.0)))
    other = League(_OPPONENTS, 4, 4)
    other.restore(league.to_arrays(), league.counters())
    assert (other.participants, other.residents, other.tables) == (league.participants, league.residents, 1)
    assert other.records == league.records
    assert float(other.weights_of("past:3")["a"][0, 0]) == 1.0
    assert float(other.weights_of("champion:m")["a"][0, 0]) == 9.0


def test_a_league_that_was_made_smaller_lets_those_go_that_have_no_room() -> None:
    league = League(_OPPONENTS, 4, 2)
    for update in range(10, 50, 10):
        league.remember(update, _weights(update))
    for name in ("one", "two"):
        league.welcome(name, _weights(0))
    league.change_residents(np.random.default_rng(0))
    smaller, none = League(_OPPONENTS, 2, 1), League(_OPPONENTS, 0, 0)
    for other in (smaller, none):
        other.restore(league.to_arrays(), league.counters())
    assert smaller.participants[0] == "champion:two"
    assert [name.partition(":")[0] for name in smaller.participants[1:]] == ["past", "past"]
    assert smaller.participants[-1] == "past:40", "the newest stays"
    assert (none.participants, none.residents) == ([], [None] * len(RESIDENTS))


def test_the_go_snake_is_an_opponent_by_its_weight_and_how_hard_it_is() -> None:
    league = League(_OPPONENTS, 0, 0, go_snake_weight=4)
    seated = league.matchmake(20_000, 2, OpponentShares(1.0, 0.0), np.random.default_rng(0))
    assert abs((seated == GO_SNAKE).mean() - 0.25) < 0.02, "half of the opponents"
    faced = np.zeros((256, 2))
    faced[GO_SNAKE] = (400, 40)
    league.note(faced)
    assert league.record_of("heuristic:go_snake").mean < 0.2
    assert (league.title_of(GO_SNAKE), player_mark("go_snake"), player_mark("strong")) == ("go_snake", GO_SNAKE, STRONG)
    harder = league.matchmake(20_000, 2, OpponentShares(1.0, 0.0), np.random.default_rng(0))
    assert (harder == GO_SNAKE).sum() > 1.3 * (seated == GO_SNAKE).sum()
    alone = League([], 0, 0, go_snake_weight=1).matchmake(50, 2, OpponentShares(1.0, 0.0), np.random.default_rng(0))
    assert ((alone == GO_SNAKE).sum(1) == 1).all()
    twice = League([OpponentShare(kind="strong", weight=1), *_OPPONENTS], 0, 0)
    shares = twice.matchmake(20_000, 2, OpponentShares(1.0, 0.0), np.random.default_rng(0))
    assert abs((shares == STRONG).mean() / 0.5 - 0.8) < 0.02, "a kind that is named twice has both weights"
    assert GO_SNAKE not in League(_OPPONENTS, 0, 0).matchmake(500, 4, OpponentShares(1, 0), np.random.default_rng(0))
