"""A self-play pipeline so small that a whole run takes seconds. No import of the pipeline itself."""

from pathlib import Path

from schemas.network import ArchitectureType, NeuralNetworkConfig
from schemas.phases import DataSource, TrainingPhaseConfig
from schemas.self_play import SelfPlaySettings
from schemas.settings import Settings
from schemas.training import DataSettings, TournamentConfig, TrainingOptimizationConfig

TEACHER_GAMES = 10


def settings_for(home: Path) -> Settings:
    """Settings with which all four phases take a few seconds."""
    phase = {"max_epochs": 1, "batch_size": 128}
    return Settings(
        home=home,
        neural_network=NeuralNetworkConfig(
            architecture_type=ArchitectureType.CNN_SIMPLE, conv_channels=8, conv_blocks=1, hidden_layers=[16],
            ground_steps=0, attention_heads=1, dropout_rate=0.0,
        ),
        training_phases={
            "bootstrap": TrainingPhaseConfig(games_required=TEACHER_GAMES, **phase),
            "hybrid": TrainingPhaseConfig(
                games_required=16, data_source=DataSource.MIXED, heuristic_mix_ratio=0.5, **phase | {"max_epochs": 2}
            ),
            "self_play": TrainingPhaseConfig(
                games_required=1000, data_source=DataSource.SELF_PLAY, **phase | {"max_epochs": 4}
            ),
            "continuous": TrainingPhaseConfig(games_required=1000, data_source=DataSource.CONTINUOUS, **phase),
        },
        self_play=SelfPlaySettings(
            environments=8, rollout_turns=8, update_epochs=1, turn_limit=60, updates_per_cycle=2
        ),
        tournament=TournamentConfig(
            games_per_matchup=8, max_promotion_games=16, remeasure_games=8, max_memory_mb=4000,
            max_inference_time_ms=1000, first_champion_floor=None,
        ),
        training_optimization=TrainingOptimizationConfig(threads=1, checkpoint_interval_s=0.05),
        data=DataSettings(max_positions=600, games_per_file=3),
    )  # fmt: skip
