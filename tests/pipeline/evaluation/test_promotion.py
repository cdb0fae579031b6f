"""Promotion: error rates by simulated outcomes through the same code, and real games end to end."""

import itertools
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from pipeline.evaluation.promotion import (
    ChallengerTest,
    TrialPlan,
    _stage_seed,
    alpha_of,
    decide_promotion,
    hypotheses_of,
    sequential_duels,
)
from pipeline.evaluation.sequential import Verdict
from pipeline.simulator.competitor import Competitor, heuristic
from schemas.errors import SettingsError, StoppedError
from schemas.promotion import PromotionDecision, PromotionOutcome
from schemas.training import TournamentConfig

STEPS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
EVEN = np.array([0.2, 0.05, 0.5, 0.05, 0.2])
"""Chances of a pair's scores between equals; one board favours a seat, and some games are drawn."""


def better_by(gain: float) -> np.ndarray:
    """The same with a mean higher by `gain`: losses turned into wins."""
    chances = EVEN.copy()
    chances[[0, 4]] += [-gain, gain]
    return chances


def passes(chance: np.random.Generator, config: TournamentConfig, number: int, chances: np.ndarray) -> bool:
    """Whether a simulated challenger comes through the sequential test."""
    test, scores = sequential_duels(
        lambda first, end: chance.choice(STEPS, end - first, p=chances),
        hypotheses_of(config, number),
        config.max_promotion_games // 2,
    )
    assert sum(test.counts) == len(scores) <= config.max_promotion_games // 2
    return test.verdict is Verdict.BETTER


def test_the_error_rate_is_spent_over_all_challengers() -> None:
    shares = [alpha_of(number, 0.05) for number in range(1, 20_000)]
    assert sum(shares) < 0.05
    assert sum(shares) > 0.0495
    assert all(earlier > later for earlier, later in itertools.pairwise(shares))


def test_useless_challengers_pass_at_most_at_the_stated_rate() -> None:
    """Runs of four equal challengers each: that any of them passes may happen in 20 % of the runs, and no more."""
    chance, runs = np.random.default_rng(11), 250
    config = TournamentConfig(promotion_alpha=0.2, minimum_improvement=0.06, max_promotion_games=900)
    fooled = sum(any(passes(chance, config, number, EVEN) for number in range(1, 5)) for _ in range(runs))
    assert binomtest(fooled, runs, 0.2, alternative="greater").pvalue > 0.01
    assert fooled > runs * 0.02, "a test that never errs could not find anything either"


def test_a_better_challenger_passes_about_as_often_as_stated() -> None:
    chance, runs = np.random.default_rng(12), 200
    config = TournamentConfig(minimum_improvement=0.08, promotion_beta=0.1, max_promotion_games=4000)
    found = sum(passes(chance, config, 1, better_by(0.08)) for _ in range(runs))
    assert binomtest(found, runs, 0.9, alternative="less").pvalue > 0.01


def test_no_test_finds_no_improvement() -> None:
    with pytest.raises(SettingsError, match="minimum_improvement"):
        hypotheses_of(TournamentConfig(minimum_improvement=0), 1)


def simulated(rates: dict[tuple[str, str], float], seen: list[Any]) -> Any:
    """A duel whose pairs have the given mean; remembers who met on which seeds."""

    def duel(first: Competitor, second: Competitor, seeds: np.ndarray) -> np.ndarray:
        seen.append((first.name, second.name, set(seeds.tolist())))
        chance = np.random.default_rng(abs(int(seeds[0])) % 2**32)
        return np.asarray((chance.random((len(seeds), 2)) < rates[first.name, second.name]).mean(1))

    return duel


NEW, OLD, POOL = heuristic("strong"), heuristic("voronoi"), [heuristic("hungry"), heuristic("aggressive")]


def decided(against_hungry: float, seen: list[Any]) -> PromotionDecision:
    rates = {(NEW.name, OLD.name): 0.7, (NEW.name, POOL[0].name): against_hungry}
    rates |= {(NEW.name, POOL[1].name): 0.8, (OLD.name, POOL[0].name): 0.8, (OLD.name, POOL[1].name): 0.8}
    trial = ChallengerTest(NEW, OLD, TrialPlan(TournamentConfig(), 3, 5), simulated(rates, seen))
    return trial.decide([*POOL, OLD], "simulated")


def test_who_beats_the_champion_but_is_worse_elsewhere_is_turned_down() -> None:
    decision = decided(0.5, [])
    assert (decision.promoted, decision.outcome) == (False, PromotionOutcome.REGRESSED)
    assert "worse than it against heuristic:hungry" in decision.reason
    assert [row.worse for row in decision.pool[:2]] == [True, False]
    assert decision.remeasured is None


def test_a_promotion_holds_its_evidence_and_is_measured_on_fresh_games() -> None:
    seen: list[Any] = []
    decision = decided(0.8, seen)
    assert decision.promoted
    assert decision.duels.alpha == alpha_of(3, 0.05)
    assert decision.duels.log_likelihood_ratio >= decision.duels.upper
    assert [row.opponent for row in decision.pool] == ["heuristic:hungry", "heuristic:aggressive", "all of them"]
    assert [row.challenger.games for row in decision.pool] == [200, 200, 400]
    assert decision.pool_level == pytest.approx(0.05 / 3), "shared by two opponents and all of them"
    assert decision.remeasured is not None
    assert decision.remeasured.games == 1000
    assert decision.remeasured.low < 0.7 < decision.remeasured.high
    assert decision.games == sum(2 * len(seeds) for _, _, seeds in seen)
    assert decision == PromotionDecision.model_validate_json(decision.model_dump_json())
    before, last = set().union(*(seeds for _, _, seeds in seen[:-1])), seen[-1]
    assert last[:2] == (NEW.name, OLD.name)
    assert not before & last[2], "a game that helped to decide must not measure"


def test_one_opponent_is_one_comparison_and_has_the_whole_level() -> None:
    rates = {(NEW.name, OLD.name): 0.7, (NEW.name, POOL[0].name): 0.8, (OLD.name, POOL[0].name): 0.8}
    trial = ChallengerTest(NEW, OLD, TrialPlan(TournamentConfig(games_per_matchup=21), 1, 5), simulated(rates, []))
    decision = trial.decide(POOL[:1], "simulated")
    assert [row.challenger.games for row in decision.pool] == [22], "pairs, no fewer games than asked for"
    assert decision.pool_level == 0.05


def test_the_games_of_a_decision_are_those_of_its_seed_in_every_version() -> None:
    found = [_stage_seed(5, stage) for stage in range(3)]
    assert found == [6315739163131927091, 8998383282213416150, 2080082186671054586]


def test_real_games_decide() -> None:
    config = TournamentConfig(max_promotion_games=200, games_per_matchup=20, remeasure_games=20)
    lines: list[str] = []
    decision = decide_promotion(NEW, heuristic("hungry"), POOL, TrialPlan(config, 1, 7, report=lines.append))
    assert decision.outcome is PromotionOutcome.PROMOTED
    assert [row.opponent for row in decision.pool] == ["heuristic:aggressive"]
    assert len(lines) == 3
    again = decide_promotion(NEW, heuristic("hungry"), POOL, TrialPlan(config, 1, 7))
    assert again == decision
    worse = decide_promotion(heuristic("random"), heuristic("hungry"), POOL, TrialPlan(config, 1, 7))
    assert worse.outcome is PromotionOutcome.NOT_BETTER
    assert worse.pool == []
    assert worse.games == worse.duels.score.games


def test_too_few_games_decide_nothing() -> None:
    config = TournamentConfig(max_promotion_games=20, minimum_improvement=0.01)
    decision = decide_promotion(NEW, NEW, [], TrialPlan(config, 1, 1))
    assert decision.outcome is PromotionOutcome.UNDECIDED
    assert decision.games == 20


def test_stopping_is_an_error_not_a_verdict() -> None:
    with pytest.raises(StoppedError):
        decide_promotion(NEW, OLD, [], TrialPlan(TournamentConfig(), 1, 1, stop=lambda: True))
