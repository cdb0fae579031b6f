"""How optimisers keep what they know: UTF-8 JSON with a name and a version, numbers exactly as they were."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.tuner.optimise import Point, SearchSpace

VERSION = 1


def pack(kind: str, space: SearchSpace, fields: Mapping[str, Any]) -> bytes:
    """The state of an optimiser of this kind; arrays become lists, and every float comes back bit for bit."""
    told = {
        "start": list(space.start),
        "levels": list(space.levels),
        "scale": list(space.scale),
        "seed": space.seed,
        "budget_games": None,  # which once stood here, and is in the hashes that ledgers of before are verified by
        "dear_gate": space.dear_gate,
        "aims": space.aims,
    }
    tree = {"kind": kind, "version": VERSION, "problem": told, **fields}
    return json.dumps(tree, default=_plain, sort_keys=True, allow_nan=False).encode()


def unpack(kind: str, state: bytes) -> tuple[SearchSpace, dict[str, Any]]:
    """What `pack` was given.

    Raises:
        ValueError: not a state of this kind and version.
    """
    try:
        tree = json.loads(state)
        if tree["kind"] != kind or tree["version"] != VERSION:
            raise ValueError(f"a state of {tree['kind']} version {tree['version']}, not of {kind} version {VERSION}")
        told = tree["problem"]
        space = SearchSpace(
            start=tuple(told["start"]),
            levels=tuple(told["levels"]),
            scale=tuple(told["scale"]),
            seed=told["seed"],
            dear_gate=told.get("dear_gate", False),
            aims=told.get("aims", 1),
        )
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"not the state of the search {kind}: {error}") from error
    return space, tree


def point_of(numbers: list[float]) -> Point:
    """A point that was packed."""
    return np.array(numbers, dtype=np.float64)


def chance(space: SearchSpace, stream: int, number: int) -> np.random.Generator:
    """The generator of one draw: by its number, so that nothing of it has to be kept and no order matters.

    Args:
        stream: which use of chance, so that two uses of one number differ.
    """
    return np.random.default_rng((space.seed, stream, number))


def settled(space: SearchSpace, point: Point) -> Point:
    """The allowed point nearest to `point`: inside the cube, and on a level where there are levels."""
    inside = np.clip(point, 0.0, 1.0)
    steps = np.maximum(np.array(space.levels, dtype=np.float64) - 1, 0)
    on_level = np.round(inside * steps) / np.maximum(steps, 1)
    return np.where(steps > 0, on_level, inside)


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be kept")
