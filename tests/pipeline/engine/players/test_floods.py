"""The flood finds at either width what a slow one does; a turn looked ahead is the rules' turn, and is taken back."""

import copy

import numpy as np

from pipeline.engine.compile_cache import compiled
from pipeline.engine.game import Game
from pipeline.engine.players import mind as legend
from pipeline.engine.players.ahead import play_ahead, take_back
from pipeline.engine.players.choose import choose_moves
from pipeline.engine.players.flood import NARROW, flood, flood_wide
from pipeline.engine.players.kinds import AGGRESSIVE
from pipeline.engine.players.mind import make_mind
from pipeline.engine.players.picture import picture


@compiled
def both_widths(mind, game, me, behind, narrow, wide):
    picture(mind, game)
    for snake in range(mind.shape[legend.S_SNAKES]):
        mind.snakes[snake, legend.BEHIND] = behind if snake != me else 0
    flood(mind, me, behind, NARROW)
    for index in range(legend.FINDINGS):
        narrow[index] = mind.finding[index]
    flood_wide(mind, me, behind)
    for index in range(legend.FINDINGS):
        wide[index] = mind.finding[index]


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
         (11, 11, 3, "constrictor"), (5, 5, 2, "standard"), (16, 8, 4, "wrapped"), (25, 5, 4, "standard"),
         (19, 13, 4, "wrapped"), (25, 25, 4, "standard"), (3, 25, 2, "wrapped"), (21, 17, 3, "wrapped")]
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


def slow_flood(mind, me, behind):
    """Sets of Python: what is mine, what is others', the first steps to food, my first exits, and risk and prey."""
    shape = mind["shape"]
    board, where = range(shape[legend.S_SPOTS]), lambda row: spots_of(mind["masks"][row])
    living = [s for s in range(shape[legend.S_SNAKES]) if mind["snakes"][s, legend.LIVES]]
    head = {s: int(mind["paths"][s, mind["snakes"][s, legend.HEAD_AT]]) for s in living}
    size = {s: int(mind["snakes"][s, legend.SIZE]) for s in living}
    # Who is behind may eat what I have just eaten.
    least = size[me] - (behind > 0 and mind["snakes"][me, legend.LIFE] == 100)
    others = [s for s in living if s != me]
    sets = {True: {head[s] for s in others if size[s] >= least}, False: {head[s] for s in others if size[s] < least}}
    free, food, meets = set(board) - where(legend.OCCUPIED), where(legend.FOODS), {True: 0, False: 0}
    around = lambda spots: {int(n) for spot in spots for n in mind["next_spot"][spot] if n >= 0}  # noqa: E731
    for step in range(1, behind + 1):
        free |= spots_of(mind["leaving"][step]) - {head[me]}
        for longer in (True, False):
            grown = around(sets[longer])
            meets[longer] |= head[me] in grown
            sets[longer] |= (grown & free) - (set() if longer else sets[True])
    theirs, mine = sets[True] | sets[False], {head[me]}
    found = {
        "food": 0,
        "their_food": int(behind > 0 and bool(theirs & food)),
        "risk": meets[True],
        "prey": meets[False],
    }
    step = 0
    while True:
        step += 1
        if behind + step <= shape[legend.S_LAST_LEAVE]:
            free |= spots_of(mind["leaving"][behind + step])
        room = free - mine - sets[True] - sets[False]
        to_me, to_longer = around(mine) & room, around(sets[True]) & room
        found.setdefault("exits", len(to_me))
        to_me -= to_longer
        to_shorter = (around(sets[False]) & room) - to_me - to_longer
        mine, sets = mine | to_me, {True: sets[True] | to_longer, False: sets[False] | to_shorter}
        found["food"] = found["food"] or step * bool(to_me & food)
        found["their_food"] = found["their_food"] or step * bool((to_longer | to_shorter) & food)
        waits = len(mine) < size[me] and step <= len(mine) and behind + step < shape[legend.S_LAST_LEAVE]
        if not to_me | to_longer | to_shorter and not waits:
            mine -= {head[me]}
            tail = int(mind["paths"][me, mind["snakes"][me, legend.TAIL_AT]])
            return found | {"mine": len(mine), "theirs": len(sets[True] | sets[False]), "tail": int(tail in mine)}


def spots_of(row):
    """The spots of a bitboard."""
    return {64 * word + bit for word, bits in enumerate(row.tolist()) for bit in range(64) if bits >> bit & 1}


FOUND = {"mine": legend.F_MINE, "theirs": legend.F_THEIRS, "food": legend.F_FOOD, "their_food": legend.F_THEIR_FOOD,
         "exits": legend.F_EXITS, "risk": legend.F_RISK, "prey": legend.F_PREY, "tail": legend.F_TAIL}  # fmt: skip


def test_both_widths_find_what_a_slow_flood_does():
    mind, both_gain, of_each = make_mind(), 0, dict.fromkeys(FOUND, 0)
    for game, _ in games(25):
        if game.turn % 3:
            continue
        narrow_board = game.width * game.height <= 128
        for me, snake in enumerate(game.to_state()["snakes"]):
            for behind in (0, 1, 2):
                if not snake.get("cause"):
                    narrow, wide = np.zeros(legend.FINDINGS, np.int64), np.zeros(legend.FINDINGS, np.int64)
                    both_widths(mind, game.records.game(0), me, behind, narrow, wide)
                    assert not narrow_board or narrow.tolist() == wide.tolist(), (game.to_state(), me, behind)
                    slowly = slow_flood(mind, me, behind)
                    assert {name: wide[at] for name, at in FOUND.items()} == slowly, (game.to_state(), me, behind)
                    both_gain += slowly["mine"] > 0 and slowly["theirs"] > 0
                    of_each = {name: count + (slowly[name] > 0) for name, count in of_each.items()}
    assert both_gain > 200 and min(of_each.values()) > 10, of_each


def test_a_lone_snake_reaches_every_free_spot():
    state = {"turn": 5, "width": 11, "height": 11, "food": [[9, 5]], "hazards": [],
             "snakes": [{"id": "a", "health": 90, "body": [[5, 5], [5, 4], [5, 3]]}]}  # fmt: skip
    game = Game.from_state(state, "solo", solo=True)
    narrow, wide = np.zeros(legend.FINDINGS, np.int64), np.zeros(legend.FINDINGS, np.int64)
    both_widths(make_mind(), game.records.game(0), 0, 0, narrow, wide)
    assert narrow[legend.F_MINE] == 120 and narrow[legend.F_THEIRS] == 0
    assert narrow[legend.F_FOOD] == 4 and narrow[legend.F_TAIL] == 1 and narrow[legend.F_EXITS] == 3
    assert narrow[legend.F_MINE_EDGE] == 40


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

    bits = int(game.records.fields[0, RULES])
    return next(name for name, value in RULESETS.items() if value == bits)
