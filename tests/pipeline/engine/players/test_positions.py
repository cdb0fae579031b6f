"""Positions in which the right move is known."""

import pytest

from pipeline.engine.players.kinds import KINDS

ALL = [kind.name for kind in KINDS]
THINKERS = ["voronoi", "strong", "deep"]
AHEAD = ["strong", "deep"]

UPWARDS = [[5, 5], [5, 4], [5, 3], [5, 2]]


@pytest.mark.parametrize("kind", ALL)
def test_the_only_open_move_is_taken(at, ask, kind):
    cornered = [[0, 0], [0, 1], [0, 2], [0, 3]]
    assert ask(at((cornered, 90), ([[9, 9], [9, 8], [9, 7]], 90)), kind) == "right"


@pytest.mark.parametrize("kind", ALL)
def test_a_tail_that_moves_away_is_open_and_one_that_has_just_eaten_is_not(at, ask, kind):
    square = [[1, 0], [0, 0], [0, 1], [1, 1]]
    wall = [[2, 0], [2, 1], [2, 2], [3, 2], [3, 3]]
    assert ask(at((square, 90), (wall, 90)), kind) == "up"
    eaten = [*square, [1, 1]]
    assert ask(at((eaten, 90), ([[9, 9], [9, 8], [9, 7]], 90)), kind) == "right"


@pytest.mark.parametrize("kind", ["hungry", *THINKERS])
def test_the_starving_eat(at, ask, kind):
    state = at((UPWARDS, 2), ([[0, 0], [1, 0], [2, 0], [3, 0]], 90), food=[[7, 5]])
    assert ask(state, kind) == "right"


@pytest.mark.parametrize("kind", ["aggressive", "tail_chaser", *THINKERS])
def test_a_head_as_long_as_mine_is_not_met(at, ask, kind):
    # Both may come to (6, 5), where both would die.
    other = [[7, 5], [8, 5], [9, 5], [9, 4]]
    assert ask(at((UPWARDS, 90), (other, 90), food=[[6, 5]]), kind) != "right"


@pytest.mark.parametrize("kind", AHEAD)
def test_a_shorter_snake_with_one_way_out_is_met_there(at, ask, kind):
    # b runs up the left edge beside my body: its only way is (0, 6), next to my head, and I am longer.
    mine = [[1, 6], [1, 5], [1, 4], [1, 3], [1, 2], [1, 1]]
    theirs = [[0, 5], [0, 4], [0, 3], [0, 2]]
    assert ask(at((mine, 90), (theirs, 90)), kind) == "left"


@pytest.mark.parametrize("kind", ["aggressive"])
def test_a_shorter_head_is_hunted(at, ask, kind):
    assert ask(at((UPWARDS, 90), ([[8, 5], [9, 5]], 90)), kind) == "right"


def test_the_tail_is_chased(at, ask):
    ring = [[5, 5], [4, 5], [4, 6], [4, 7], [5, 7], [6, 7]]
    assert ask(at((ring, 90), ([[0, 0], [0, 1], [0, 2]], 90)), "tail_chaser") in ("right", "up")


@pytest.mark.parametrize("kind", THINKERS)
def test_a_pocket_too_small_to_live_in_is_not_entered(at, ask, kind):
    # Left of my body lie the 2 x 6 spots of x < 2; right of it the board. I am 14 long.
    body = [[2, y] for y in range(5, -1, -1)] + [[3, 0], [3, 1], [3, 2], [3, 3], [4, 3], [5, 3], [6, 3], [7, 3]]
    cap = [[2, 6], [1, 6], [0, 6], [0, 7], [1, 7], [2, 7]]
    assert ask(at((body, 90), (list(reversed(cap)), 90)), kind) != "left"


@pytest.mark.parametrize("kind", THINKERS)
def test_an_edge_that_wraps_is_a_way_out(at, ask, kind):
    body = [[5, 10], [4, 10], [4, 9], [5, 9], [6, 9], [6, 10], [7, 10]]
    far = [[0, 4], [0, 3], [0, 2]]
    assert ask(at((body, 90), (far, 90)), kind, ruleset="wrapped") == "up"


@pytest.mark.parametrize("kind", THINKERS)
def test_a_hazard_that_would_kill_is_not_entered(at, ask, kind):
    state = at((UPWARDS, 15), ([[0, 0], [1, 0], [2, 0]], 90), hazards=[[5, 6], [4, 5]], food=[[5, 7]])
    assert ask(state, kind, ruleset="royale", settings={"damagePerTurn": 14}) == "right"


@pytest.mark.parametrize("kind", THINKERS)
def test_food_makes_a_deadly_hazard_safe(at, ask, kind):
    state = at((UPWARDS, 1), ([[0, 0], [1, 0], [2, 0]], 90), hazards=[[5, 6]], food=[[5, 6]])
    assert ask(state, kind, ruleset="royale", settings={"damagePerTurn": 14}) == "up"


@pytest.mark.parametrize("kind", THINKERS)
def test_a_constrictor_takes_the_larger_side(at, ask, kind):
    # My body splits the board at x = 3, and nobody ever leaves a spot.
    mine = [[3, y] for y in range(11)]
    state = at(([*mine, mine[-1]], 100), ([[10, 10], [9, 10], [8, 10], [8, 10]], 100))
    assert ask(state, kind, ruleset="constrictor") == "right"


@pytest.mark.parametrize("kind", ALL)
def test_alone_and_with_nothing_open_a_player_still_names_a_move(at, ask, kind):
    curled = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 2], [0, 3]]
    assert ask(at((curled, 50)), kind, ruleset="solo", solo=True) in ("up", "down", "left", "right")
