"""The shared words: frozen models that every other package speaks. Standard library and pydantic only.

Names are re-exported lazily (PEP 562), so that importing one costs only the file it lives in.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "schemas.automation": (
        "CatchUpPolicy OverlapPolicy RunnerStatus TrainingSchedule TriggerCondition TriggerType "
        "create_default_schedules create_default_triggers"
    ),
    "schemas.training": (
        "DataSettings Device TournamentConfig TrainingConfiguration TrainingOptimizationConfig TrainingPhase"
    ),
    "schemas.execution": "ExecutionResult Outcome RunRequest RunResult",
    "schemas.machine": "ResourceRequirements ResourceSnapshot GuardDecision",
    "schemas.model": "PipelineState PipelineStatus",
    "schemas.settings": "Settings get_config",
    "schemas.tuning": "TunerSettings",
    "schemas.network": "ArchitectureType NeuralNetworkConfig",
    "schemas.phases": "DataSource TrainingPhaseConfig",
    "schemas.self_play": "SelfPlaySettings",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - computed from the one table above


def __getattr__(name: str) -> Any:
    """Import the file that holds `name` on first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'schemas' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
