"""Seeds of a run's parts follow from its one seed and their names."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.phases.context import seed_for

NAMES = st.lists(st.one_of(st.integers(), st.sampled_from(["bootstrap", "hybrid", "round"])), max_size=3)


@given(st.integers(0, 2**63 - 1), NAMES)
def test_a_seed_is_a_seed_and_always_the_same(seed, names):
    assert 0 <= seed_for(seed, *names) < 2**63
    assert seed_for(seed, *names) == seed_for(seed, *names)
    assert seed_for(seed, *names) != seed_for(seed, *names, "x")
    assert seed_for(seed, *names) != seed_for(seed + 1, *names)


def test_a_run_of_before_is_repeated_by_todays_code():
    assert seed_for(7, "bootstrap", "games", 0) == 6170093650518131801
