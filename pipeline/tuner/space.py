"""The weight space: which weights of a file are tuned, and how they are points of the unit cube.

Optimisers see float64 vectors in 0..1; a snake sees a YAML text. Here stand the rules of each weight (kind, bounds,
step, scale), which weights move together, which are left out (frozen by the user, inert by the screen), and the way
there and back. Comments, order and unknown keys of the file survive: `pipeline.tuner.weights` changes values in place.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import asinh, sinh

import numpy as np

from pipeline.tuner.optimise import Point
from pipeline.tuner.weight_rules import Specification, WeightRule
from pipeline.tuner.weights import WeightFile
from schemas.errors import SnakeError
from schemas.tuning_run import WeightValue

Values = Mapping[str, WeightValue]
"""Path -> value."""


@dataclass(frozen=True)
class Axis:
    """One weight as a coordinate: linear between its bounds, or logarithmic around zero where it is small beside them.

    The logarithmic map is `asinh(value / knee)`: linear up to about the knee, logarithmic beyond, of both signs.
    """

    rule: WeightRule
    knee: float
    """0: linear."""
    origin: float
    """The coordinate that the weight starts from."""
    size: float
    """How far the coordinate moves when the weight changes by its own size."""

    def coordinate(self, value: WeightValue) -> float:
        """0..1; values outside the bounds lie on them."""
        return self._at(self.rule.number(value))

    def after(self, value: WeightValue, shift: float) -> float:
        """The coordinate of a value that is larger by `shift`."""
        return self._at(self.rule.number(value) + shift)

    def _at(self, number: float) -> float:
        low, high = self._bent(self.rule.low), self._bent(self.rule.high)
        return min(max((self._bent(number) - low) / (high - low), 0.0), 1.0)

    def value(self, coordinate: float) -> WeightValue:
        """The allowed value nearest to a coordinate."""
        low, high = self._bent(self.rule.low), self._bent(self.rule.high)
        bent = low + min(max(float(coordinate), 0.0), 1.0) * (high - low)
        return self.rule.fitted(self.knee * sinh(bent) if self.knee else bent)

    def _bent(self, value: float) -> float:
        return asinh(value / self.knee) if self.knee else value


def axis(rule: WeightRule, value: WeightValue) -> Axis:
    """The axis of a weight that starts from `value`."""
    knee = abs(rule.number(value)) if rule.logarithmic(value) else 0.0
    rough = Axis(rule, knee, 0.0, 0.0)
    at = rough.coordinate(value)
    span = knee or rule.scale(value)
    farther = rough.after(value, span) - at, at - rough.after(value, -span)
    return Axis(rule, knee, at, max(farther))


@dataclass(frozen=True)
class Space:
    """The tunable weights of a snake as a unit cube. Equal arguments give equal spaces, so a resumed run has the same.

    Args:
        reference: the weights that the run started from; scales are taken from them.
        rules: of every weight that may be tuned.
        inert: weights that the screen found to change nothing: left as they are.

    Raises:
        SnakeError: nothing is left to tune.
    """

    reference: WeightFile
    rules: Specification
    inert: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.dimensions:
            raise SnakeError(
                "no weight is left to tune: every one is frozen, or changes nothing",
                where=self.reference.where,
                remedy="Remove a `tune: false` from the weight specification, or play other games (map, ruleset).",
            )

    @cached_property
    def dimensions(self) -> tuple[tuple[str, ...], ...]:
        """The paths behind each coordinate; several where a `group` makes them move together."""
        groups: dict[str, list[str]] = {}
        for path, rule in self.rules.items():
            if path not in self.inert and path in self.reference.weights:
                groups.setdefault(f"group {rule.group}" if rule.group else path, []).append(path)
        return tuple(tuple(paths) for paths in groups.values())

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What each coordinate is called: its weight, or its weights joined by plus signs."""
        return tuple(" + ".join(paths) for paths in self.dimensions)

    @cached_property
    def axes(self) -> dict[str, Axis]:
        """Of every weight that may be tuned."""
        values = self.reference.values
        return {path: axis(self.rules[path], values[path]) for paths in self.dimensions for path in paths}

    @property
    def levels(self) -> tuple[int, ...]:
        """By coordinate: how many values a switch or an enumeration has, 0 for a number."""
        return tuple(self.rules[paths[0]].levels for paths in self.dimensions)

    @property
    def sizes(self) -> tuple[float, ...]:
        """By coordinate: how far it moves when its weight changes by its own size."""
        return tuple(self.axes[paths[0]].size for paths in self.dimensions)

    def point(self, values: Values) -> Point:
        """The cube's point of these weights; of a group the first weight says where it is."""
        return np.array([self.axes[paths[0]].coordinate(values[paths[0]]) for paths in self.dimensions])

    def values(self, point: Point, base: Values) -> dict[str, WeightValue]:
        """Path -> value at a point, for every tunable weight; where the point agrees with `base`, exactly `base`'s.

        Raises:
            ValueError: the point has another number of coordinates.
        """
        if point.shape != (len(self.dimensions),):
            raise ValueError(f"a point of shape {point.shape} in a space of {len(self.dimensions)} dimensions")
        found: dict[str, WeightValue] = {}
        there = self.point(base)
        for number, paths in enumerate(self.dimensions):
            first, moved = self.axes[paths[0]], float(point[number])
            for path in paths:
                own = self.axes[path]
                shift = (moved - float(there[number])) * (own.size / first.size)
                same = moved == float(there[number])
                found[path] = base[path] if same else own.value(own.coordinate(base[path]) + shift)
        return found

    def file(self, point: Point, champion: WeightFile) -> WeightFile:
        """The champion's file with the weights of a point; keys that are not tuned stay the champion's."""
        base = champion.values
        changes = {path: value for path, value in self.values(point, base).items() if value != base[path]}
        return champion.changed(changes)


def differences(
    before: Values, after: Values, only: Collection[str] = ()
) -> dict[str, tuple[WeightValue, WeightValue]]:
    """Path -> old value, new value, where they differ."""
    paths = only or before
    return {path: (before[path], after[path]) for path in paths if path in after and before[path] != after[path]}
