"""Legality, determinism and symmetry of the players, over whole games of every kind and ruleset."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine import layout
from pipeline.engine.game import Game
from pipeline.engine.grid import is_open
from pipeline.engine.players.kinds import DEEP, KINDS, RANDOM, STRONG, VORONOI, kind_of, name_of
from pipeline.engine.players.match import GameConditions, fresh_seeds, play, play_games
from pipeline.engine.players.mind import make_mind
from pipeline.engine.players.search import WORST
from pipeline.engine.symmetry import MOVE_TO, SYMMETRIES, cell_map

RULESETS = ("standard", "solo", "royale", "wrapped", "constrictor", "wrapped_constrictor")


@settings(max_examples=25, deadline=None)
@given(
    width=st.integers(3, 25), height=st.integers(3, 25), snakes=st.integers(1, 4), ruleset=st.sampled_from(RULESETS),
    kind=st.sampled_from([kind.number for kind in KINDS]), seed=st.integers(0, 2**32),
)  # fmt: skip
def test_no_player_dies_of_a_wall_or_body_while_a_move_is_open(ask, width, height, snakes, ruleset, kind, seed):
    game = Game.new(width, height, list("abcd")[:snakes], ruleset, "empty", {"damagePerTurn": 1}, seed)
    for _ in range(15):
        if game.is_over():
            break
        state, moves = game.to_state(), {}
        for seat, name in enumerate(game.snake_ids):
            if name in game.living():
                moves[name] = _check_open(ask, game, state, kind, seat, ruleset)
        game.step(moves)


def _check_open(ask, game, state, kind, seat, ruleset) -> str:
    word = ask(state, name_of(kind), seat, ruleset=ruleset, solo=ruleset == "solo" or len(game.snake_ids) == 1)
    fields = game.records.fields
    head = fields[0, layout.HEADER + seat * layout.SNAKE_FIELDS + layout.HEAD]
    stride = int(fields[0, layout.STRIDE])
    there = []
    for step in (stride, -stride, -1, 1):
        cell = int(head) + step
        x, y = cell % stride - 1, cell // stride - 1
        if "wrapped" in ruleset:
            x, y = x % game.width, y % game.height
        there.append((y + 1) * stride + x + 1)
    record = game.records.game(0)
    open_words = [w for w, c in zip(layout.MOVE_WORDS, there, strict=True) if is_open.py_func(record, c)]
    assert word in open_words or not open_words, (state, word, open_words)
    return word


@pytest.mark.parametrize("kind", [kind.number for kind in KINDS if kind.number != DEEP])
def test_a_game_does_not_depend_on_its_company(kind):
    seeds = fresh_seeds(3, 7)
    for conditions in (GameConditions(), GameConditions(7, 9, 3, "wrapped"), GameConditions(19, 19, 4, most_turns=60)):
        seats = np.full((7, conditions.snakes), kind, np.uint8)
        together = play_games(seats, seeds, conditions)
        alone = [play_games(seats[:1], seeds[i : i + 1], conditions) for i in range(7)]
        np.testing.assert_array_equal(together.deaths, np.concatenate([one.deaths for one in alone]))
        np.testing.assert_array_equal(together.turns, np.concatenate([one.turns for one in alone]))


def test_a_kind_against_itself_scores_half_and_meetings_are_antisymmetric():
    seeds = fresh_seeds(5, 40)
    assert play(VORONOI, VORONOI, seeds).score == 0.5
    there, back = play(VORONOI, RANDOM, seeds), play(RANDOM, VORONOI, seeds)
    np.testing.assert_allclose(there.pair_scores, 1 - back.pair_scores)
    assert there.score > 0.8, "territory must beat chance by far"
    four = GameConditions(snakes=4)
    assert play(VORONOI, RANDOM, seeds, four).score > 0.8
    with pytest.raises(ValueError, match="equally"):
        play(VORONOI, RANDOM, seeds, GameConditions(snakes=3))


def test_look_ahead_pays():
    """Over 60 seeds: three standard errors above half."""
    meeting = play(STRONG, VORONOI, fresh_seeds(11, 60))
    assert meeting.score - 3 * meeting.standard_error > 0.5


def turned(state, symmetry):
    side = state["width"]
    cells = cell_map(side)[symmetry]

    def to(cell):
        place = int(cells[cell[1] * side + cell[0]])
        return [place % side, place // side]

    return {**state, "food": [to(c) for c in state["food"]], "hazards": [to(c) for c in state["hazards"]],
            "snakes": [{**s, "body": [to(c) for c in s["body"]]} for s in state["snakes"]]}  # fmt: skip


@pytest.mark.parametrize("kind", ["voronoi", "strong", "deep"])
def test_values_turn_with_the_board(ask, kind):
    """All values of a player without replies; the best value of one whose bounds depend on the order of moves."""
    compared = 0
    for ruleset in ("standard", "wrapped", "royale"):
        game = Game.new(11, 11, list("abc"), ruleset, seed=4)
        for turn in range(24):
            if len(game.living()) < 2:
                break
            state = game.to_state()
            state["snakes"] = [s for s in state["snakes"] if not s.get("cause")]
            mind = make_mind()
            ask(state, kind, 0, mind=mind, ruleset=ruleset)
            values = mind["values"][0].copy()
            for symmetry in range(1, SYMMETRIES) if (values > WORST).sum() > 1 and turn % 3 == 0 else ():
                ask(turned(state, symmetry), kind, 0, mind=mind, ruleset=ruleset)
                there = mind["values"][0][MOVE_TO[symmetry]]
                assert there.max() == values.max()
                if kind == "voronoi":
                    np.testing.assert_array_equal(there, values)
                compared += 1
            game.step({name: ask(game.to_state(), "voronoi", game.snake_ids.index(name), ruleset=ruleset)
                       for name in game.living()})  # fmt: skip
    assert compared > 30


def test_kinds_have_names():
    assert [kind_of(name_of(kind.number)) for kind in KINDS] == list(range(len(KINDS)))
    with pytest.raises(KeyError, match="known are random"):
        kind_of("nobody")
    with pytest.raises(KeyError):
        name_of(255)
