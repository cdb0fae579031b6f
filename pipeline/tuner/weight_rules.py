"""What may be done to each weight: kind, bounds, step and scale, derived from the weights file and overridable."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import ceil, floor, log10
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError
from ruamel.yaml.error import YAMLError

from pipeline.tuner.weights import Weight, WeightFile, loaded
from schemas.base import Frozen
from schemas.errors import SnakeError
from schemas.settings import describe
from schemas.tuning_run import WeightValue

CONDITION_KEYS = ("probe_conditions", "gate_conditions")
"""Keys of the override file that are no weights: what is set in the weights for cheap and for deciding games."""
NO_WEIGHTS = ("port", "seed", "version", "apiversion")
"""Keys of numbers that are no weights, whatever the snake: left alone unless the override file names them."""
WIDEST = 10
"""Without declared bounds a weight keeps its sign and stays within ten times its size."""
SMALLEST_SCALE = 0.05
"""Share of a weight's range that changes are at least measured in, so that a weight of 0 can leave it."""
SMALL_BESIDE_RANGE = 0.08
"""A weight below this share of its range is on a logarithmic scale unless told otherwise."""
STEPS_OF_SIZE = 3
"""A whole number counts as at least so many steps large, so that a change of a third of its size is a step."""


@dataclass(frozen=True)
class PlayedGames:
    """What games a run plays and what it wants of them, for weights that only matter in some (`only_in`)."""

    games: tuple[str, ...] = ("duel",)
    """`duel` and `standard` (games of four); both where the objective is mixed."""
    ruleset: str = "standard"
    map: str = "standard"
    objectives: tuple[str, ...] = ("score",)


class OnlyIn(Frozen):
    """The games that a weight matters in; one that fits is enough."""

    games: tuple[Literal["duel", "standard"], ...] = ()
    rulesets: tuple[str, ...] = ()
    maps: tuple[str, ...] = ()
    """Patterns are allowed."""
    objectives: tuple[str, ...] = ()

    def fits(self, played: PlayedGames) -> bool:
        """Whether such games are played."""
        return (
            bool(set(self.games) & set(played.games))
            or played.ruleset in self.rulesets
            or any(fnmatchcase(played.map, pattern) for pattern in self.maps)
            or bool(set(self.objectives) & set(played.objectives))
        )


class WeightOverride(Frozen):
    """An entry of the override file: everything left out stays as derived."""

    kind: Literal["bool", "int", "float"] | None = None
    low: float | None = None
    high: float | None = None
    step: float | None = None
    scale: Literal["linear", "log"] | None = None
    group: str | None = None
    """Weights of one group move together, each in proportion to its size."""
    tune: bool = True
    only_in: OnlyIn | None = None
    """Tuned where such games are played, else left alone."""


@dataclass(frozen=True)
class WeightRule:
    """How one weight may change.

    One of an enumeration (`choices`) is counted by its place in it: `low` is 0, `high` the last place.
    """

    kind: type[bool] | type[int] | type[float] | type[str]
    low: float
    high: float
    step: float
    """Values lie on multiples of this, counted from `low`; 0: anywhere."""
    scaling: Literal["linear", "log"] | None = None
    """None: logarithmic where the weight is small beside its range."""
    group: str = ""
    choices: tuple[WeightValue, ...] = ()
    """The values of an enumeration; empty: a number or a switch."""

    @property
    def levels(self) -> int:
        """So many values, which are raced; 0: a number, which is moved."""
        return 2 if self.kind is bool else len(self.choices)

    def number(self, value: WeightValue) -> float:
        """The value as a number between `low` and `high`; of an enumeration its place."""
        return float(self.choices.index(value) if self.choices else value)

    def moved(self, value: WeightValue, share: float) -> WeightValue:
        """`value` moved by `share` of its own size, at least one step, kept inside the bounds.

        A switch is flipped whatever the share; a word goes to one of its neighbours. At a bound the move goes the other
        way.
        """
        if self.kind is bool:
            return not value
        shift = share * self.scale(value)
        if abs(shift) < self.step or self.choices:
            shift = self.step if share >= 0 else -self.step
        moved = self.fitted(self.number(value) + shift)
        return moved if moved != value else self.fitted(self.number(value) - shift)

    def others(self, value: WeightValue) -> list[tuple[int, WeightValue]]:
        """What a weight is moved to when it is moved far, each with the sign of its direction: the ends of its bounds,
        or every other value."""
        if self.choices:
            here = self.choices.index(value)
            return [(-1 if place < here else 1, each) for place, each in enumerate(self.choices) if place != here]
        ends = [(-1, self.fitted(self.low)), (1, self.fitted(self.high))]
        return [(sign, end) for sign, end in ends if end != value]

    def fitted(self, value: float) -> WeightValue:
        """The allowed value nearest to a number."""
        if self.kind is bool:
            return value >= 0.5
        inside = min(max(value, self.low), self.high)
        if self.choices:
            return self.choices[round(inside)]
        if self.step > 0:
            steps = round((inside - self.low) / self.step)
            inside = self.low + steps * self.step
            if inside > self.high:
                inside -= self.step
        return round(inside) if self.kind is int else _as_written(inside, self.low, self.high)

    def scale(self, value: WeightValue) -> float:
        """What a relative change of `value` is relative to: its size, but at least a share of the range."""
        return max(abs(self.number(value)), SMALLEST_SCALE * (self.high - self.low), STEPS_OF_SIZE * self.step)

    def logarithmic(self, value: WeightValue) -> bool:
        """Whether its axis is logarithmic when it starts from `value`; a 0 has no size to take a logarithm by."""
        if self.levels or value == 0 or self.scaling == "linear":
            return False
        if self.scaling == "log":
            return True
        return self.kind is float and abs(self.number(value)) < SMALL_BESIDE_RANGE * (self.high - self.low)


def _as_written(value: float, low: float, high: float) -> float:
    """The nearest number of the six digits that are written to the file, inside the bounds."""
    written = float(f"{value:.6g}")
    if low <= written <= high:
        return written
    unit = 10.0 ** (floor(log10(abs(written))) - 5)
    return float(f"{written - unit if written > high else written + unit:.6g}")


Specification = Mapping[str, WeightRule]
"""Path -> rule of every weight that may be tuned."""


def specify(
    weights: WeightFile, override_file: Path | None, played: PlayedGames = PlayedGames()
) -> dict[str, WeightRule]:
    """The rule of every weight that may be tuned.

    Derived: the kind from the value; the bounds from `# [lowest, highest]` on its line, else its sign is kept and it
    may grow tenfold; the step is 1 for whole numbers; an enumeration from `# {one, another}`. Keys in `NO_WEIGHTS` are
    left out. `override_file` maps weight paths, or patterns such as `search.*`, to `kind`, `low`, `high`, `step`,
    `scale`, `group`, `tune: false` and `only_in` (games that the weight matters in); later entries win.

    Raises:
        SnakeError: the override file is missing or malformed, names no weight, gives bounds that are none or exclude
            the present value, or leaves nothing to tune.
    """
    overrides = _read_overrides(override_file) if override_file else {}
    where = str(override_file)
    for pattern in overrides:
        if not any(fnmatchcase(path, pattern) for path in weights.weights):
            raise SnakeError(f"no weight is called {pattern!r}", where=where, remedy=f"{weights.where} lists them.")
    rules = {}
    for path, weight in weights.weights.items():
        applied = [override for pattern, override in overrides.items() if fnmatchcase(path, pattern)]
        if not _is_tuned(applied[-1], played) if applied else _is_no_weight(path):
            continue
        rules[path] = _rule(weight, applied, weights.where)
    if not rules:
        raise SnakeError("every weight is excluded from tuning", where=where, remedy="Remove a `tune: false`.")
    return rules


def _is_tuned(override: WeightOverride, played: PlayedGames) -> bool:
    return override.tune and (override.only_in is None or override.only_in.fits(played))


def _is_no_weight(path: str) -> bool:
    return path.rpartition(".")[2].lower() in NO_WEIGHTS


def _rule(weight: Weight, overrides: list[WeightOverride], where: str) -> WeightRule:
    merged: dict[str, Any] = {}
    for override in overrides:
        merged |= override.model_dump(exclude_none=True, exclude={"tune", "only_in"})
    value = weight.value
    if weight.choices:
        return WeightRule(
            type(value), 0, len(weight.choices) - 1, 1, group=merged.get("group") or "", choices=weight.choices
        )
    kind: type[bool] | type[int] | type[float] | type[str] = {"bool": bool, "int": int, "float": float}.get(
        merged.get("kind", ""), type(value)
    )
    if kind is not type(value):
        raise SnakeError(
            f"weight {weight.path} is written as {type(value).__name__} but is to be {kind.__name__}",
            where=f"{where}:{weight.line}",
            remedy="Write its value in that form, for instance 2.0 instead of 2.",
        )
    if kind is bool:
        return WeightRule(bool, 0, 1, 1, group=merged.get("group") or "")
    low, high = weight.declared or _bounds_around(float(value))
    low, high = merged.get("low", low), merged.get("high", high)
    step = merged.get("step", 1 if kind is int else 0)
    if kind is int and ceil(low) < floor(high):  # so that a whole number at its bound is inside them
        low, high = ceil(low), floor(high)
    if not low < high or not low <= value <= high or step < 0 or (kind is int and (step < 1 or step % 1)):
        raise SnakeError(
            f"weight {weight.path} = {value} does not fit its bounds {low} to {high} and step {step}",
            where=f"{where}:{weight.line}",
            remedy="Correct the value, the bounds in its comment, or the weight specification.",
        )
    return WeightRule(kind, low, high, step, merged.get("scale"), merged.get("group") or "")


@dataclass(frozen=True)
class SnakeConditions:
    """What the override file says of the games: path -> value, set in the weights of those games only."""

    probe: Mapping[str, WeightValue]
    gate: Mapping[str, WeightValue]


def conditions_of(override_file: Path | None) -> SnakeConditions:
    """The `probe_conditions` and `gate_conditions` of a weight specification; empty where it has none.

    Raises:
        SnakeError: they are no numbers by path.
    """
    tree = _tree(override_file) if override_file else {}
    found: dict[str, dict[str, WeightValue]] = {}
    for key in CONDITION_KEYS:
        entry = tree.get(key) or {}
        if not isinstance(entry, dict) or any(isinstance(value, dict | list | None) for value in entry.values()):
            raise SnakeError(f"{key} must map weight paths to values", where=str(override_file))
        found[key] = {str(path): value for path, value in entry.items()}
    return SnakeConditions(*(found[key] for key in CONDITION_KEYS))


def _bounds_around(value: float) -> tuple[float, float]:
    if value == 0:
        return -WIDEST, WIDEST
    return (0.0, WIDEST * value) if value > 0 else (WIDEST * value, 0.0)


def _read_overrides(path: Path) -> dict[str, WeightOverride]:
    tree = {key: entry for key, entry in _tree(path).items() if key not in CONDITION_KEYS}
    try:
        return {str(key): WeightOverride.model_validate(entry) for key, entry in tree.items()}
    except ValidationError as error:
        raise SnakeError(f"the weight specification is wrong: {describe(error)}", where=str(path)) from error


def _tree(path: Path) -> dict[Any, Any]:
    try:
        tree = loaded(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SnakeError(f"the weight specification cannot be read: {error.strerror}", where=str(path)) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise SnakeError(f"the weight specification is malformed YAML: {error}", where=str(path)) from error
    if not isinstance(tree, dict):
        raise SnakeError("the weight specification holds no weight paths", where=str(path))
    return tree
