"""What is counted in positions drawn by hand, and what whole games of known players show."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import CensoredData, ecdf

from pipeline.engine.game import Game
from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.engine.symmetry import MOVE_TO
from pipeline.evaluation import strategy_scan as scanned
from pipeline.evaluation.strategy import analyse, consistency, survival
from pipeline.evaluation.strategy_scan import (
    COUNTS,
    PRESSED,
    PREYS,
    RISKED,
    RISKS,
    TRAP_CHANCES,
    TRAPPED,
    count_strategy,
    judge_move,
    look_ahead,
    share_ground,
)
from pipeline.simulator.competitor import alone_among, every_seating, from_policy, heuristic, seatings_of
from pipeline.simulator.matches import Finished, play_matches
from schemas.errors import DataError

UP, DOWN, LEFT, RIGHT = range(4)


def position(*bodies: list[list[int]], size: int = 7) -> Any:
    """The record of a game with these living snakes, head first."""
    snakes = [{"id": "abcd"[i], "health": 90, "body": body} for i, body in enumerate(bodies)]
    state = {"turn": 30, "width": size, "height": size, "food": [], "hazards": [], "snakes": snakes}
    return Game.from_state(state, seed=1).records


def judged(records: Any, snake: int, move: int) -> dict[int, int]:
    """The counts that one move adds, those above zero."""
    scratch, counts = scanned._scratch(), np.zeros(COUNTS, np.int64)
    look_ahead(records.game(0), scratch)
    judge_move(scratch, snake, move, counts)
    return {field: int(count) for field, count in enumerate(counts) if count and field != scanned.MOVES}


def test_ground_goes_to_who_is_nearer() -> None:
    """Two snakes along the outer columns of 7x7, head to head: three columns each, the middle one is nobody's."""
    left, right = [[0, y] for y in (3, 2, 1)], [[6, y] for y in (3, 2, 1)]
    records, first_to = position(left, right), np.zeros(4, np.int64)
    owned = share_ground(records.game(0), scanned._scratch(), first_to)
    assert first_to[0] == first_to[1]
    assert owned == first_to[:2].sum()
    # 49 cells less the middle column (7) less the bodies; the two tails are leaving, hence open, but walked late
    assert owned == 49 - 7 - 6 + 2


def test_a_dead_end_shorter_than_the_snake_is_a_trap() -> None:
    """A snake of 17 across the board: below its head four cells that its body shuts in, above it the open board."""
    body = [[x, 2] for x in range(6, -1, -1)] + [[x, 1] for x in range(5)] + [[x, 0] for x in range(4, -1, -1)]
    records = position(body, [[0, 6], [1, 6], [2, 6]])
    assert judged(records, 0, DOWN) == {TRAP_CHANCES: 1, TRAPPED: 1}
    assert judged(records, 0, UP) == {TRAP_CHANCES: 1}


def test_a_contested_cell_is_a_risk_for_the_shorter_and_prey_for_the_longer() -> None:
    """Two heads two apart in a row: the cell between them."""
    short, long = [[2, 3], [2, 2], [2, 1]], [[4, 3], [4, 2], [4, 1], [4, 0]]
    records = position(short, long)
    assert judged(records, 0, RIGHT) == {RISKS: 1, RISKED: 1}
    assert judged(records, 0, LEFT) == {RISKS: 1}
    assert judged(records, 1, LEFT) == {PREYS: 1, PRESSED: 1}
    assert judged(records, 1, UP) == {PREYS: 1}
    equal = position(short, long[:3])
    assert judged(equal, 1, LEFT) == {RISKS: 1, RISKED: 1}, "against a head of equal length both die"


@pytest.fixture(scope="module")
def duels() -> Finished:
    games = every_seating(seatings_of(2, 2), fresh_seeds(3, 30))
    return play_matches([heuristic("strong"), heuristic("hungry")], *games, GameConditions(), tapes=True)


def test_food_and_moves_agree_with_the_games(duels: Finished) -> None:
    counts = count_strategy(duels.tapes).counts
    lived = np.where(duels.deaths > 0, duels.deaths, duels.turns[:, None])
    assert np.array_equal(counts[:, :, scanned.MOVES], lived)
    alive = duels.deaths == 0
    assert np.array_equal(counts[:, :, scanned.FOOD][alive], duels.lengths[alive] - 3)


def test_the_careful_player_is_told_from_the_careless_one(duels: Finished) -> None:
    strong, hungry = analyse(duels, 0), analyse(duels, 1)
    assert strong.score > hungry.score + 10
    assert strong.metrics["territory_share"] > 0.5 > hungry.metrics["territory_share"]
    assert strong.metrics["food_share"] + hungry.metrics["food_share"] == pytest.approx(1)
    assert strong.metrics["head_risk_avoidance"] == 1
    assert hungry.metrics["head_risk_avoidance"] < 0.8
    assert strong.score == pytest.approx(100 * np.mean(list(strong.parts.values())))
    assert all(0 <= part <= 1 for report in (strong, hungry) for part in report.parts.values())
    ends = [value for name, value in hungry.metrics.items() if name.startswith("death_") or name == "alive_at_end"]
    assert sum(ends) == pytest.approx(1)


def test_survival_never_rises_and_knows_the_censored(duels: Finished) -> None:
    metrics = analyse(duels, 1).metrics
    curve = [metrics[f"survival_{turn}"] for turn in (25, 50, 100, 200, 400)]
    assert curve == sorted(curve, reverse=True)
    assert 0 < curve[1] < 1
    winner = analyse(duels, 0).metrics
    assert winner["survival_50"] >= winner["alive_at_end"]


def test_a_fair_share_among_four_scores_one_half() -> None:
    """All four seats one player: its shares are everything, and neither good nor bad."""
    games = play_matches([heuristic("voronoi")], *every_seating(seatings_of(1, 4), fresh_seeds(2, 6)),
                         GameConditions(snakes=4), tapes=True)  # fmt: skip
    parts = analyse(games, 0).parts
    assert parts["food"] == pytest.approx(0.5)
    assert 0.2 < analyse(games, 0).metrics["territory_share"] < 0.5


def test_four_player_parts_are_relative_to_the_fair_share() -> None:
    games = play_matches([heuristic("strong"), heuristic("random")], *every_seating(alone_among(4), fresh_seeds(2, 4)),
                         GameConditions(snakes=4), tapes=True)  # fmt: skip
    report = analyse(games, 0)
    assert report.parts["food"] == pytest.approx(min(1, 2 * report.metrics["food_share"]))


def test_a_player_who_was_not_there_is_refused(duels: Finished) -> None:
    with pytest.raises(ValueError, match="sits in none"):
        analyse(duels, 5)


def test_a_cut_tape_is_refused(duels: Finished) -> None:
    with pytest.raises(DataError, match="game 1"):
        count_strategy([duels.tapes[0], duels.tapes[1][:-1]])


class Fixed:
    """Always the same move in the frame it sees: as inconsistent as can be."""

    name = "fixed"

    def choose(self, observations: Any, masks: Any, draws: Any) -> Any:
        return np.zeros(len(masks), np.uint8)


class Straight:
    """Straight on, which is the same move in every view."""

    name = "straight"

    def choose(self, observations: Any, masks: Any, draws: Any) -> Any:
        # the neck is the one neighbour with a body entry of mine one step older than the head
        body, head = observations.planes[:, 3].astype(int), observations.planes[:, 5] > 0
        moves = np.zeros(len(body), np.uint8)
        for row in range(len(body)):
            y, x = np.argwhere(head[row])[0]
            for move, (dy, dx) in enumerate(((1, 0), (-1, 0), (0, -1), (0, 1))):
                ny, nx = y - dy, x - dx
                if 0 <= ny < 11 and 0 <= nx < 11 and body[row, ny, nx] == body[row, y, x] - 1:
                    moves[row] = move
        return moves


def test_consistency_of_policies_whose_answer_is_known(duels: Finished) -> None:
    same = consistency(Fixed(), duels.tapes, 60, seed=1)
    # up stays up under two of the seven other symmetries: none turned, or mirrored left to right
    ups = sum(MOVE_TO[symmetry, UP] == UP for symmetry in range(1, 8)) / 7
    assert same.agreement == pytest.approx(ups)
    assert same.unanimous == 0
    assert 60 <= same.positions < 120


def test_consistency_reaches_one(duels: Finished) -> None:
    late = [tape for tape, turns in zip(duels.tapes, duels.turns, strict=True) if turns > 40]
    found = consistency(Straight(), late, 40, seed=2)
    assert found.agreement > 0.95  # at the very start, all on one cell, there is no neck to go by
    assert found.unanimous > 0.95


def test_the_policy_is_asked(duels: Finished, eater: Any) -> None:
    seated = every_seating(seatings_of(2, 2), fresh_seeds(3, 5))
    games = play_matches([from_policy(eater), heuristic("random")], *seated, GameConditions(), tapes=True)
    report = analyse(games, 0, eater, seed=3)
    assert report.parts["symmetry"] == report.metrics["symmetry_agreement"] < 1
    assert "symmetry" not in analyse(games, 0).parts


@given(st.lists(st.tuples(st.integers(1, 60), st.booleans()), min_size=1, max_size=40))
def test_survival_is_kaplan_and_meiers(seats: list[tuple[int, bool]]) -> None:
    ends, died = np.array([end for end, _ in seats], np.float64), np.array([died for _, died in seats])
    asked = np.arange(0, 70, 3)
    found = survival(np.where(died, ends, 0), ends, asked)
    if not died.any():
        assert found.tolist() == [1] * len(asked)
        return
    right = ecdf(CensoredData(uncensored=ends[died], right=ends[~died])).sf.evaluate(asked)
    np.testing.assert_allclose(found, right, atol=1e-12)
