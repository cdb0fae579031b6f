"""The two tables that the hot loops go by: the steps on a board, and the choices in a mask."""

import pytest

from pipeline.engine.grid import onward, ways_of
from pipeline.engine.layout import DOWN, LEFT, RIGHT, UP
from pipeline.engine.rng import choice, choices_of, count_of


@pytest.mark.parametrize("stride", [5, 13, 27])
def test_each_direction_leads_to_its_neighbour(stride: int) -> None:
    ways, cell = ways_of(stride), 2 * stride + 2
    steps = {direction: onward(cell, direction, ways) - cell for direction in (UP, DOWN, LEFT, RIGHT)}
    assert steps == {UP: stride, DOWN: -stride, LEFT: -1, RIGHT: 1}


@pytest.mark.parametrize("mask", range(16))
def test_choices_are_the_items_of_the_mask_in_order(mask: int) -> None:
    items = [item for item in range(4) if mask >> item & 1]
    choices = choices_of(mask)
    assert count_of(choices) == len(items)
    assert [choice(choices, index) for index in range(len(items))] == items
    assert items or choice(choices, 0) == 0
