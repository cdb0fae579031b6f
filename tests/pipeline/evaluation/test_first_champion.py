"""A first champion has to beat the floor: by real games of players whose strength is known."""

from datetime import UTC, datetime

import pytest

from pipeline.evaluation.promotion import TrialPlan, decide_first_champion
from pipeline.simulator.competitor import Competitor, heuristic
from schemas.model import EvaluationResult
from schemas.promotion import FirstModel, PromotionOutcome
from schemas.training import TournamentConfig

MEASURED = EvaluationResult(
    model_id="m", model_name="m", evaluated_at=datetime(2026, 11, 29, tzinfo=UTC), opponent="heuristic:strong",
    snakes=2, games=10, wins=1, draws=0, losses=9, win_rate=0.1, low=0.0, high=0.4, seed=1, conditions="c", how="h",
)  # fmt: skip
CONFIG = TournamentConfig(max_promotion_games=512, minimum_improvement=0.05)


def decide(challenger: str, floor: Competitor | None) -> FirstModel:
    return decide_first_champion(heuristic(challenger), floor, MEASURED, TrialPlan(CONFIG, 1, 5))


def test_the_default_floor_is_voronoi() -> None:
    assert TournamentConfig().first_champion_floor == "voronoi"


def test_who_beats_the_floor_is_taken_with_the_games_as_evidence() -> None:
    decision = decide("strong", heuristic("voronoi"))
    assert decision.promoted and decision.outcome is PromotionOutcome.PROMOTED
    assert decision.floor == "heuristic:voronoi"
    assert decision.duels is not None
    assert decision.duels.log_likelihood_ratio >= decision.duels.upper
    assert decision.games == decision.duels.score.games == 2 * sum(decision.duels.pair_counts) > 0
    assert decision.duels.score.low is not None and decision.duels.score.low > 0.5
    assert "duels with heuristic:voronoi" in decision.reason
    assert decision == decide("strong", heuristic("voronoi")), "all follows from the seed"


@pytest.mark.parametrize("challenger", ["random", "voronoi"])
def test_who_does_not_is_turned_down_with_the_reason(challenger: str) -> None:
    decision = decide(challenger, heuristic("voronoi"))
    assert not decision.promoted
    assert decision.outcome in (PromotionOutcome.NOT_BETTER, PromotionOutcome.UNDECIDED)
    assert "no champion; not " in decision.reason and "duels with heuristic:voronoi" in decision.reason


def test_without_a_floor_whoever_comes_is_taken_and_the_record_says_so() -> None:
    decision = decide("random", None)
    assert decision.promoted and decision.floor is None and decision.duels is None
    assert "no floor" in decision.reason
