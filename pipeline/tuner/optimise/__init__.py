"""Optimisers: each proposes points of the weight space as questions, and learns from the answers.

They know no snake and no game: a point is a float64 vector in the unit cube that `pipeline.tuner.space` makes of the
weights, a question is a small match between two points, an answer is its scores. All of them are driven the same way
(ask, play, tell), many questions may be in flight at once, and answers may come back in any order, or never.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

Point = NDArray[np.float64]
"""float64[dimensions], each in 0..1."""


@dataclass(frozen=True)
class SearchSpace:
    """What an optimiser is told of the space before it begins; `pipeline.tuner.space` makes it of the weights.

    Raises:
        ValueError: lengths that differ, no dimension, or a start outside the cube.
    """

    start: tuple[float, ...]
    """The first champion, in the unit cube."""
    levels: tuple[int, ...]
    """Per dimension 0 where every value is allowed, else the number (2 or more) of values, evenly spaced in 0..1."""
    scale: tuple[float, ...]
    """Per dimension, how far in the cube a change of the weight by its own size (100 %) reaches, over 0: the unit that
    changes are measured in."""
    seed: int
    dear_gate: bool = False
    """Whether the gate's games are dearer than a question's (played at a larger search budget, say): then a candidate
    should be worth them."""
    aims: int = 1
    """Objectives; an answer has a value for each."""

    def __post_init__(self) -> None:
        if not len(self.start) == len(self.levels) == len(self.scale) or not self.start:
            raise ValueError("start, levels and scale need one entry for each dimension, and at least one dimension")
        if not all(0 <= value <= 1 for value in self.start) or not all(size > 0 for size in self.scale):
            raise ValueError("the start must lie in the unit cube and every scale over 0")

    @property
    def dimensions(self) -> int:
        """Length of a point."""
        return len(self.start)


@dataclass(frozen=True)
class Question:
    """Which of two points is better, and by how much?"""

    id: int
    """Counts up from 0 in an optimiser's life, across restarts."""
    first: Point
    second: Point | None
    """None: the champion."""
    pairs: int
    """Seeds to play, each from both seats."""


@dataclass(frozen=True)
class Answer:
    """What the games of a question said."""

    question: int
    scores: tuple[float, ...]
    """Per seed, the first point's mean score, 0..1; shorter than asked where games were lost."""
    values: tuple[float, ...] = ()
    """With several objectives, a value for each, of which more is better; empty where games were lost."""


class Optimiser(Protocol):
    """A search strategy that can be asked, told, stopped and resumed."""

    def ask(self, count: int) -> list[Question]:
        """Up to `count` further questions; fewer, or none, while answers are waited for.

        Deterministic: the same history of calls gives the same questions.
        """
        ...

    def tell(self, answers: Sequence[Answer]) -> None:
        """Learn; an answer to a question that is not open is a `ValueError`."""
        ...

    def candidate(self) -> Point | None:
        """The point worth the gate's games now; None: not yet. Asking twice gives the same point until `judged`."""
        ...

    def judged(self, point: Point, promoted: bool, gain: float) -> None:
        """The gate's word on a candidate: where it was promoted, `point` is the champion from now on."""
        ...

    def state(self) -> bytes:
        """All that it knows, as UTF-8 JSON: `restore` gives an optimiser that goes on exactly alike."""
        ...

    @classmethod
    def restore(cls, state: bytes) -> Self:
        """The optimiser that `state` came from.

        Raises:
            ValueError: not such a state.
        """
        ...
