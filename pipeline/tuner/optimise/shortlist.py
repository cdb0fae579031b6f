"""Which of many noisy trials is worth the gate: the few that look best play more games, and the best of those goes on.

The best of many noisy scores is mostly lucky. So the contenders are single trials with the highest scores and the mean
of the best quarter, whose luck averages out; each plays the champion on further seeds, and what counts is those alone.
"""

from dataclasses import asdict, dataclass, field
from math import sqrt
from typing import Any, Self

import numpy as np

from pipeline.tuner.optimise import Point

SINGLES = 2
PAIR_DEVIATION = 0.35
WORTH_BY = 0.5
"""Standard errors over one half from which the best contender is worth the gate's games."""


@dataclass
class Contender:
    """A point and what its further games said."""

    point: list[float]
    question: int
    total: float = 0.0
    pairs: int = 0

    @property
    def mean(self) -> float:
        """Score against the champion in the further games."""
        return self.total / self.pairs if self.pairs else 0.0


@dataclass
class Shortlist:
    """Contenders under way, given up after so many trials in all."""

    given_up_at: int
    contenders: list[Contender] = field(default_factory=list)
    waiting: list[list[float]] = field(default_factory=list)
    """Points that have not been asked for yet."""

    @classmethod
    def of(cls, points: list[Point], values: list[float], given_up_at: int) -> Self:
        """Choose from trials."""
        best = sorted(range(len(points)), key=lambda trial: (-values[trial], trial))
        quarter = best[: max(2, len(best) // 4)]
        mean = np.mean([points[trial] for trial in quarter], axis=0)
        return cls(given_up_at, [], [mean.tolist()] + [points[trial].tolist() for trial in best[:SINGLES]])

    def asked(self, question: int) -> Point:
        """The next point, now asked for as this question."""
        point = self.waiting.pop(0)
        self.contenders.append(Contender(point, question))
        return np.array(point, dtype=np.float64)

    def note(self, question: int, scores: tuple[float, ...]) -> None:
        """Count a contender's games."""
        for contender in self.contenders:
            if contender.question == question:
                contender.total += sum(scores)
                contender.pairs += len(scores)

    def done(self, trials: int, unanswered: set[int]) -> bool:
        """Whether nothing is waited for any longer."""
        heard = not self.waiting and not any(entry.question in unanswered for entry in self.contenders)
        return heard or trials >= self.given_up_at

    def best(self) -> Point | None:
        """The contender worth the gate's games."""
        played = [contender for contender in self.contenders if contender.pairs]
        if not played:
            return None
        best = max(played, key=lambda contender: contender.mean)
        worth = best.mean > 0.5 + WORTH_BY * PAIR_DEVIATION / sqrt(best.pairs)
        return np.array(best.point, dtype=np.float64) if worth else None

    def state(self) -> dict[str, Any]:
        """For `restore`."""
        return asdict(self)

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Self:
        """The shortlist that `state` came from."""
        contenders = [Contender(**entry) for entry in state["contenders"]]
        return cls(state["given_up_at"], contenders, state["waiting"])
