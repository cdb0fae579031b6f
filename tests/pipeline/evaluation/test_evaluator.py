"""The evaluator: what it measures is kept, told again, and never made up."""

import math
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.engine.planes import ENCODER_ID
from pipeline.evaluation.evaluator import ModelPerformanceEvaluator, judge_production
from pipeline.evaluation.measurement import AnalysedGame
from pipeline.registry.model_store import ModelStore
from pipeline.simulator.competitor import Competitor, from_policy
from schemas.errors import EvaluationError, ModelError, StoppedError
from schemas.model import ByHand, EvaluationResult, ModelCard, ModelDraft
from schemas.network import NeuralNetworkConfig
from schemas.settings import Settings

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path, empty_database: Path) -> Settings:
    (tmp_path / "state").mkdir()
    shutil.copyfile(empty_database, tmp_path / "state" / "automation_tracking.db")
    return Settings(home=tmp_path / "state")


@pytest.fixture
def model(settings: Settings) -> ModelCard:
    """A registered model; how it plays is the test's business."""
    draft = ModelDraft(name="first", architecture="CNN_Simple", training_phase="bootstrap",
                       network=NeuralNetworkConfig(conv_channels=8, conv_blocks=1), encoder_id=ENCODER_ID,
                       created_at=NOW)  # fmt: skip
    return ModelStore(settings).put(draft, {"w": np.ones(3, np.float32)})


@pytest.fixture
def evaluator(settings: Settings, eater: Any) -> ModelPerformanceEvaluator:
    """Every registered model plays as the eater does."""

    def player_of(model_id: str) -> Competitor:
        policy = type(eater)()
        policy.name = f"model:{model_id}"
        return from_policy(policy)

    return ModelPerformanceEvaluator(settings, now=lambda: NOW, player_of=player_of)


def test_without_a_champion_it_says_so(evaluator: ModelPerformanceEvaluator) -> None:
    with pytest.raises(ModelError, match="no champion yet"):
        evaluator.get_champion_performance()
    assert evaluator.get_evaluation_history() == []


def test_a_measurement_is_kept_and_told_again(
    evaluator: ModelPerformanceEvaluator, settings: Settings, model: ModelCard
) -> None:
    duel, crowd = evaluator.evaluate(model.id, games=20, seed=5)
    assert (duel.model_id, duel.model_name, duel.opponent, duel.snakes) == (model.id, "first", "heuristic:strong", 2)
    assert duel.games == duel.wins + duel.draws + duel.losses == 20
    assert duel.win_rate == pytest.approx((duel.wins + duel.draws / 2) / 20)
    assert duel.low <= duel.win_rate <= duel.high
    assert (duel.seed, duel.evaluated_at) == (5, NOW)
    assert crowd.snakes == 4
    assert crowd.strategic_score is crowd.elo is None
    assert "territory_share/heuristic:strong/4" in crowd.metrics
    assert "symmetry_agreement" in duel.metrics
    assert evaluator.get_evaluation_history() == [duel, crowd]
    assert evaluator.get_evaluation_history("another") == []

    ModelStore(settings).promote(model.id, ByHand(asked_by="test"), NOW)
    told = evaluator.get_champion_performance()
    assert (told["win_rate"], told["win_rate_games"], told["win_rate_seed"]) == (duel.win_rate, 20, 5)
    assert told["strategic_score"] == duel.strategic_score
    assert told["production_ready"] is False
    assert math.isnan(told["inference_time_ms"])
    assert any("inference_time_ms was never measured" in reason for reason in told["production_reasons"])


def test_the_same_seed_gives_the_same_numbers(evaluator: ModelPerformanceEvaluator, model: ModelCard) -> None:
    one = evaluator.evaluate(model.id, games=12, seed=9, seats=(2,))
    two = evaluator.evaluate(model.id, games=12, seed=9, seats=(2,))
    assert one == two
    other = evaluator.evaluate(model.id, games=12, seed=10, seats=(2,))
    assert other[0].metrics != one[0].metrics


def test_a_seed_that_nobody_gave_is_drawn_and_told(evaluator: ModelPerformanceEvaluator, model: ModelCard) -> None:
    seeds = {evaluator.evaluate(model.id, games=2, seats=(2,))[0].seed for _ in range(3)}
    assert len(seeds) == 3


def test_production_is_judged_by_what_was_measured(
    evaluator: ModelPerformanceEvaluator, settings: Settings, model: ModelCard
) -> None:
    model_store, metrics = ModelStore(settings), {"decisions": 100, "server": "rust"}
    rate = {"model_id": model.id, "model_name": "first", "evaluated_at": NOW, "opponent": "heuristic:strong",
            "snakes": 2, "games": 100, "draws": 0, "seed": 1, "conditions": "as ever", "how": "by hand"}  # fmt: skip
    model_store.add_evaluation(EvaluationResult(**rate, wins=70, losses=30, win_rate=0.7, low=0.6, high=0.78))
    model_store.promote(model.id, ByHand(asked_by="test"), NOW)
    evaluator.note_production_check(model.id, metrics | {"inference_time_ms": 2.5, "memory_usage_mb": 30.0})
    told = evaluator.get_champion_performance()
    assert (told["production_ready"], told["production_reasons"]) == (True, [])
    assert (told["inference_time_ms"], told["memory_usage_mb"]) == (2.5, 30.0)
    evaluator.note_production_check(model.id, metrics | {"inference_time_ms": 12.5, "memory_usage_mb": 30.0})
    ready, reasons = judge_production(model_store.card(model.id), settings.tournament)
    assert not ready
    assert reasons == ["inference_time_ms is 12.50, more than 10 (100 decisions of a rust server, batch 1)"]


def test_custom_analyses_see_the_games_and_join_the_metrics(
    evaluator: ModelPerformanceEvaluator, model: ModelCard
) -> None:
    seen: list[AnalysedGame] = []

    def last_boards(games: list[AnalysedGame]) -> dict[str, float]:
        seen.extend(games)
        return {"mean_turns": float(np.mean([game.turns for game in games]))}

    evaluator.register_custom_analysis_function(last_boards)
    (duel,) = evaluator.evaluate(model.id, games=6, seed=2, seats=(2,))
    assert duel.metrics["mean_turns"] == duel.metrics["average_turns"]
    assert sum(game.won for game in seen) == duel.wins
    assert [game.players[game.seat] for game in seen] == [f"model:{model.id}"] * 6
    assert {game.seat for game in seen} == {0, 1}
    for game in seen:
        *_, last = game.states()
        assert last["turn"] == game.turns


@pytest.mark.parametrize(
    "function", [lambda games: 3.0, lambda games: {"x": math.nan}, lambda games: {"territory_share": 1.0}]
)
def test_a_custom_analysis_without_numbers_is_refused(
    evaluator: ModelPerformanceEvaluator, model: ModelCard, function: Callable[..., Any]
) -> None:
    evaluator.register_custom_analysis_function(function)
    with pytest.raises(EvaluationError, match="lambda"):
        evaluator.evaluate(model.id, games=2, seats=(2,))
    assert evaluator.get_evaluation_history() == []


def test_two_are_compared(evaluator: ModelPerformanceEvaluator, model: ModelCard) -> None:
    result = evaluator.compare_models(f"model:{model.id}", "heuristic:random", 20, seed=4)
    assert result.seed == 4
    assert result.pairings[0].games == 20
    assert result.pairings[0].score > 0.7
    assert evaluator.get_evaluation_history() == []


def test_a_network_from_the_registry_plays(settings: Settings) -> None:
    torch = pytest.importorskip("torch")
    from pipeline.evolution.model_registry import ModelRegistry
    from pipeline.evolution.networks import build_network
    from pipeline.evolution.policy import TorchPolicy

    torch.set_num_threads(1)
    torch.manual_seed(1)
    network = build_network(NeuralNetworkConfig(conv_channels=8, conv_blocks=1))
    registry = ModelRegistry(settings)
    model_id = registry.register_model(network, {"name": "net"})

    def player_of(wanted: str) -> Competitor:
        return from_policy(TorchPolicy(registry.get_model(wanted)[0], f"model:{wanted}"))

    evaluator = ModelPerformanceEvaluator(settings, player_of=player_of)
    (duel,) = evaluator.evaluate(model_id, opponents=["heuristic:random"], games=4, seed=1, seats=(2,))
    assert (duel.model_id, duel.model_name, duel.games) == (model_id, "net", 4)
    assert duel.strategic_score is None
    assert "strategic_score/heuristic:random/2" in duel.metrics


def test_unknown_players_are_named(evaluator: ModelPerformanceEvaluator, settings: Settings) -> None:
    with pytest.raises(KeyError, match="known are random"):
        evaluator.compare_models("heuristic:none", "heuristic:random")
    with pytest.raises(ModelError, match="player_of"):
        ModelPerformanceEvaluator(settings).evaluate("nobody")


def test_stopping_keeps_nothing_half_done(evaluator: ModelPerformanceEvaluator, model: ModelCard) -> None:
    with pytest.raises(StoppedError):
        evaluator.evaluate(model.id, games=4, stop=lambda: True)
    assert evaluator.get_evaluation_history() == []
