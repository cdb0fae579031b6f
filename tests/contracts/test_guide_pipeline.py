"""The operations guide's snippets on the pipeline, with only their imports and paths changed.

Numbers of games are cut down through the settings file, or in the call where the guide writes one (marked `guide:`):
what is tested is that each line runs and means what it says, not how strong a network becomes.
"""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from pipeline import (
    BattlesnakeDataCollector,
    ExperienceReplayBuffer,
    ModelEvolutionSystem,
    ModelPerformanceEvaluator,
    ModelRegistry,
    PerformanceBenchmark,
    SelfPlayDataManager,
    SelfPlayTrainingPipeline,
    TrainingConfiguration,
    load_champion_model,
)
from schemas import NeuralNetworkConfig, PipelineStatus, TrainingPhaseConfig, get_config

pytestmark = pytest.mark.timeout(1500)

TINY = {
    "neural_network": {
        "architecture_type": "CNN_Attention_Residual", "conv_channels": 8, "conv_blocks": 1, "hidden_layers": [16],
        "attention_heads": 1, "dropout_rate": 0.0, "ground_steps": 0,  # which make an export four times as long
    },
    "training_phases": {
        "bootstrap": {"games_required": 24, "max_epochs": 1, "batch_size": 128},
        "hybrid": {
            "games_required": 16, "max_epochs": 1, "batch_size": 128, "data_source": "mixed",
            "heuristic_mix_ratio": 0.7, "heuristic_mix_ratio_end": 0.3,
        },
        "self_play": {"games_required": 16, "max_epochs": 2, "batch_size": 64, "data_source": "self_play"},
        "continuous": {"games_required": 16, "max_epochs": 1, "batch_size": 64, "data_source": "continuous"},
    },
    "self_play": {"environments": 8, "rollout_turns": 8, "update_epochs": 1, "turn_limit": 60, "updates_per_cycle": 2},
    "tournament": {
        "games_per_matchup": 8, "max_promotion_games": 16, "remeasure_games": 8, "max_memory_mb": 4000,
        "max_inference_time_ms": 1000, "first_champion_floor": None,
    },
    "training_optimization": {"threads": 1},
    "data": {"max_positions": 1000},
}  # fmt: skip


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUROBOROS_HOME", "automation")
    (tmp_path / "automation").mkdir()
    (tmp_path / "automation" / "settings.json").write_text(json.dumps(TINY))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One state folder in which a run of bootstrap, hybrid and self-play has ended."""
    home = tmp_path_factory.mktemp("trained")
    (home / "automation").mkdir()
    (home / "automation" / "settings.json").write_text(json.dumps(TINY))
    code = """
from pipeline import SelfPlayTrainingPipeline, TrainingConfiguration

# Basic training configuration
config = TrainingConfiguration(
    target_phases=["bootstrap", "hybrid", "self_play"],
    continuous_learning_enabled=True,
    max_training_time_hours=6
)

# Initialize and run pipeline
pipeline = SelfPlayTrainingPipeline()
success = pipeline.run_complete_pipeline(config)
print(f"Training {'completed' if success else 'failed'}")

# Monitor progress
status = pipeline.get_pipeline_status()
print(f"Status: {status.status}")
print(f"Phase: {status.current_phase}")
print(f"Models Trained: {status.total_models_trained}")
print(f"Best Win Rate: {status.best_win_rate*100:.1f}%")
"""
    told = subprocess.run([sys.executable, "-c", code], cwd=home, capture_output=True, text=True, check=True)
    assert "Training completed" in told.stdout
    assert "Status: completed" in told.stdout
    assert "Models Trained: 3" in told.stdout
    return home


@pytest.fixture
def in_trained(trained, monkeypatch):
    monkeypatch.chdir(trained)
    monkeypatch.setenv("OUROBOROS_HOME", "automation")
    return trained


def test_settings_are_saved_by_the_guides_one_liner():
    code = "from schemas import get_config; get_config().save_to_file('my_config.json')"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert json.loads(Path("my_config.json").read_text())["neural_network"]["conv_channels"] == 8


def test_configurations():
    high = NeuralNetworkConfig(
        architecture_type="CNN_Attention_Residual",
        input_channels=12,  # 12-channel board encoding
        hidden_layers=[512, 256, 128],
        attention_heads=8,
        residual_connections=True,
        dropout_rate=0.1,
        batch_norm=True,
    )
    lightweight_config = NeuralNetworkConfig(
        architecture_type="CNN_Simple", hidden_layers=[256, 128], attention_heads=4, dropout_rate=0.2
    )
    assert (high.hidden_layers[0], lightweight_config.attention_heads) == (512, 4)

    config = get_config()
    config.training_phases["bootstrap"].batch_size = 32
    config.neural_network.hidden_layers = [256, 128]
    config.training_phases["bootstrap"].gradient_accumulation_steps = 4
    config.neural_network.use_multi_gpu = True
    config.training_optimization.use_mixed_precision = True
    assert config.training_phases["bootstrap"].batch_size == 32


def test_monitoring_of_a_run_that_ended(in_trained):
    pipeline = SelfPlayTrainingPipeline()
    assert pipeline.get_pipeline_status().status == PipelineStatus.COMPLETED
    status = pipeline.get_pipeline_status()
    assert status.progress_percentage == 100
    assert status.best_win_rate_games > 0
    assert status.champion_model
    pipeline.start_monitoring()
    pipeline.stop_monitoring()
    pipeline.emergency_stop()
    assert not pipeline.is_training()
    pipeline.enable_debug_mode()
    torch.autograd.set_detect_anomaly(False)


def test_performance_metrics(in_trained):
    evaluator = ModelPerformanceEvaluator()
    champion_metrics = evaluator.get_champion_performance()
    print(f"Champion Win Rate: {champion_metrics['win_rate'] * 100:.1f}%")
    print(f"Strategic Score: {champion_metrics['strategic_score']:.1f}")
    print(f"Production Ready: {champion_metrics['production_ready']}")
    assert champion_metrics["win_rate_games"] > 0

    history = evaluator.get_evaluation_history()
    assert history
    for eval_result in history[-5:]:  # Last 5 evaluations
        print(f"Model: {eval_result.model_name}, Win Rate: {eval_result.win_rate:.3f}")
        assert eval_result.games > 0

    def custom_strategic_analysis(game_results):
        """Custom strategic analysis for game results"""
        return {"my_games": float(len(game_results))}

    evaluator.register_custom_analysis_function(custom_strategic_analysis)


def test_game_data():
    data_manager = SelfPlayDataManager()
    heuristic_data = data_manager.collect_heuristic_supervision_data(
        target_games=40,  # guide: 10000
        parallel_processes=2,  # guide: 8
    )
    assert len(heuristic_data) == 40
    stats = data_manager.get_data_statistics()
    print(f"Total Games: {stats['total_games']}")
    print(f"Training Samples: {stats['total_samples']}")
    print(f"Data Quality Score: {stats['average_quality_score']:.2f}")
    assert stats["total_games"] == 40
    quality_stats = data_manager.get_data_quality_analysis()
    print(f"Average game length: {quality_stats['avg_game_length']}")
    print(f"Strategic diversity: {quality_stats['strategy_diversity']}")

    class CustomDataSource:
        asked = 0

        def collect_game_data(self, num_games):
            self.asked = num_games
            return []

    source = CustomDataSource()
    data_manager.add_data_source(source)

    data_collector = BattlesnakeDataCollector()
    collected_games = data_collector.collect_batch_games(
        num_games=20,  # guide: 10000
        game_config={"width": 11, "height": 11, "timeout": 500},
    )
    data_manager.import_external_games(collected_games)
    assert data_manager.get_data_statistics()["total_games"] == 60


def test_self_play_data(in_trained):
    evolution = ModelEvolutionSystem()
    data_manager = evolution.data_manager
    self_play_data = data_manager.collect_self_play_data(
        model_pairs=[("champion", "heuristic:voronoi")],  # guide: ("champion", "challenger")
        games_per_pair=4,  # guide: 1000
        parallel_processes=1,  # guide: 12
    )
    assert len(self_play_data) >= 4


def test_replay_buffer(in_trained):
    buffer = ExperienceReplayBuffer(
        max_size=100000,  # 100k experiences
        quality_threshold=0.6,  # Keep only high-quality experiences
        prioritized_sampling=True,
    )
    assert len(buffer) == 0


def test_evolution_and_registry(in_trained):
    evolution = ModelEvolutionSystem()
    bootstrap_model = evolution.bootstrap_training_phase(
        target_games=24,  # guide: 5000
        training_epochs=1,  # guide: 20
    )
    hybrid_model = evolution.hybrid_training_phase(
        base_model=bootstrap_model,
        heuristic_ratio=0.3,  # 30% heuristic, 70% neural
        training_epochs=1,  # guide: 30
    )
    champion_model = evolution.registry.get_model(evolution.get_evolution_status()["champion"])[0]
    tournament_results = evolution.run_model_tournament(
        models={"champion": champion_model, "challenger": hybrid_model},
        games_per_matchup=8,  # guide: 200
    )
    assert {row.name for row in tournament_results.standings} == {"champion", "challenger"}
    tournament_results = evolution.run_manual_tournament(
        models={"model_a": bootstrap_model, "model_b": hybrid_model},
        games=8,  # guide: 100
        verbose=True,
    )

    registry = ModelRegistry()
    model_id = registry.register_model(
        model=hybrid_model,
        model_info={
            "name": "advanced_v2.1",
            "architecture": "CNN_Attention_Residual",
            "training_phase": "self_play",
            "performance_metrics": {"win_rate": 0.73, "strategic_score": 87.5, "inference_time_ms": 4.2},
        },
    )
    model, _info = registry.get_model(model_id)
    assert all(
        torch.equal(a, b) for a, b in zip(model.state_dict().values(), hybrid_model.state_dict().values(), strict=True)
    )
    models = registry.list_models()
    for model_info in models:
        print(f"Model: {model_info['name']}, Win Rate: {model_info['performance_metrics']['win_rate']:.3f}")
    assert "advanced_v2.1" in {model_info["name"] for model_info in models}


def test_export_and_going_on_from_it(in_trained, tmp_path):
    evolution = ModelEvolutionSystem()
    onnx_path = evolution.export_champion_to_onnx(
        output_path=tmp_path / "models" / "champion.onnx",
        optimize=True,
        validate_inference_time=True,  # Must be <10ms
    )
    assert Path(onnx_path).exists()
    champion_model = evolution.registry.get_model(evolution.get_evolution_status()["champion"])[0]
    benchmark = PerformanceBenchmark()
    _is_ready, metrics = benchmark.validate_production_readiness(
        champion_model, max_inference_time_ms=10, max_memory_mb=50
    )
    print(f"Inference Time: {metrics['inference_time_ms']:.1f}ms")
    print(f"Memory Usage: {metrics['memory_usage_mb']:.1f}MB")
    assert metrics["memory_usage_mb"] > 1

    existing_champion = load_champion_model(onnx_path)
    evolution.set_bootstrap_model(existing_champion)
    advanced_model = evolution.evolve_from_existing(
        base_model=existing_champion,
        target_improvement=0.1,  # 10% win rate improvement
    )
    assert advanced_model.parameter_count == existing_champion.parameter_count


def test_export_of_production_models(in_trained, tmp_path):
    code = f"""
from pipeline import ModelEvolutionSystem
evo = ModelEvolutionSystem()
evo.export_production_models({str(tmp_path / "production")!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "production" / "champion.onnx").exists()


def test_a_custom_phase_is_one_more_entry(in_trained):
    custom_phase_config = TrainingPhaseConfig(
        learning_rate=0.0005,
        batch_size=64,
        max_epochs=1,  # guide: 25
        early_stopping_patience=8,
        validation_split=0.15,
        data_augmentation=True,
    )
    custom_phase_config.games_required = 24
    pipeline = SelfPlayTrainingPipeline()
    pipeline.config.training_phases["custom_phase"] = custom_phase_config
    assert pipeline.run_complete_pipeline(TrainingConfiguration(target_phases=["custom_phase"], export_onnx=False))
    assert pipeline.get_pipeline_status().phases_completed == ["custom_phase"]


def test_debug_information(in_trained):
    pipeline = SelfPlayTrainingPipeline()
    data_manager = SelfPlayDataManager()
    debug_info = {
        "pipeline_state": pipeline.get_pipeline_status(),
        "data_stats": data_manager.get_data_statistics(),
        "system_info": {
            "cpu_count": psutil.cpu_count(),
            "memory_gb": psutil.virtual_memory().total / 1024**3,
            "cuda_available": torch.cuda.is_available(),
        },
    }
    with Path("debug_info.json").open("w") as f:
        json.dump(debug_info, f, indent=2, default=str)


def test_models_stand_beside_the_history(in_trained):
    with sqlite3.connect("automation/automation_tracking.db") as conn:
        (champions,) = conn.execute("SELECT count(*) FROM models WHERE status = 'champion'").fetchone()
        games = conn.execute("SELECT games FROM evaluations").fetchall()
    conn.close()
    assert champions == 1
    assert games
    assert np.all(np.array(games) > 0)
