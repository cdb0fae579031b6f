"""SPSA: all weights move at once, by many short matches between two mirrored points.

Spall, "Multivariate stochastic approximation using a simultaneous perturbation gradient approximation", IEEE
Transactions on Automatic Control 37 (1992), as Fishtest tunes engines with it: the points `x + r d` and `x - r d`, with
`d` of random signs and `r` per weight, play on the same fresh seeds from both seats, and `x` moves towards the winner
by the share that it won. Everything even in the distance cancels between the two.

- Reach: how far apart the two lie decides how much a game says. Probes calibrate it, at first in a bundle, later one in
  `PROBE_EVERY` questions.
- Rate: it falls as the climb goes on (Robbins and Monro). On a hill that is quadratic in Elo the noise of the games
  keeps the point at an expected loss of `dimensions * rate / (32 k pairs)` Elo below the top, whatever the curvatures
  (k: expected score per Elo near a tie): a high first rate climbs a high hill sooner, and walks away from a near top.
- Averaging: the candidate is the mean of the later iterates, with weights that grow polynomially, which is less noisy
  than any of them (Polyak and Juditsky 1992; Shamir and Zhang 2013).
- Blocking (Spall, "Introduction to Stochastic Search and Optimization", section 7.8.2): at the end of a block the mean
  plays the champion. Where it clearly loses, the climb starts again from the champion at half the rate; only a mean
  that seems better is offered to the gate.

No question waits for another: each is made of its number and the present point, and each answer moves the point that
stands when it comes. Weights with levels stay as they are: `racing` decides those.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log10, sqrt
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.tuner.optimise import Answer, Point, Question, SearchSpace
from pipeline.tuner.optimise.snapshot import chance, pack, point_of, unpack

KIND = "spsa"
PAIRS = 4
"""Seeds of one question: many directions with few games each beat few directions with many."""
PROBE_BUNDLE, PROBE_EVERY = 8, 16
"""Questions that only probe: so many at first, and one in so many later."""
FIRST_RATE, RATE_FALLS_AFTER, RATE_POWER = 0.15, 300.0, 0.7
"""The rate is first * (1 + answers / after) ** -power. Simulated with 13 and with 60 weights and 30 to 325 Elo to be
had: 0.18 is a little ahead on the high hills, 0.12 on the low ones, 0.3 behind nearly everywhere."""
AVERAGE_POWER = 3.0
BLOCK_GROWTH, LARGEST_BLOCK = 1.25, 800
CHECK_PATIENCE = 64
"""A check that has not been answered when so many other answers have come is asked again."""
PAIR_DEVIATION = 0.35
"""Standard deviation of a pair's mean score, about."""
LOST_BY = 1.5
"""Standard errors by which a check counts as lost."""
CLEAR_LOSS = 0.02
"""Loss at the gate from which the climb starts again from the champion."""
_STEP, _PROBE, _CHECK = "step", "probe", "check"
PROBED_LOSS_ELO = 120.0
"""What a perturbed point may lose to the middle: a score of one third."""
FIRST_REACH, LEAST_REACH, MOST_REACH = 0.3, 0.04, 1.0
"""Share of a weight's size: of the first questions, and the limits of what the probes may set."""
PRIOR_GAMES = 16.0
"""Games that the first reach counts for against the probes'."""
FADING = 0.96
"""What earlier probes count for at each further one: the hill is another one where the climb has come to."""
_LEAST_CURVATURE = 1e-6


@dataclass(frozen=True)
class Checks:
    """When the mean is held against the champion, and what is worth the gate's games."""

    first_block: int
    """Answers before the first check."""
    least_pairs: int
    share: float
    """Pairs of a check: so many at least, and per answer of the block."""
    better_by: float
    """Standard errors over one half from which the mean is offered to the gate."""


CHECKS = Checks(first_block=40, least_pairs=16, share=0.125, better_by=0.5)
DEAR_CHECKS = Checks(first_block=400, least_pairs=96, share=0.25, better_by=1.0)
"""Where a game of the gate costs ten of the search's, a test of a thousand of them on the strength of 300 cheap games
is nearly always wasted: first the climb."""


@dataclass(frozen=True)
class _Asked:
    """An open question."""

    purpose: str
    reach: float = 0.0
    offset: Point = field(default_factory=lambda: np.zeros(0))
    """By how much its first point differs from the middle, float64[dimensions]; empty of a check."""


class Spsa:
    """See the module's text; an `Optimiser`."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._moving: NDArray[np.float64] = (np.array(space.levels) == 0).astype(np.float64)
        self._champion: Point = np.array(space.start, dtype=np.float64)
        self._point, self._mean = self._champion.copy(), self._champion.copy()
        self._checks = DEAR_CHECKS if space.dear_gate else CHECKS
        self._probe = ReachProbe()
        self._next = 0
        self._open: dict[int, _Asked] = {}
        self._answers = self._in_block = self._blocks = self._averaged = 0
        self._eased = 1.0
        self._check: tuple[int, Point, int] | None = None
        """Number of the check under way, what it checks, and after how many answers it is given up."""
        self._candidate: Point | None = None

    @property
    def reach(self) -> float:
        """Share of a weight's size by which a perturbed point differs from the middle."""
        return self._probe.reach

    @property
    def rate(self) -> float:
        """Share of the way to a winner of everything that an answer moves the point."""
        return self._eased * FIRST_RATE * float((1 + self._answers / RATE_FALLS_AFTER) ** -RATE_POWER)

    def ask(self, count: int) -> list[Question]:
        return [self._question() for _ in range(count)] if self._moving.any() else []

    def _question(self) -> Question:
        number, reach = self._next, self.reach
        self._next += 1
        if self._check_is_due():
            self._open[number] = _Asked(_CHECK)
            self._check = (number, self._mean.copy(), self._answers + CHECK_PATIENCE)
            pairs = max(self._checks.least_pairs, round(self._checks.share * self._in_block))
            return Question(number, self._mean.copy(), None, pairs)
        offset = self._offset(number, reach)
        middle = np.where(self._moving > 0, np.clip(self._point, np.abs(offset), 1 - np.abs(offset)), self._point)
        probing = _only_probes(number)
        self._open[number] = _Asked(_PROBE if probing else _STEP, self._reached(offset), offset)
        return Question(number, middle + offset, middle if probing else middle - offset, PAIRS)

    def _offset(self, number: int, reach: float) -> NDArray[np.float64]:
        """By how much the first point differs; successive probes mirror each other, so that slopes cancel.

        No farther than to the nearest bound: else the two would lie about another middle, whose slope says nothing of
        the point's.
        """
        drawn, sign = number, 1.0
        if _only_probes(number):
            step = 1 if number < PROBE_BUNDLE else PROBE_EVERY
            if number // step % 2:
                drawn, sign = number - step, -1.0
        signs = chance(self._space, 0, drawn).integers(0, 2, self._space.dimensions) * 2.0 - 1
        scale = np.array(self._space.scale)
        room = np.maximum(np.minimum(self._point, 1 - self._point), LEAST_REACH * scale)
        return np.asarray(sign * signs * np.minimum(np.minimum(reach * scale, room), 0.5) * self._moving)

    def _reached(self, offset: Point) -> float:
        """The reach of an offset that bounds may have cut: the root of the mean square."""
        return sqrt(float(np.sum((offset / np.array(self._space.scale)) ** 2)) / max(1.0, float(self._moving.sum())))

    def tell(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            if answer.question not in self._open:
                raise ValueError(f"question {answer.question} is not open")
            asked = self._open.pop(answer.question)
            pairs = len(answer.scores)
            score = sum(answer.scores) / pairs if pairs else 0.5
            if asked.purpose == _CHECK:
                self._decide(answer.question, score, pairs)
            elif pairs and asked.purpose == _PROBE:
                self._probe.note(score, pairs, asked.reach)
            elif pairs:
                self._step(asked.offset, score, pairs)

    def _step(self, offset: NDArray[np.float64], score: float, pairs: int) -> None:
        moved = self._point + self.rate * min(1.0, pairs / PAIRS) * (2 * score - 1) * offset
        self._point = np.clip(moved, 0.0, 1.0)
        self._answers += 1
        self._in_block += 1
        self._averaged += 1
        share = min(1.0, (1 + AVERAGE_POWER) / (self._averaged + AVERAGE_POWER))
        self._mean = self._mean + share * (self._point - self._mean)

    def _check_is_due(self) -> bool:
        if self._candidate is not None or (self._check is not None and self._answers < self._check[2]):
            return False
        return self._in_block >= min(LARGEST_BLOCK, self._checks.first_block * BLOCK_GROWTH**self._blocks)

    def _decide(self, number: int, score: float, pairs: int) -> None:
        if self._check is None or self._check[0] != number:
            return
        checked, self._check = self._check[1], None
        if not pairs:
            return
        self._in_block = 0
        self._blocks += 1
        error = PAIR_DEVIATION / sqrt(pairs)
        if score < 0.5 - LOST_BY * error:
            self._start_again()
        elif score > 0.5 + self._checks.better_by * error:
            self._candidate = checked

    def candidate(self) -> Point | None:
        return None if self._candidate is None else self._candidate.copy()

    def judged(self, point: Point, promoted: bool, gain: float) -> None:
        self._candidate = None
        if promoted:
            self._champion = np.array(point, dtype=np.float64)
            self._point, self._mean = (
                np.where(self._moving > 0, here, self._champion) for here in (self._point, self._mean)
            )
            self._eased = min(1.0, 2 * self._eased)
        elif gain <= -CLEAR_LOSS:
            self._start_again()

    def _start_again(self) -> None:
        self._point, self._mean = self._champion.copy(), self._champion.copy()
        self._averaged = 0
        self._eased /= 2

    def state(self) -> bytes:
        return pack(
            KIND,
            self._space,
            {
                "champion": self._champion,
                "point": self._point,
                "mean": self._mean,
                "candidate": self._candidate,
                "probe": self._probe.state(),
                "next": self._next,
                "open": [
                    [number, asked.purpose, asked.reach, asked.offset.tolist()] for number, asked in self._open.items()
                ],
                "counts": [self._answers, self._in_block, self._blocks, self._averaged],
                "eased": self._eased,
                "check": self._check,
            },
        )

    @classmethod
    def restore(cls, state: bytes) -> Self:
        space, told = unpack(KIND, state)
        search = cls(space)
        search._champion, search._point, search._mean = (point_of(told[key]) for key in ("champion", "point", "mean"))
        search._candidate = None if told["candidate"] is None else point_of(told["candidate"])
        search._probe = ReachProbe.restore(told["probe"])
        search._next, search._eased = told["next"], told["eased"]
        # A state of before questions kept their offset holds open ones without: their answers move nothing.
        search._open = {
            number: _Asked(purpose, reach, point_of(offset[0]) if offset else np.zeros(space.dimensions))
            for number, purpose, reach, *offset in told["open"]
        }
        search._answers, search._in_block, search._blocks, search._averaged = told["counts"]
        check = told["check"]
        search._check = None if check is None else (check[0], point_of(check[1]), check[2])
        return search


def _only_probes(number: int) -> bool:
    return number < PROBE_BUNDLE or number % PROBE_EVERY == 0


class ReachProbe:
    """What the probes said so far."""

    def __init__(self) -> None:
        self._losses = PRIOR_GAMES * PROBED_LOSS_ELO * FIRST_REACH**2
        self._squares = PRIOR_GAMES * FIRST_REACH**4

    @property
    def reach(self) -> float:
        """Share of a weight's size by which a perturbed point should differ from the middle."""
        curvature = max(self._losses / self._squares, _LEAST_CURVATURE)
        return min(MOST_REACH, max(LEAST_REACH, sqrt(PROBED_LOSS_ELO / curvature)))

    def note(self, score: float, pairs: int, reach: float) -> None:
        """Count a probe: the perturbed point's mean score against the middle in so many pairs of games."""
        games = 2 * pairs
        share = (score * games + 0.5) / (games + 1)  # Anscombe's: a logit of few games without bias
        weight = games * 4 * share * (1 - share)  # a lopsided score says less about Elo
        self._losses = FADING * self._losses + weight * 400 * log10((1 - share) / share) * reach**2
        self._squares = FADING * self._squares + weight * reach**4

    def state(self) -> list[float]:
        """For `restore`."""
        return [self._losses, self._squares]

    @classmethod
    def restore(cls, state: Any) -> Self:
        """The probe that `state` came from."""
        probe = cls()
        probe._losses, probe._squares = float(state[0]), float(state[1])
        return probe
