"""The daemon: `AutomatedTrainingRunner` and all it stands on. Never imports `pipeline`, torch or numba.

Names are re-exported lazily (PEP 562), so that the command line stays quick.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "runner.automation": "AutomatedTrainingRunner",
    "runner.cluster": "DistributedTrainingRunner",
    "schemas.automation": (
        "CatchUpPolicy OverlapPolicy RunnerStatus TrainingSchedule TriggerCondition TriggerType "
        "create_default_schedules create_default_triggers"
    ),
    "schemas.training": "TrainingConfiguration",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - computed from the one table above


def __getattr__(name: str) -> Any:
    """Import the file that holds `name` on first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'runner' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
