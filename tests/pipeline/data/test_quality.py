"""The quality score and diversity, on games made for it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.quality import WEIGHTS, canonical_openings, parts_of, quality_of, strategy_diversity
from pipeline.data.scan import scan
from pipeline.data.stored_game import StoredGame
from pipeline.engine import layout
from pipeline.engine.batch import Batch
from pipeline.engine.game_spec import GameSpec
from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.simulator.competitor import heuristic
from pipeline.simulator.matches import play_matches


def played(moves: list[tuple[int, int]]) -> bytes:
    """The tape of a duel on 11x11 without food, snakes at (1, 1) or (9, 9) and so on as seed 1 has it."""
    batch = Batch.uniform(1, GameSpec(snakes=2, settings={"foodSpawnChance": 0}), auto_reset=False, tape_bytes=4000)
    batch.reset([1])
    for pair in moves:
        batch.step(np.array([pair], np.uint8))
    return batch.drain_outcomes().tapes[0]


def test_the_weights_are_a_whole() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)


def test_scores_lie_between_0_and_1_and_are_their_parts(games: list[StoredGame]) -> None:
    facts = scan([game.tape for game in games])
    areas = np.array([game.width * game.height for game in games])
    parts = parts_of(facts, areas)
    quality = quality_of(facts, areas)
    assert (quality >= 0).all()
    assert (quality <= 1).all()
    for index, game in enumerate(games):
        told = {name: part[index] for name, part in parts.items() if not np.isnan(part[index])}
        assert ("contest" in told) == (len(game.players) > 1)
        weight = sum(WEIGHTS[name] for name in told)
        assert quality[index] == pytest.approx(sum(WEIGHTS[n] * v for n, v in told.items()) / weight)
        assert game.quality == quality[index]


def test_running_into_the_wall_is_avoidable() -> None:
    """Both run straight up or down until one is out: other cells were open."""
    up = (layout.UP, layout.UP)
    facts = scan([played([up] * 12)])
    assert facts.causes[0].tolist().count(layout.WALL_COLLISION) >= 1
    assert facts.avoidable[0] == (facts.causes[0] > 0).sum()
    assert parts_of(facts, np.array([121]))["soundness"][0] == 0
    assert parts_of(facts, np.array([121]))["length"][0] == facts.turns[0] / (facts.turns[0] + 121)


def test_good_players_make_better_games_than_random_ones() -> None:
    qualities = {}
    for name in ("random", "voronoi"):
        seats = np.zeros((12, 2), np.uint8)
        finished = play_matches([heuristic(name)], seats, fresh_seeds(3, 12), GameConditions(), tapes=True)
        qualities[name] = quality_of(scan(finished.tapes), np.full(12, 121)).mean()
    assert qualities["random"] < 0.6 < qualities["voronoi"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-1, 242), max_size=60))
def test_mirrored_openings_are_one(openings: list[int]) -> None:
    def mirrored(code: int) -> int:
        digits = np.base_repr(code, 3).zfill(5)
        return int(digits.translate(str.maketrans("12", "21")), 3)

    turned = [code if code < 0 else mirrored(code) for code in openings]
    one, other = (canonical_openings(np.array(codes, np.int64)) for codes in (openings, turned))
    assert (one == other).all()
    assert 0 <= strategy_diversity(np.array(openings, np.int64)) <= 1


def test_diversity_is_0_for_one_pattern_and_1_for_all_alike_often() -> None:
    every = np.unique(canonical_openings(np.arange(243)))
    assert len(every) == 122
    assert strategy_diversity(np.repeat(every, 5)) == pytest.approx(1)
    assert strategy_diversity(np.full(500, 7)) == 0
    assert strategy_diversity(np.full(3, -1)) == 0
    half = strategy_diversity(np.repeat(every[:11], 100))
    assert half == pytest.approx(np.log(11) / np.log(122))
