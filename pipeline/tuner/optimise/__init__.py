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
