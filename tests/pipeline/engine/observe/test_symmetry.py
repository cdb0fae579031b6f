"""The eight symmetries form the group they should, on moves and on cells alike."""

import numpy as np

from pipeline.engine.symmetry import INVERSE, MOVE_FROM, MOVE_TO, SWAPS_AXES, SYMMETRIES, cell_map

STEPS = ((0, 1), (0, -1), (-1, 0), (1, 0))


def test_all_are_different_and_each_is_undone_by_its_inverse():
    maps = cell_map(5)
    assert len({tuple(row) for row in maps}) == SYMMETRIES == len({tuple(row) for row in MOVE_TO})
    for symmetry in range(SYMMETRIES):
        np.testing.assert_array_equal(maps[INVERSE[symmetry]][maps[symmetry]], np.arange(25))
        np.testing.assert_array_equal(MOVE_FROM[symmetry][MOVE_TO[symmetry]], np.arange(4))


def test_moving_and_transforming_commute():
    side = 7
    for symmetry, cells in enumerate(cell_map(side)):
        for x in range(1, side - 1):
            for move, (dx, dy) in enumerate(STEPS):
                start, end = 3 * side + x, (3 + dy) * side + x + dx
                turned = STEPS[MOVE_TO[symmetry, move]]
                assert cells[end] - cells[start] == turned[1] * side + turned[0]


def test_a_quarter_turn_is_counter_clockwise_and_swaps_the_axes():
    assert cell_map(3)[1].tolist() == [2, 5, 8, 1, 4, 7, 0, 3, 6]
    assert SWAPS_AXES.tolist() == [False, True] * 4
