"""The guide's search, and any that a user writes as `random_perturbation`: no questions, candidate after candidate."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, Self

from pipeline.tuner.optimise import Answer, Point, Question
from pipeline.tuner.weight_rules import Specification
from pipeline.tuner.weights import WeightFile, loaded
from schemas.errors import SnakeError
from schemas.tuning_run import WeightValue


def random_changes(
    best: Mapping[str, WeightValue], rules: Specification, random: Random, magnitude: float, fewest: int, most: int
) -> dict[str, WeightValue]:
    """Change between `fewest` and `most` weights, each by about `magnitude` of its size, up or down.

    The size of each change is uniform between half and one and a half times `magnitude`, its sign a coin toss; whole
    numbers move by at least 1, switches are flipped. What `WeightRule.moved` says of bounds holds.
    """
    tunable = [path for path in best if path in rules]
    count = min(len(tunable), random.randint(fewest, most))
    changes: dict[str, WeightValue] = {}
    for path in random.sample(tunable, count):
        share = magnitude * random.uniform(0.5, 1.5) * random.choice((-1, 1))
        moved = rules[path].moved(best[path], share)
        if moved != best[path]:
            changes[path] = moved
    return changes


class OwnSearch:
    """Every candidate is what `draw` makes of the champion; nothing is learned but how many there were.

    Args:
        draw: the point of candidate number N, from 1; the champion is the caller's to know.
    """

    def __init__(self, draw: Callable[[int], Point]) -> None:
        self._draw, self._drawn = draw, 0
        self._candidate: Point | None = None

    def ask(self, count: int) -> list[Question]:
        return []

    def tell(self, answers: Sequence[Answer]) -> None:
        if answers:
            raise ValueError("this search asks no questions")

    def candidate(self) -> Point | None:
        if self._candidate is None:
            self._drawn += 1
            self._candidate = self._draw(self._drawn)
        return self._candidate

    def judged(self, point: Point, promoted: bool, gain: float) -> None:
        self._candidate = None

    def state(self) -> bytes:
        return json.dumps({"drawn": self._drawn, "open": self._candidate is not None}).encode()

    @classmethod
    def restored(cls, state: bytes, draw: Callable[[int], Point]) -> Self:
        """The search that `state` came from."""
        known = json.loads(state)
        search = cls(draw)
        search._drawn = known["drawn"]
        if known["open"]:
            search._candidate = draw(search._drawn)
        return search

    @classmethod
    def restore(cls, state: bytes) -> Self:
        """Not possible without `draw`: see `restored`."""
        raise ValueError(f"a state of {len(state)} bytes says not by which perturbation to draw")


def nested(weights: WeightFile) -> dict[str, Any]:
    """The whole file as plain dictionaries, lists and values; a fresh copy every time."""
    tree: dict[str, Any] = loaded(weights.text)
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


def tree_with(tree: dict[str, Any], changes: Mapping[str, WeightValue]) -> dict[str, Any]:
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
