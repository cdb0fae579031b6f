"""The rules engine: one compiled source of the rules behind the single game and the batch.

`layout` is the legend of every array. Names are loaded on first use, so that importing this package imports
no numba.
"""

from typing import Any

_HOMES: dict[str, str] = {
    "Game": "pipeline.engine.game",
    "Batch": "pipeline.engine.batch",
    "GameSpec": "pipeline.engine.game_spec",
    "Outcomes": "pipeline.engine.slots",
    "TapeReader": "pipeline.engine.tape_reading",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_HOMES)
