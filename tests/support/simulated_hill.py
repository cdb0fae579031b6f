"""A hill of weights whose height is known, and tuning runs upon it: no snakes, no processes.

Strength in Elo is quadratic about a top, with curvatures that differ from weight to weight, weights without effect and
pairs that interact. A game between two points is won by the logistic law of Elo, with draws, and a seed favours one
seat, so that games come in pairs as the real ones do.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.tuner.gate import GateRules, GateTest, GateVerdict, SeedOutcome
from pipeline.tuner.optimise import Answer, Optimiser, Point, Question, SearchSpace

DRAWS = 0.08
SEAT_ELO = 60.0


@dataclass
class Hill:
    """Gain over the start is `to_gain` Elo at the top."""

    dimensions: int = 60
    inert: int = 12
    interactions: int = 20
    to_gain: float = 325.0
    seed: int = 1
    top: Point = field(init=False)
    start: Point = field(init=False)
    scale: Point = field(init=False)
    hessian: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        count = self.dimensions
        self.start = random.uniform(0.25, 0.6, count)
        self.scale = self.start.copy()
        away = self.scale * random.uniform(0.2, 0.6, count) * random.choice((-1.0, 1.0), count)
        self.top = np.clip(self.start + away, 0.02, 0.98)
        steepness = random.lognormal(0.0, 0.8, count)
        steepness[random.choice(count, self.inert, replace=False)] = 0.0
        coupling = np.eye(count)
        for _ in range(self.interactions):
            one, other = random.choice(count, 2, replace=False)
            coupling[one, other] = coupling[other, one] = random.uniform(-0.3, 0.3)
        root = np.sqrt(steepness) / self.scale
        self.hessian = root[:, None] * coupling * root[None, :]
        self.hessian *= self.to_gain / float((self.start - self.top) @ self.hessian @ (self.start - self.top))

    def elo(self, point: Point) -> float:
        """Elo over the start."""
        away = point - self.top
        return self.to_gain - float(away @ self.hessian @ away)

    def space(self, seed: int) -> SearchSpace:
        return SearchSpace(tuple(self.start.tolist()), (0,) * self.dimensions, tuple(self.scale.tolist()), seed)


def pair_scores(difference: float, pairs: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Mean scores of so many pairs of games of a snake that is better by `difference` Elo."""
    favour = random.normal(0.0, SEAT_ELO, pairs)
    total = np.zeros(pairs)
    for seat in (favour, -favour):
        expected = 1 / (1 + 10 ** (-(difference + seat) / 400))
        drawn = DRAWS * 4 * expected * (1 - expected)
        roll = random.random(pairs)
        total += np.where(roll < expected - drawn / 2, 1.0, np.where(roll < expected + drawn / 2, 0.5, 0.0))
    return total / 2


def gain_of(difference: float) -> float:
    """Expected mean score of a pair less one half, of a snake that is better by `difference` Elo."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(31)
    expected = 1 / (1 + 10 ** (-(difference + SEAT_ELO * nodes) / 400))
    return float(weights @ expected / weights.sum()) - 0.5


def elo_of_gain(gain: float) -> float:
    """The difference in Elo that gains so much."""
    low, high = 0.0, 800.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if gain_of(middle) < gain else (low, middle)
    return (low + high) / 2


@dataclass
class Climb:
    """One whole run: an optimiser, its questions' games, the gate's, until the games are spent."""

    hill: Hill
    search: Optimiser
    rules: GateRules
    seed: int
    in_flight: int = 8
    games: int = 0
    tests: int = 0
    promoted: int = 0
    champion: Point = field(init=False)

    def __post_init__(self) -> None:
        self.champion = self.hill.start
        self._random = np.random.default_rng((self.seed, 99))

    def until(self, games: int, watch: Callable[["Climb"], None] = lambda _climb: None) -> "Climb":
        """Play on until so many games are spent in all."""
        while self.games < games:
            questions = self.search.ask(self.in_flight)
            order = self._random.permutation(len(questions))
            for place in order.tolist():
                self.search.tell([self._answer(questions[place])])
            point = self.search.candidate()
            if point is not None:
                self._judge(point, games)
            elif not questions:
                raise AssertionError("neither a question nor a candidate: the run would hang")
            watch(self)
        return self

    def _answer(self, question: Question) -> Answer:
        second = self.champion if question.second is None else question.second
        difference = self.hill.elo(question.first) - self.hill.elo(second)
        self.games += 2 * question.pairs
        return Answer(question.id, tuple(pair_scores(difference, question.pairs, self._random).tolist()))

    def _judge(self, point: Point, most_games: int) -> None:
        self.tests += 1
        test = GateTest(self.rules, self.tests)
        same = bool(np.array_equal(point, self.champion))
        difference = self.hill.elo(point) - self.hill.elo(self.champion)
        while not test.decided and self.games < most_games:
            for score in pair_scores(difference, 4, self._random).tolist():
                self.games += 0 if test.decided else 2
                test.add(SeedOutcome(score, same))
        decision = test.decision()
        kept = decision.verdict is GateVerdict.PROMOTED
        self.promoted += kept
        if kept:
            self.champion = point
        self.search.judged(point, kept, decision.gain)
