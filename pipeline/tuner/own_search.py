"""The guide's search, and any that a user writes as `random_perturbation`: no questions, candidate after candidate."""

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Self

from pipeline.tuner.optimise import Answer, Point, Question
from pipeline.tuner.weight_rules import Specification
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
