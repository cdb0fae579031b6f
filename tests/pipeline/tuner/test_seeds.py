"""No two evaluations of a campaign share a seed."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tuner.jobs import Stage, pair_seeds

PLACES = st.tuples(st.sampled_from(list(Stage)), st.integers(0, 2**16 - 1), st.integers(0, 2**24 - 1))


@settings(deadline=None)
@given(st.integers(0, 2**63 - 1), st.lists(PLACES, unique=True, min_size=2, max_size=20))
def test_evaluations_never_meet(campaign: int, places: list[tuple[Stage, int, int]]) -> None:
    seeds = [seed for stage, epoch, serial in places for seed in pair_seeds(campaign, stage, epoch, serial, 30)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_scattering_is_a_bijection_so_the_promise_holds_everywhere() -> None:
    """Every step of it undone gives the number back, for numbers all over the 60 bits."""
    mask, key = (1 << 60) - 1, 123456789

    def undo_shift(number: int, shift: int) -> int:
        result = number
        for _ in range(60 // shift + 1):
            result = number ^ (result >> shift)
        return result & mask

    def undo(number: int) -> int:
        number = undo_shift(number ^ (key >> 3 & mask), 29)
        for multiplier in (0x94D049BB133111EB, 0xBF58476D1CE4E5B9):
            number = number * pow(multiplier, -1, 1 << 60) & mask
            number = undo_shift(number, 31)
        return number ^ ((key * 0x9E3779B97F4A7C15) & mask)

    for epoch, serial in ((0, 0), (1, 7), (2**16 - 1, 2**24 - 1), (40000, 3)):
        for pair, seed in enumerate(pair_seeds(key, Stage.GATE, epoch, serial, 50)):
            assert seed >> 60 == Stage.GATE
            assert undo(seed & mask) == (epoch << 24 | serial) << 20 | pair


def test_campaigns_differ_and_neighbours_lie_far_apart() -> None:
    one, other = (pair_seeds(seed, Stage.GATE, 1, 1, 100) for seed in (1, 2))
    assert not set(one) & set(other)
    assert min(abs(a - b) for a, b in itertools.pairwise(one)) > 2**32


@pytest.mark.parametrize(("epoch", "serial", "count"), [(2**16, 0, 1), (0, 2**24, 1), (0, 0, 2**20 + 1), (-1, 0, 1)])
def test_numbers_beyond_the_space_are_refused(epoch: int, serial: int, count: int) -> None:
    with pytest.raises(ValueError, match="beyond the seed space"):
        pair_seeds(1, Stage.GATE, epoch, serial, count)
