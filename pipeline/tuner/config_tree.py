"""The weights as the nested dictionary that users' own perturbations work on."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML

from pipeline.tuner.weight_rules import Specification
from pipeline.tuner.weights import WeightFile
from schemas.errors import SnakeError
from schemas.tuning_run import WeightValue


def nested(weights: WeightFile) -> dict[str, Any]:
    """The whole file as plain dictionaries, lists and values; a fresh copy every time."""
    tree: dict[str, Any] = YAML(typ="safe", pure=True).load(weights.text)
    return tree


def changes_in(tree: object, weights: WeightFile, rules: Specification) -> dict[str, WeightValue]:
    """What `tree` changes of the file's weights, each brought to its kind and bounds.

    Raises:
        SnakeError: `tree` is no dictionary, lacks a weight, or gives one that is no number.
    """
    if not isinstance(tree, dict):
        raise SnakeError(f"random_perturbation returned {type(tree).__name__}", remedy="Return the changed config.")
    found = dict(_flattened(tree, ""))
    changes: dict[str, WeightValue] = {}
    for path, value in weights.values.items():
        if path not in found:
            raise SnakeError(f"random_perturbation dropped the weight {path}")
        proposed = found[path]
        if proposed == value or path not in rules:
            continue
        fitted = _fitted(path, proposed, rules)
        if fitted != value:
            changes[path] = fitted
    return changes


def _fitted(path: str, proposed: object, rules: Specification) -> WeightValue:
    choices = rules[path].choices
    if choices and proposed not in choices:
        known = ", ".join(map(str, choices))
        raise SnakeError(f"random_perturbation made {path} {proposed!r}, which is none of {known}")
    if not isinstance(proposed, bool | int | float | str) or isinstance(proposed, str) != isinstance(
        (choices or (0,))[0], str
    ):
        raise SnakeError(f"random_perturbation made {path} {proposed!r}, which is no number")
    return rules[path].fitted(rules[path].number(proposed))


def _flattened(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        entries: list[tuple[object, object]] = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    else:
        yield path, value
        return
    for key, child in entries:
        yield from _flattened(child, f"{path}.{key}" if path else str(key))


def with_changes(tree: dict[str, Any], changes: Mapping[str, WeightValue]) -> dict[str, Any]:
    """A copy of the tree with these paths set."""
    changed = copy.deepcopy(tree)
    _set_below(changed, "", changes)
    return changed


def values_in(tree: dict[str, Any], rules: Specification) -> dict[str, WeightValue]:
    """The tunable weights of a tree, by path."""
    return {
        path: value
        for path, value in _flattened(tree, "")
        if path in rules and isinstance(value, bool | int | float | str)
    }


def _set_below(node: Any, path: str, changes: Mapping[str, WeightValue]) -> None:
    for key, child in list(node.items() if isinstance(node, dict) else enumerate(node)):
        below = f"{path}.{key}" if path else str(key)
        if isinstance(child, dict | list):
            _set_below(child, below, changes)
        elif below in changes:
            node[key] = changes[below]
