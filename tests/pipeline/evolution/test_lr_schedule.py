"""The learning rate's stage."""

import pytest

from pipeline.evolution.fit_progress import LAST_SHARE, WARM_UP_STEPS, LrSchedule


def test_it_rises_straight_and_falls_as_a_cosine() -> None:
    pace = LrSchedule(peak=2.0, planned=1000)
    assert [pace.rate(step) for step in (0, 24, 49)] == pytest.approx([0.04, 1.0, 2.0])
    assert pace.rate(525) == pytest.approx(2.0 * (1 + LAST_SHARE) / 2)
    assert pace.rate(1000) == pytest.approx(2.0 * LAST_SHARE) == pytest.approx(pace.rate(5000))
    rates = [pace.rate(step) for step in range(50, 1001)]
    assert rates == sorted(rates, reverse=True)


def test_a_long_run_does_not_rise_for_long() -> None:
    pace = LrSchedule(peak=1.0, planned=1_000_000)
    assert pace.rate(WARM_UP_STEPS - 1) == pytest.approx(1.0)
    assert pace.rate(WARM_UP_STEPS - 2) < 1.0


def test_setbacks_scale_all_of_it() -> None:
    whole, half = LrSchedule(1.0, 100), LrSchedule(1.0, 100, scale=0.5)
    assert [half.rate(step) * 2 for step in range(120)] == pytest.approx([whole.rate(step) for step in range(120)])


def test_a_run_of_one_step_has_a_rate() -> None:
    assert LrSchedule(1.0, 1).rate(0) == 1.0


def test_the_clock_says_how_many_steps_there_will_be() -> None:
    pace = LrSchedule(1.0, 10_000)
    assert pace.for_clock(steps=100, elapsed_s=10, budget_s=50, most=10_000, begun=0).planned == 500
    assert pace.for_clock(steps=100, elapsed_s=10, budget_s=50, most=300, begun=0).planned == 300
    assert pace.for_clock(steps=300, elapsed_s=10, budget_s=50, most=10_000, begun=200).planned == 700
    assert pace.for_clock(steps=300, elapsed_s=60, budget_s=50, most=10_000, begun=200).planned == 300
    assert pace.for_clock(steps=200, elapsed_s=60, budget_s=50, most=10_000, begun=200) == pace
