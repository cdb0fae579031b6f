"""The tree against plain sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.sum_tree import SumTree

weights = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.data())
def test_a_point_finds_the_slot_into_whose_stretch_it_falls(size: int, data: st.DataObject) -> None:
    tree, plain = SumTree(size), np.zeros(size)
    for _ in range(data.draw(st.integers(1, 4))):
        slots = np.array(data.draw(st.lists(st.integers(0, size - 1), max_size=10)), np.int64)
        values = np.array(data.draw(st.lists(weights, min_size=len(slots), max_size=len(slots))))
        tree.put(slots, values)
        for slot, value in zip(slots, values, strict=True):
            plain[slot] = value
    assert (tree.weights == plain).all()
    assert tree.total == pytest.approx(plain.sum())
    if plain.sum() == 0:
        with pytest.raises(ValueError, match="nothing to draw"):
            tree.find(np.zeros(1))
        return
    points = np.array(data.draw(st.lists(st.floats(0, 1, exclude_max=True), max_size=20))) * tree.total
    found = tree.find(points)
    assert (plain[found] > 0).all()
    ends = np.cumsum(plain)
    slack = 1e-9 * tree.total
    assert (points <= ends[found] + slack).all()
    assert (points >= ends[found] - plain[found] - slack).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(weights, min_size=1, max_size=50))
def test_a_filled_tree_is_the_one_that_was_put_together(values: list[float]) -> None:
    put, filled = SumTree(len(values)), SumTree(len(values))
    for slot in reversed(range(len(values))):
        put.put(np.array([slot]), np.array([values[slot]]))
    filled.fill(np.array(values))
    assert put.total == filled.total
    points = np.linspace(0, 1, 33)[:-1] * put.total
    if put.total > 0:
        assert (put.find(points) == filled.find(points)).all()


@pytest.mark.parametrize(("slot", "value", "error"), [(-1, 1.0, IndexError), (4, 1.0, IndexError)])
def test_slots_that_are_none_are_refused(slot: int, value: float, error: type[Exception]) -> None:
    with pytest.raises(error):
        SumTree(4).put(np.array([slot]), np.array([value]))


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_weights_that_are_none_are_refused(value: float) -> None:
    tree = SumTree(4)
    with pytest.raises(ValueError, match="finite"):
        tree.put(np.array([1]), np.array([value]))
    assert tree.total == 0
