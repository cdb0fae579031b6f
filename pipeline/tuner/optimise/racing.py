"""Switches and enumerations are raced, beside a search of the other weights: there is no half-way to move along.

Every other value of every such weight is an arm: the champion with that one change. The arms play the champion in
turns, a bundle of seeds at a time. An arm whose score lies clearly below one half is out, so is one that stays
undecided too long, and one clearly above becomes a candidate for the gate (racing with elimination, after Maron and
Moore, "Hoeffding races", 1993, with normal bounds). A promotion starts the races anew: what a switch is worth depends
on the other weights.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Self

import numpy as np

from pipeline.tuner.optimise import Answer, Optimiser, Point, Question, SearchSpace
from pipeline.tuner.optimise.snapshot import pack, point_of, unpack
from pipeline.tuner.optimise.spsa import Spsa

KIND = "raced spsa"
PAIRS = 4
RACE_EVERY = 10
"""One question in so many is a race's, as long as there are arms: most switches stand as they should."""
PAIR_DEVIATION = 0.35
CLEAR = 2.5
"""Standard errors that decide about an arm."""
MOST_PAIRS = 400
WORTH_LITTLE = 0.01
"""An arm that gains less for sure is out as well."""
_RACE = -1


@dataclass
class Arm:
    """One other value of one weight."""

    place: int
    level: int
    total: float = 0.0
    pairs: int = 0
    out: bool = False

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return PAIR_DEVIATION / sqrt(max(1, self.pairs))

    @property
    def mean(self) -> float:
        """Score against the champion."""
        return self.total / self.pairs if self.pairs else 0.5


class Raced:
    """An `Optimiser` that hands a search's questions on and puts the races' between them.

    Args:
        inner: searches the weights without levels; default: SPSA.
    """

    def __init__(self, space: SearchSpace, inner: Callable[[SearchSpace], Optimiser] = Spsa) -> None:
        self._space = space
        self._inner = inner(space)
        self._champion: Point = np.array(space.start, dtype=np.float64)
        self._arms = self._all_arms()
        self._next = self._turn = 0
        self._open: dict[int, tuple[int, int]] = {}
        """Number -> (`_RACE`, arm) or (number of the inner search's question, 0)."""
        self._generation: dict[int, int] = {}
        self._promotions = 0
        self._winner: int | None = None

    def _all_arms(self) -> list[Arm]:
        arms = []
        for place, levels in enumerate(self._space.levels):
            present = round(float(self._champion[place]) * (levels - 1)) if levels else 0
            arms += [Arm(place, level) for level in range(levels) if level != present]
        return arms

    def ask(self, count: int) -> list[Question]:
        asked: list[Question] = []
        for _ in range(count):
            question = self._race_question() if self._next % RACE_EVERY == 0 else None
            question = question or self._inner_question() or self._race_question()
            if question is None:
                break
            asked.append(question)
        return asked

    def _race_question(self) -> Question | None:
        running = [number for number, arm in enumerate(self._arms) if not arm.out]
        if not running or self._winner is not None:
            return None
        arm = running[self._turn % len(running)]
        self._turn += 1
        number = self._opened(_RACE, arm)
        return Question(number, self._with_arm(arm), None, PAIRS)

    def _inner_question(self) -> Question | None:
        asked = self._inner.ask(1)
        if not asked:
            return None
        inner = asked[0]
        return Question(self._opened(inner.id, 0), inner.first, inner.second, inner.pairs)

    def _opened(self, what: int, arm: int) -> int:
        number = self._next
        self._next += 1
        self._open[number] = (what, arm)
        self._generation[number] = self._promotions
        return number

    def _with_arm(self, number: int) -> Point:
        arm, point = self._arms[number], self._champion.copy()
        point[arm.place] = arm.level / (self._space.levels[arm.place] - 1)
        return point

    def tell(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            if answer.question not in self._open:
                raise ValueError(f"question {answer.question} is not open")
            what, arm = self._open.pop(answer.question)
            current = self._generation.pop(answer.question) == self._promotions
            if what != _RACE:
                self._inner.tell([Answer(what, answer.scores)])
            elif current:
                self._note(arm, answer.scores)

    def _note(self, number: int, scores: Sequence[float]) -> None:
        arm = self._arms[number]
        arm.total += sum(scores)
        arm.pairs += len(scores)
        if arm.mean + CLEAR * arm.error < 0.5 + WORTH_LITTLE or arm.pairs >= MOST_PAIRS:
            arm.out = True
        elif arm.mean - CLEAR * arm.error > 0.5 and self._winner is None and not arm.out:
            self._winner = number

    def candidate(self) -> Point | None:
        return self._inner.candidate() if self._winner is None else self._with_arm(self._winner)

    def judged(self, point: Point, promoted: bool, gain: float) -> None:
        raced, self._winner = self._winner, None
        if promoted:
            self._champion = np.array(point, dtype=np.float64)
            self._promotions += 1
            self._arms = self._all_arms()
        elif raced is not None:
            self._arms[raced].out = True
        if promoted or raced is None:
            self._inner.judged(point, promoted, gain)

    def state(self) -> bytes:
        return pack(
            KIND,
            self._space,
            {
                "inner": json.loads(self._inner.state()),
                "champion": self._champion,
                "arms": [asdict(arm) for arm in self._arms],
                "counts": [self._next, self._turn, self._promotions],
                "open": [[number, *what, self._generation[number]] for number, what in self._open.items()],
                "winner": self._winner,
            },
        )

    @classmethod
    def restore(cls, state: bytes) -> Self:
        space, told = unpack(KIND, state)
        search = cls(space)
        search._inner = Spsa.restore(json.dumps(told["inner"], sort_keys=True).encode())
        search._champion = point_of(told["champion"])
        search._arms = [Arm(**arm) for arm in told["arms"]]
        search._next, search._turn, search._promotions = told["counts"]
        search._open = {number: (what, arm) for number, what, arm, _ in told["open"]}
        search._generation = {number: generation for number, _, _, generation in told["open"]}
        search._winner = told["winner"]
        return search
