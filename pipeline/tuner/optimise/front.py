"""Several objectives at once: NSGA-II from Optuna looks for a Pareto front (Deb and others, 2002).

An answer holds a value for each objective, of all of which more is better. Now and then some points are offered as
contenders, spread over the objectives: they play, on fresh seeds, the games that the front shown is made of.
"""

from collections.abc import Sequence
from math import isnan
from typing import Self

import numpy as np

from pipeline.tuner.optimise import Answer, Point, Question, SearchSpace
from pipeline.tuner.optimise.optuna_trials import OptunaTrials, pairs_of, trials_not_counted
from pipeline.tuner.optimise.snapshot import pack, point_of, settled, unpack

KIND = "front"
DOUBLING = 256
"""Trials after which the next ones get twice the seeds."""
BETWEEN = 64
"""Trials between two offers."""
CONTENDERS = 7


class FrontSearch:
    """An `Optimiser` that offers no candidate to the gate, but contenders for the front."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._trials = OptunaTrials(space, "nsga2")
        self._champion: Point = np.array(space.start, dtype=np.float64)
        self._next = self._told = self._told_at_last = self._uncounted = 0
        self._open: dict[int, int] = {}
        """Number -> trial."""

    def ask(self, count: int) -> list[Question]:
        asked = []
        for _ in range(count):
            trial, point = self._trials.ask()
            self._open[self._next] = trial
            pairs = pairs_of(trial - self._uncounted, DOUBLING)
            asked.append(Question(self._next, settled(self._space, point), None, pairs))
            self._next += 1
        return asked

    def tell(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            if answer.question not in self._open:
                raise ValueError(f"question {answer.question} is not open")
            known = len(answer.values) == self._space.aims and not any(map(isnan, answer.values))
            self._trials.tell(self._open.pop(answer.question), list(answer.values) if known else None)
            self._told += known

    def candidate(self) -> Point | None:
        return None

    def judged(self, point: Point, promoted: bool, gain: float) -> None:
        raise ValueError("a front has no candidates")

    def contenders(self) -> list[Point]:
        """The points worth measuring; none: not yet.

        A trial's few games say little, and one that was lucky seems to dominate half of the others. So they are not
        taken from the trials' own front: by every further objective the trials are cut into as many groups of equal
        size as there is room for, and the best of each group by the first objective is a contender.
        """
        if self._told < self._told_at_last + BETWEEN:
            return []
        points, values = self._trials.several(4 * BETWEEN)
        others = range(1, self._space.aims)
        groups = max(2, CONTENDERS // len(others))
        chosen: dict[int, None] = {}
        for aim in others:
            order = sorted(range(len(values)), key=lambda place: (values[place][aim], place))
            for group in np.array_split(np.array(order), groups):
                chosen[max(group.tolist(), key=lambda place: (values[place][0], -place))] = None
        return [settled(self._space, points[place]) for place in chosen]

    def measured(self) -> None:
        """The contenders have played."""
        self._told_at_last = self._told

    def state(self) -> bytes:
        told = {
            "champion": self._champion,
            "counts": [self._next, self._told, self._told_at_last],
            "uncounted": self._uncounted,
            "open": [list(entry) for entry in self._open.items()],
            "optuna": self._trials.dump(),
        }
        return pack(KIND, self._space, told)

    @classmethod
    def restore(cls, state: bytes) -> Self:
        space, told = unpack(KIND, state)
        search = cls(space)
        search._champion = point_of(told["champion"])
        search._next, search._told, search._told_at_last = told["counts"]
        search._uncounted = trials_not_counted(told, DOUBLING)
        search._open = dict(told["open"])
        search._trials.load(told["optuna"])
        return search
