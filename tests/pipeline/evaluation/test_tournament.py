"""Tournaments: counted right, the same again, and telling the strong from the weak."""

import numpy as np
import pytest
from scipy.stats import binomtest

from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.evaluation.block_scores import count_blocks, sign_test
from pipeline.evaluation.intervals import measure_blocks, wilson
from pipeline.evaluation.measurement import conditions_text
from pipeline.evaluation.tournament import TournamentResult, run_tournament, tables_of
from pipeline.simulator.competitor import heuristic
from pipeline.simulator.matches import Finished
from schemas.training import TournamentConfig

FIELD = ["strong", "voronoi", "hungry", "random"]


@pytest.fixture(scope="module")
def duels() -> TournamentResult:
    config = TournamentConfig(games_per_matchup=31)
    return run_tournament([heuristic(name) for name in FIELD], config, seed=7, tapes=True)


@pytest.fixture(scope="module")
def crowd() -> TournamentResult:
    players = [heuristic(name) for name in [*FIELD, "aggressive"]]
    return run_tournament(players, TournamentConfig(games_per_matchup=12), seed=7, snakes=4)


def finished(seatings: list[list[int]], ranks: list[list[int]]) -> Finished:
    """Games of which only seatings and ranks are known."""
    none = np.zeros((len(ranks), len(ranks[0])), np.int32)
    numbers = np.zeros(len(ranks), np.int64)
    seated = np.array(seatings, np.uint8)
    return Finished(numbers, numbers, np.array(ranks, np.int32), none, none, none, none, seated, [])


def test_blocks_are_counted_by_hand() -> None:
    """Three games a block: 0 wins, a draw of both, 1 wins; then the same with a third player who is always last."""
    counted = count_blocks(finished([[0, 1], [1, 0], [0, 1]], [[1, 2], [1, 1], [2, 1]]), 2, 3)
    assert counted.shares.tolist() == [[0.5, 0.5]]
    assert counted.scores[0].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert [counted.wins.tolist(), counted.draws.tolist(), counted.losses.tolist()] == [[1, 1], [1, 1], [1, 1]]
    counted = count_blocks(finished([[0, 1, 2], [2, 0, 1]], [[1, 1, 3], [3, 1, 2]]), 3, 1)
    assert counted.shares.tolist() == [[0.5, 0.5, 0], [1, 0, 0]]
    assert counted.scores[1].tolist() == [[0.5, 1, 1], [0, 0.5, 1], [0, 0, 0.5]]
    assert counted.losses.tolist() == [0, 1, 2]


def test_a_player_in_several_seats_has_the_sum_of_their_shares() -> None:
    counted = count_blocks(finished([[0, 1, 0, 1]], [[1, 3, 1, 4]]), 2, 1)
    assert counted.shares.tolist() == [[1, 0]]
    assert counted.wins.tolist() == [1, 0]
    assert counted.games.tolist() == [1, 1]


def test_the_sign_test_is_exact() -> None:
    assert sign_test(np.array([1.0] * 5 + [0.5] * 20)) == pytest.approx(2 / 32)
    assert sign_test(np.array([0.0] * 5), "less") == pytest.approx(1 / 32)
    assert sign_test(np.array([0.5, 0.5])) == 1
    for better, worse in ((0, 1), (3, 3), (7, 12), (900, 801)):
        scores = np.array([1.0] * better + [0.0] * worse)
        for wanted in ("two-sided", "less", "greater"):
            right = binomtest(better, better + worse, 0.5, alternative=wanted).pvalue
            assert sign_test(scores, wanted) == pytest.approx(right)


def test_blocks_of_four_get_an_interval_no_narrower_than_independent_games() -> None:
    shares = [0.25] * 50
    measured = measure_blocks(shares, 4)
    assert (measured.low, measured.high) == pytest.approx(wilson(50, 200))
    assert measured.games == 200
    spread = measure_blocks([0.0, 0.5] * 25, 4)
    assert spread.low < measured.low < measured.high < spread.high


def test_a_duel_tournament_counts_every_game(duels: TournamentResult) -> None:
    assert duels.games == 6 * 32, "31 games a pairing are 16 whole seeds"
    assert np.array_equal(duels.block_seeds, fresh_seeds(7, 16))
    assert duels.block_scores.shape == (16, 4, 4)
    assert np.allclose(duels.scores + duels.scores.T, 1)
    assert all(row.games == row.wins + row.draws + row.losses == 96 for row in duels.standings)
    assert sum(row.share * row.games for row in duels.standings) == pytest.approx(duels.games)
    assert [pairing.games for pairing in duels.pairings] == [32] * 6
    assert len(duels.finished.tapes) == duels.games


def test_the_order_and_its_certainty(duels: TournamentResult) -> None:
    assert [row.name for row in duels.standings] == [f"heuristic:{name}" for name in FIELD]
    assert all(row.elo_low < row.elo < row.elo_high and row.low < row.share < row.high for row in duels.standings)
    assert sum(row.elo for row in duels.standings) == pytest.approx(0, abs=1e-6)
    worst = next(pairing for pairing in duels.pairings if pairing.second == "heuristic:random")
    assert worst.p_value < 0.001
    assert worst.low > 0.5
    assert "| heuristic:strong |" in duels.text()


def test_equals_are_not_told_apart() -> None:
    """The same player under two names: each seed from both seats gives exactly one half."""
    twins = [heuristic("strong"), heuristic("strong").__class__("twin", heuristic("strong").kind)]
    result = run_tournament(twins, TournamentConfig(games_per_matchup=20), seed=3)
    assert result.pairings[0].score == 0.5
    assert result.pairings[0].p_value == 1
    assert result.standings[0].elo == pytest.approx(0, abs=1e-9)


def test_the_same_seed_gives_the_same_tournament(duels: TournamentResult) -> None:
    again = run_tournament([heuristic(name) for name in FIELD], TournamentConfig(games_per_matchup=31), seed=7)
    assert again.standings == duels.standings
    assert again.pairings == duels.pairings
    other = run_tournament([heuristic(name) for name in FIELD], TournamentConfig(games_per_matchup=31), seed=8)
    assert other.standings != duels.standings


def test_four_seats(crowd: TournamentResult) -> None:
    assert crowd.games == 5 * 4 * 3, "five tables, four rotations, three seeds"
    assert sum(row.share * row.games for row in crowd.standings) == pytest.approx(crowd.games)
    assert crowd.standings[0].name == "heuristic:strong"
    assert crowd.standings[-1].name == "heuristic:random"
    assert crowd.scores[0, 3] > 0.9


def test_tables() -> None:
    assert tables_of(3, 2).tolist() == [[0, 1], [0, 2], [1, 2]]
    assert tables_of(2, 4).tolist() == [[0, 1, 0, 1], [1, 0, 1, 0]]
    shared = tables_of(3, 4)
    assert np.bincount(shared.reshape(-1)).tolist() == [4, 4, 4]
    with pytest.raises(ValueError, match="at least two"):
        tables_of(1, 2)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="differ"):
        run_tournament([heuristic("strong")] * 2, TournamentConfig(), seed=1)


def test_conditions_in_words() -> None:
    assert conditions_text(GameConditions()) == "11x11 standard, 2 snakes, map standard, at most 3000 turns"
    other = GameConditions(settings=GameConditions().settings._replace(minimumFood=3))
    assert conditions_text(other).endswith(", minimumFood 3")
