"""The work: games, the Go-weight tuner, and everything else that makes a snake stronger.

Names are re-exported lazily (PEP 562), so that importing one costs only what it needs.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "pipeline.tuner.continuous": "ContinuousTrainer",
    "pipeline.data.manager": "SelfPlayDataManager",
    "pipeline.data.buffer": "ExperienceReplayBuffer",
    "pipeline.data.heuristic_games": "BattlesnakeDataCollector",
    "pipeline.evaluation.evaluator": "ModelPerformanceEvaluator",
    "pipeline.evolution.model_registry": "ModelRegistry",
    "pipeline.export.benchmark": "PerformanceBenchmark",
    "pipeline.export.onnx_export": "load_champion_model",
    "pipeline.orchestrator.model_evolution": "ModelEvolutionSystem",
    "pipeline.orchestrator.pipeline": "SelfPlayTrainingPipeline",
    "schemas.model": "PipelineState PipelineStatus",
    "schemas.training": "TrainingConfiguration",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - computed from the one table above


def __getattr__(name: str) -> Any:
    """Import the file that holds `name` on first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
