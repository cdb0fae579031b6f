"""Random changes, but what helped is tried again, one and a half times as far, and what clearly lost the other way."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from pipeline.tuner.optimise import Answer, Point, Problem, Question
from pipeline.tuner.optimise.random_search import changed
from pipeline.tuner.optimise.snapshot import pack, point_of, settled, unpack

KIND = "momentum"
STRETCH = 1.5
CLEAR_LOSS = 0.05


class MomentumSearch:
    """Every idea is tried once, then the search is random again. It asks nothing; an `Optimiser`."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._champion: Point = np.array(problem.start, dtype=np.float64)
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
            tried = settled(self._problem, self._champion + self._idea)
            if not np.array_equal(tried, self._champion):
                return tried
        return changed(self._problem, self._champion, self._drawn)

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
        return pack(KIND, self._problem, {"champion": self._champion, "drawn": self._drawn, "idea": self._idea})

    @classmethod
    def restore(cls, state: bytes) -> Self:
        problem, told = unpack(KIND, state)
        search = cls(problem)
        search._champion, search._drawn = point_of(told["champion"]), told["drawn"]
        search._idea = None if told["idea"] is None else point_of(told["idea"])
        return search
