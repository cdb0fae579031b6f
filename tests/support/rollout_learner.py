"""A learner that is small enough to be taught in a blink, and all that it is afterwards."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from small_networks import small_network

from pipeline.evolution.league import phase_curriculum
from pipeline.evolution.ppo_trainer import PpoTrainer
from pipeline.evolution.rollout_stretch import SpreadRollouts
from schemas.phases import TrainingPhaseConfig
from schemas.self_play import OpponentShare, SelfPlaySettings
from schemas.settings import Settings
from schemas.training import TrainingOptimizationConfig

PARTS, UPDATES = 4, 3


def self_play(**changed: object) -> SelfPlaySettings:
    small = {
        "environments": 8, "rollout_turns": 4, "rollout_parts": PARTS, "update_epochs": 1, "turn_limit": 12,
        "crowd_from": 0.0, "heuristics": [OpponentShare(kind="hungry", weight=1)], "teacher": "voronoi",
        "expert": "strong", "expert_share": 0.5, "table_every_updates": 1, "snapshot_every_updates": 1,
    }  # fmt: skip
    return SelfPlaySettings.model_validate(small | changed)


def learnt(
    spread: SpreadRollouts | None,
    folder: Path,
    go_on: Callable[[], None] = lambda: None,
    updates: int = UPDATES,
    **changed: object,
) -> dict[str, np.ndarray]:
    """All that a learner is after its updates: weights, moments, league, games, chance and the expert's positions."""
    settings = Settings(
        home=folder, self_play=self_play(**changed), training_optimization=TrainingOptimizationConfig(threads=2)
    )
    phase = TrainingPhaseConfig(batch_size=16, learning_rate=1e-3, heuristic_mix_ratio=0.5)
    with PpoTrainer(small_network(3), phase, settings, 5, go_on, spread=spread) as trainer:
        for update in range(updates):
            trainer.update(phase_curriculum(phase, settings.self_play, update / updates))
        state = trainer.capture({})
    arrays = {f"network/{name}": tensor.numpy() for name, tensor in state.network.items()}
    arrays |= {name: np.asarray(array) for name, array in state.arrays.items()}
    counts = {"counters": str(state.counters), "chance": str(state.random.generators)}
    return arrays | {name: np.array(text) for name, text in counts.items()}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)
