"""The gate: error rates by simulation, order only by seed, a change without effect after four games."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_hill import elo_of_gain, pair_scores

from pipeline.evaluation.sequential import PAIR_DIFFERENCES, PENTANOMIAL
from pipeline.tuner.gate import (
    GateRules,
    GateTest,
    GateVerdict,
    SeedOutcome,
    concluded,
    decide,
    decide_by_mean,
    measured_gain,
    no_regression,
    outcomes_of,
    support_of,
)
from pipeline.tuner.jobs import GameResult

RULES = GateRules()


def played(seed: int, elo: float, rules: GateRules = RULES, number: int = 1) -> tuple[GateVerdict | None, int]:
    random, test = np.random.default_rng((20261129, seed)), GateTest(rules, number)
    while not test.decided:
        for score in pair_scores(elo, 32, random).tolist():
            test.add(SeedOutcome(score))
    decision = test.decision()
    return decision.verdict, decision.seeds


def test_one_test_of_an_equal_candidate_errs_no_oftener_than_its_share_of_alpha() -> None:
    """Of 400 first tests at alpha 0.2, spent as 0.0766, at most 0.0766 + 3 standard errors may pass."""
    rules = GateRules(alpha=0.2, better_gain=0.06)
    passed = sum(played(seed, 0.0, rules)[0] is GateVerdict.PROMOTED for seed in range(400))
    assert rules.alpha_of(1) == pytest.approx(0.0766, abs=1e-4)
    assert passed / 400 <= 0.0766 + 3 * (0.0766 * 0.9234 / 400) ** 0.5


def test_one_that_gains_what_should_be_found_is_found_nine_times_in_ten() -> None:
    elo = elo_of_gain(0.06)
    rules = GateRules(better_gain=0.06)
    passed = sum(played(seed, elo, rules)[0] is GateVerdict.PROMOTED for seed in range(200))
    assert passed / 200 >= 0.9 - 3 * (0.09 / 200) ** 0.5


def test_a_great_gain_costs_few_games_and_a_great_loss_fewer() -> None:
    assert played(1, 150.0) == (GateVerdict.PROMOTED, played(1, 150.0)[1])
    assert played(1, 150.0)[1] <= 160
    verdict, seeds = played(1, -150.0)
    assert verdict is GateVerdict.NOT_BETTER
    assert seeds <= 100


def test_the_run_spends_alpha_over_all_its_tests() -> None:
    """Sums towards alpha from below, and each further test gets less."""
    shares = [RULES.alpha_of(number) for number in range(1, 20_001)]
    assert shares == sorted(shares, reverse=True)
    assert 0.0485 < sum(shares) < 0.05


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(PENTANOMIAL), min_size=1, max_size=300), st.integers(1, 5), st.integers(0, 300))
def test_replayed_at_once_or_bit_by_bit_and_with_games_to_spare_the_decision_is_the_same(
    scores: list[float], number: int, cut: int
) -> None:
    rules = GateRules(better_gain=0.1)
    outcomes = [SeedOutcome(score) for score in scores]
    test = GateTest(rules, number)
    for outcome in outcomes:
        test.add(outcome)
    decision = decide(rules, number, outcomes)
    assert test.decision() == decision
    assert decide(rules, number, [*outcomes[: decision.seeds], *outcomes[:cut]]).seeds >= decision.seeds
    if decision.verdict is not None:
        assert decide(rules, number, [*outcomes[: decision.seeds], SeedOutcome(0.0), SeedOutcome(1.0)]) == decision


def test_no_verdict_within_the_limit_is_undecided() -> None:
    decision = decide(GateRules(max_seeds=50), 1, [SeedOutcome(0.5), SeedOutcome(0.75), SeedOutcome(0.25)] * 40)
    assert (decision.verdict, decision.seeds) == (GateVerdict.UNDECIDED, 50)


def game(seed: int, rotation: tuple[int, ...], scores: tuple[float, ...], transcript: str) -> GameResult:
    seats = len(rotation)
    blank = ("",) * seats
    return GameResult(seed, rotation, scores, 10, (3,) * seats, (0,) * seats, blank, blank, (1.0,) * seats, transcript)


def test_a_change_that_alters_no_move_is_named_after_four_games() -> None:
    games = [game(seed, rotation, (1.0, 0.0), f"of seed {seed}") for seed in (7, 8, 9) for rotation in ((0, 1), (1, 0))]
    decision = decide(RULES, 1, outcomes_of(games))
    assert decision.verdict is GateVerdict.NO_MOVE_CHANGED
    assert 2 * decision.seeds == 4


def test_one_other_move_is_enough_to_play_on() -> None:
    games = [game(7, (0, 1), (1.0, 0.0), "a"), game(7, (1, 0), (1.0, 0.0), "a")]
    games += [game(8, (0, 1), (1.0, 0.0), "a"), game(8, (1, 0), (1.0, 0.0), "b")]
    assert decide(RULES, 1, outcomes_of(games)).verdict is None


def test_in_a_four_snake_game_a_fair_share_is_par() -> None:
    line = [(0, 1, 1, 1), (1, 1, 1, 0), (1, 1, 0, 1), (1, 0, 1, 1)]
    shares = [(1.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 0.0)]
    games = [game(3, seats, scores, str(seats)) for seats, scores in zip(line, shares, strict=True)]
    (outcome,) = outcomes_of(games)
    assert outcome.against_par == pytest.approx(0.5)
    support = support_of([4])
    strong = decide(GateRules(better_gain=0.1), 1, [SeedOutcome(0.75), SeedOutcome(1.0)] * 60, support)
    assert strong.verdict is GateVerdict.PROMOTED
    assert decide(GateRules(better_gain=0.1), 1, [SeedOutcome(0.25), SeedOutcome(0.5)] * 60, support).verdict is (
        GateVerdict.NOT_BETTER
    )


def test_worse_against_one_snake_of_the_pool_turns_a_better_one_down() -> None:
    promoted = decide(RULES, 1, [SeedOutcome(1.0), SeedOutcome(0.75)] * 100)
    assert promoted.verdict is GateVerdict.PROMOTED
    random = np.random.default_rng(3)
    alike = [(float(a), float(b)) for a, b in random.choice([0.0, 0.5, 1.0], (200, 2))]
    worse = [(0.0, 1.0) if random.random() < 0.4 else (0.5, 0.5) for _ in range(200)]
    sound = no_regression(RULES, {"a": alike, "b": alike[::-1]})
    assert concluded(promoted, sound) is GateVerdict.PROMOTED
    found = no_regression(RULES, {"a": alike, "b": worse})
    assert [(look.opponent, look.worse) for look in found if look.opponent == "b"] == [("b", True)]
    assert concluded(promoted, found) is GateVerdict.REGRESSED


def test_the_pool_turns_a_candidate_as_good_as_the_champion_down_once_in_twenty() -> None:
    random, refused = np.random.default_rng(11), 0
    for _ in range(400):
        scores = {
            name: [tuple(pair) for pair in pair_scores(0.0, 120, random).reshape(60, 2).tolist()] for name in "abc"
        }
        refused += any(look.worse for look in no_regression(RULES, scores))
    assert refused / 400 <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


def test_the_measurement_covers_the_truth_and_is_not_hopeful() -> None:
    random, elo = np.random.default_rng(5), elo_of_gain(0.03)
    covered, total = 0, 0.0
    for _ in range(300):
        measured = measured_gain([SeedOutcome(score) for score in pair_scores(elo, 200, random).tolist()])
        assert measured is not None
        covered += measured.low <= 0.03 <= measured.high
        total += measured.gain
    assert covered / 300 >= 0.92
    assert abs(total / 300 - 0.03) < 0.005
    assert measured_gain([]) is None


def test_the_mean_rule_is_the_guides() -> None:
    slightly = [SeedOutcome(0.75)] + [SeedOutcome(0.5)] * 14
    assert decide_by_mean(RULES, 30, 0.001, slightly).verdict is GateVerdict.PROMOTED
    assert decide_by_mean(RULES, 30, 0.02, slightly).verdict is GateVerdict.NOT_BETTER
    assert decide_by_mean(RULES, 30, 0.001, slightly[:14]).verdict is None
    assert decide_by_mean(RULES, 29, 0.001, [*slightly, SeedOutcome(0.0)]).seeds == 15


def test_the_outcomes_that_seats_can_have() -> None:
    assert support_of([2, 2]) == PENTANOMIAL and support_of([2], paired=True) == PAIR_DIFFERENCES
    for seats in ([4], [2, 4]):
        assert support_of(seats)[::12] == (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
        assert support_of(seats, paired=True)[::24] == (-0.5, 0.0, 0.5, 1.0, 1.5)
        assert support_of(seats)[-1] == 1.25 and support_of(seats, paired=True)[-1] == 1.5


def test_a_decision_tells_its_mean_and_its_looks() -> None:
    undecided = decide(GateRules(beta=0.001), 1, [SeedOutcome(0.25), SeedOutcome(0.5)] * 96)
    assert undecided.gain == pytest.approx(-0.125)
    seeds = [seeds for seeds, _ in undecided.path]
    assert seeds == [*range(4, seeds[-1] + 1, 4)][: len(seeds)] and undecided.ratio == undecided.path[-1][1] < 0
    long = decide(
        GateRules(beta=1e-6, max_seeds=200), 1, ([SeedOutcome(0.5)] * 2 + [SeedOutcome(0.75), SeedOutcome(0.25)]) * 50
    )
    assert [seeds for seeds, _ in long.path] == [*range(4, 129, 4), *range(144, 200, 16), 200]
    nothing = decide_by_mean(RULES, 2, 0.0, [])
    assert (nothing.gain, nothing.ratio, nothing.seeds, nothing.verdict) == (0.0, 0.0, 0, None)


def test_a_comparison_and_a_measurement_by_hand() -> None:
    """Normal approximations with one loss more in the spread."""
    (alone,) = no_regression(RULES, {"a": [(0.0, 1.0)]})
    assert (alone.seeds, alone.difference, alone.p_value, alone.worse) == (1, -1.0, 1.0, False)
    (few,) = no_regression(RULES, {"a": [(0.0, 0.5), (0.5, 0.5), (0.0, 1.0)]})
    assert few.p_value == pytest.approx(NormalDist().cdf(-0.5 / ((0.5 + 1) / 2 / 3) ** 0.5))
    measured = measured_gain([SeedOutcome(1.25), SeedOutcome(0.25), SeedOutcome(0.75)])
    assert measured is not None and (measured.gain, measured.seeds) == (pytest.approx(0.25), 3)
    half = NormalDist().inv_cdf(0.975) * ((0.5 + 1) / 2 / 3) ** 0.5
    assert (measured.low, measured.high) == pytest.approx((0.25 - half, 0.25 + half))
    losses = measured_gain([SeedOutcome(-0.5), SeedOutcome(0.5)])  # against an opponent: all lost that the other won
    assert losses is not None and losses.gain == -0.5, "losses count as much as wins"
    in_duels = measured_gain([SeedOutcome(1.0), SeedOutcome(0.5)])
    assert in_duels is not None and in_duels.high <= 0.5 < measured.high, "a duel's score ends at 1"


@pytest.mark.parametrize("wrong", [{"better_gain": 0.0}, {"alpha": 0.0}, {"max_seeds": 0}, {"regression_alpha": 0.6}])
def test_rules_that_make_no_test_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        GateRules(**wrong)  # type: ignore[arg-type]
