"""The two floods agree, and both with a slow one; a turn looked ahead is the rules' turn, and is taken back whole."""

import copy

import numpy as np

from pipeline.engine.compile_cache import compiled
from pipeline.engine.game import Game
from pipeline.engine.players import mind as legend
from pipeline.engine.players.ahead import play_ahead, take_back
from pipeline.engine.players.choose import choose_moves
from pipeline.engine.players.flood_large import flood_large
from pipeline.engine.players.flood_small import flood_small
from pipeline.engine.players.kinds import AGGRESSIVE
from pipeline.engine.players.mind import make_mind
from pipeline.engine.players.picture import picture


@compiled
def both_floods(mind, game, me, behind, small, large):
    picture(mind, game)
    for snake in range(mind.shape[legend.S_SNAKES]):
        mind.snakes[snake, legend.BEHIND] = behind if snake != me else 0
    flood_small(mind, me, behind)
    for index in range(legend.FINDINGS):
        small[index] = mind.finding[index]
    flood_large(mind, me, behind)
    for index in range(legend.FINDINGS):
        large[index] = mind.finding[index]


@compiled
def a_turn_and_back(mind, game, moved, directions, after):
    picture(mind, game)
    play_ahead(mind, 0, moved, directions)
    for snake in range(mind.shape[legend.S_SNAKES]):
        for field in range(legend.FIELDS):
            after[snake, field] = mind.snakes[snake, field]
    take_back(mind, 0)


def games(turns: int = 40):
    mind = make_mind()
    for seed, (width, height, snakes, ruleset) in enumerate(
        [(11, 11, 2, "standard"), (11, 11, 4, "standard"), (7, 7, 2, "wrapped"), (9, 5, 3, "wrapped"),
         (11, 11, 3, "constrictor"), (5, 5, 2, "standard"), (16, 8, 4, "wrapped"), (25, 5, 4, "standard")]
    ):  # fmt: skip
        game = Game.new(width, height, list("abcd")[:snakes], ruleset, seed=seed)
        kinds = np.full(snakes, AGGRESSIVE, np.uint8)
        for _ in range(turns):
            if game.is_over():
                break
            moves = np.zeros_like(kinds)
            choose_moves(mind, game.records.game(0), kinds, moves)
            yield game, moves
            game.step({name: ("up", "down", "left", "right")[moves[i]] for i, name in enumerate(game.snake_ids)})


def test_small_and_large_floods_find_the_same():
    mind, found = make_mind(), 0
    for game, _ in games():
        for me, snake in enumerate(game.to_state()["snakes"]):
            for behind in (0, 1):
                if not snake.get("cause"):
                    small, large = np.zeros(legend.FINDINGS, np.int64), np.zeros(legend.FINDINGS, np.int64)
                    both_floods(mind, game.records.game(0), me, behind, small, large)
                    assert small.tolist() == large.tolist(), (game.to_state(), me, behind)
                    found += int(small[legend.F_MINE] > 0 and small[legend.F_THEIRS] > 0)
    assert found > 200


def test_a_lone_snake_reaches_every_free_spot():
    state = {"turn": 5, "width": 11, "height": 11, "food": [[9, 5]], "hazards": [],
             "snakes": [{"id": "a", "health": 90, "body": [[5, 5], [5, 4], [5, 3]]}]}  # fmt: skip
    game = Game.from_state(state, "solo", solo=True)
    small, large = np.zeros(legend.FINDINGS, np.int64), np.zeros(legend.FINDINGS, np.int64)
    both_floods(make_mind(), game.records.game(0), 0, 0, small, large)
    assert small[legend.F_MINE] == 120 and small[legend.F_THEIRS] == 0
    assert small[legend.F_FOOD] == 4 and small[legend.F_TAIL] == 1 and small[legend.F_EXITS] == 3
    assert small[legend.F_MINE_EDGE] == 40


def test_a_turn_looked_ahead_is_the_rules_turn_and_is_taken_back():
    mind, deaths = make_mind(), 0
    for game, moves in games():
        before = game.to_state()
        living = [i for i, s in enumerate(before["snakes"]) if not s.get("cause")]
        directions = sum(int(moves[i]) << (2 * i) for i in living)
        after = np.zeros((len(before["snakes"]), legend.FIELDS), np.int64)
        picture_before = make_mind()
        a_turn_and_back(picture_before, game.records.game(0), 0, 0, after.copy())
        a_turn_and_back(mind, game.records.game(0), sum(1 << i for i in living), directions, after)
        for field in ("snakes", "masks"):
            rows = living if field == "snakes" else [legend.OCCUPIED, legend.FOODS]
            np.testing.assert_array_equal(mind[field][rows], picture_before[field][rows])
        played = copy.deepcopy(before)
        real = Game.from_state(played, _ruleset(game), solo=False)
        names = ("up", "down", "left", "right")
        real.step({name: names[moves[i]] for i, name in enumerate(real.snake_ids)}, food=[])
        for i in living:
            snake = real.to_state()["snakes"][i]
            assert bool(after[i, legend.LIVES]) == (not snake.get("cause")), (before, moves)
            deaths += bool(snake.get("cause"))
            if not snake.get("cause"):
                assert after[i, legend.SIZE] == len(snake["body"])
                assert after[i, legend.LIFE] == snake["health"]
                assert after[i, legend.PILE] == snake["body"].count(snake["body"][-1])
    assert deaths > 5


def _ruleset(game: Game) -> str:
    from pipeline.engine.layout import RULES, RULESETS

    bits = int(game.records.words[0, RULES])
    return next(name for name, value in RULESETS.items() if value == bits)
