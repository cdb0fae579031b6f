"""The referee: plays games between snakes that speak the official HTTP API. `play_match` is its front door.

Names are loaded on first use, so that importing this package imports no numba.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "game": "transcript_hash",
    "game_pool": "Contestant",
    "match": "play_match",
    "outcome": "Ending Failure GameOutcome PairOutcome SnakeOutcome",
    "pool": "RefereePool workers_worth_having",
    "result": "ContestantTally MatchResult",
    "schedule": "MatchConditions RuleNumbers ScheduledGame paired_schedule",
    "snake_process": "SnakeCommand SnakeProcess running_snakes",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - computed from the one table above


def __getattr__(name: str) -> Any:
    """Import the file that holds `name` on first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
