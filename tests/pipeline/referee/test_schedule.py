"""Seeds and seats."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.referee.schedule import game_seed, paired_schedule


def test_two_snakes_sit_both_ways():
    schedule = paired_schedule(2, 5)
    assert [(spec.pair, spec.seats) for spec in schedule] == [(0, (0, 1)), (0, (1, 0)), (1, (0, 1)), (1, (1, 0))]
    assert schedule[0].seed == schedule[1].seed != schedule[2].seed == schedule[3].seed


def test_one_against_three_of_another():
    assert [spec.seats for spec in paired_schedule(1, 5, (0, 1, 1, 1))] == [
        (0, 1, 1, 1),
        (1, 1, 1, 0),
        (1, 1, 0, 1),
        (1, 0, 1, 1),
    ]


def test_a_repeated_rotation_is_played_once():
    assert [spec.seats for spec in paired_schedule(1, 5, (0, 1, 0, 1))] == [(0, 1, 0, 1), (1, 0, 1, 0)]


@given(st.integers(0, 2**64), st.integers(0, 10**6))
def test_seeds_are_reproducible_positive_and_fit_the_engine(seed, number):
    value = game_seed(seed, number)
    assert value == game_seed(seed, number)
    assert 1 <= value < 2**63


def test_seeds_differ_between_streams_and_numbers():
    values = {game_seed(seed, number) for seed in range(50) for number in range(200)}
    assert len(values) == 50 * 200


GOLDEN = (7141254518572822444, "ab624e40-bc81-4875-a511-e33db493b008", "a21c5cd3-5068-4061-b246-2149de02049a")


def test_ids_are_fixed():
    # Golden: a stored seed must give the same game for ever, and ids are part of what a snake may hash.
    spec = paired_schedule(1, 2026)[1]
    assert (spec.seed, spec.game_id, spec.snake_id(0)) == GOLDEN
