"""The guide's search: a random change of three to five weights of the champion by about 15 %, nothing remembered."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from pipeline.tuner.optimise import Answer, Point, Question, SearchSpace
from pipeline.tuner.optimise.snapshot import chance, pack, point_of, settled, unpack

_RANDOM = "random"
MAGNITUDE = 0.15
FEWEST, MOST = 3, 5
_MOMENTUM = "momentum"
STRETCH = 1.5
CLEAR_LOSS = 0.05


class RandomSearch:
    """It asks nothing: every candidate goes to the gate as it is drawn; an `Optimiser`."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._champion: Point = np.array(space.start, dtype=np.float64)
        self._drawn = 0

    def ask(self, count: int) -> list[Question]:
        return []

    def tell(self, answers: Sequence[Answer]) -> None:
        if answers:
            raise ValueError(f"question {answers[0].question} is not open")

    def candidate(self) -> Point | None:
        return changed(self._space, self._champion, self._drawn)

    def judged(self, point: Point, promoted: bool, gain: float) -> None:
        self._drawn += 1
        if promoted:
            self._champion = np.array(point, dtype=np.float64)

    def state(self) -> bytes:
        return pack(_RANDOM, self._space, {"champion": self._champion, "drawn": self._drawn})

    @classmethod
    def restore(cls, state: bytes) -> Self:
        space, told = unpack(_RANDOM, state)
        search = cls(space)
        search._champion, search._drawn = point_of(told["champion"]), told["drawn"]
        return search


def changed(space: SearchSpace, point: Point, number: int) -> Point:
    """The random change with this number: each weight by half to one and a half times `MAGNITUDE` of its size, up or
    down; one with levels goes to another of them. At the cube's edge the change goes the other way."""
    random = chance(space, 1, number)
    count = min(space.dimensions, int(random.integers(FEWEST, MOST + 1)))
    moved = point.copy()
    for place in random.choice(space.dimensions, count, replace=False).tolist():
        levels, share = space.levels[place], MAGNITUDE * random.uniform(0.5, 1.5) * random.choice((-1.0, 1.0))
        if levels:
            present = round(float(point[place]) * (levels - 1))
            moved[place] = (present + int(random.integers(1, levels))) % levels / (levels - 1)
            continue
        shift = share * space.scale[place]
        inside = 0 <= point[place] + shift <= 1
        moved[place] = point[place] + (shift if inside else -shift)
    return settled(space, moved)


class MomentumSearch:
    """Every idea is tried once, then the search is random again. It asks nothing; an `Optimiser`."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._champion: Point = np.array(space.start, dtype=np.float64)
        self._drawn = 0
        self._idea: Point | None = None
        """By how much to change the champion; None: at random."""

    def ask(self, count: int) -> list[Question]:
        return []

    def tell(self, answers: Sequence[Answer]) -> None:
        if answers:
            raise ValueError(f"question {answers[0].question} is not open")

    def candidate(self) -> Point | None:
        if self._idea is not None:
            tried = settled(self._space, self._champion + self._idea)
            if not np.array_equal(tried, self._champion):
                return tried
        return changed(self._space, self._champion, self._drawn)

    def judged(self, point: Point, promoted: bool, gain: float) -> None:
        was_random = self._idea is None
        shift = np.array(point, dtype=np.float64) - self._champion
        self._drawn += 1
        self._idea = None
        if promoted:
            self._champion = np.array(point, dtype=np.float64)
            self._idea = STRETCH * shift
        elif was_random and gain <= -CLEAR_LOSS:
            self._idea = -shift

    def state(self) -> bytes:
        return pack(_MOMENTUM, self._space, {"champion": self._champion, "drawn": self._drawn, "idea": self._idea})

    @classmethod
    def restore(cls, state: bytes) -> Self:
        space, told = unpack(_MOMENTUM, state)
        search = cls(space)
        search._champion, search._drawn = point_of(told["champion"]), told["drawn"]
        search._idea = None if told["idea"] is None else point_of(told["idea"])
        return search
