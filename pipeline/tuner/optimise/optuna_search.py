"""CMA-ES, TPE, a Gaussian process and NSGA-II, all from Optuna, asked and told.

Akiba and others, "Optuna: a next-generation hyperparameter optimization framework", KDD 2019. A trial is a point that
plays the champion; its value is the Elo that the score says, added to the champion's over the start, so that trials
before and after a promotion can be compared. The search looks within three quarters of a weight's size about the start.

These methods think for tens of milliseconds about each trial (the Gaussian process for seconds) and learn most from
some hundreds of them, so trials get more games as they go on (`pairs_of`). Each trial is drawn by a sampler of its own,
seeded by the trial's number: all else that it knows stands in the trials, which are the state.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import log10, sqrt
from typing import Any, ClassVar, Self

import numpy as np

from pipeline.tuner.optimise import Answer, Point, Question, SearchSpace
from pipeline.tuner.optimise.optuna_trials import OptunaTrials, pairs_of, trials_not_counted
from pipeline.tuner.optimise.snapshot import pack, point_of, settled, unpack
from schemas.errors import SettingsError

CONTENDER_PAIRS = 4
"""Times a trial's seeds, that a contender for the gate plays."""
_TRIAL = "trial"
_CONTENDER = "contender"
SINGLES = 2
PAIR_DEVIATION = 0.35
WORTH_BY = 0.5
"""Standard errors over one half from which the best contender is worth the gate's games."""


@dataclass(frozen=True)
class Method:
    """One of Optuna's samplers, and how it is best used."""

    sampler: str
    doubling: int
    """Trials after which the next ones get twice the seeds."""
    between: int
    """Trials between two candidates."""


class OptunaSearch:
    """An `Optimiser`; its subclasses name the method."""

    method: ClassVar[Method]

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._champion: Point = np.array(space.start, dtype=np.float64)
        self._trials = OptunaTrials(space, self.method.sampler)
        self._next = self._told = self._told_at_last = self._uncounted = 0
        self._champion_elo = 0.0
        self._open: dict[int, tuple[str, int, float]] = {}
        """Number -> what it is for, the trial's number, and the Elo of the champion that it plays."""
        self._shortlist: Shortlist | None = None
        self._candidate: Point | None = None

    def ask(self, count: int) -> list[Question]:
        return [self._question() for _ in range(count)]

    def _question(self) -> Question:
        number = self._next
        self._next += 1
        if self._shortlist is not None and self._shortlist.waiting:
            self._open[number] = (_CONTENDER, 0, self._champion_elo)
            point = settled(self._space, self._shortlist.asked(number))
            return Question(number, point, None, CONTENDER_PAIRS * self._pairs(self._told))
        trial, point = self._trials.ask()
        self._open[number] = (_TRIAL, trial, self._champion_elo)
        return Question(number, settled(self._space, point), None, self._pairs(trial))

    def _pairs(self, trial: int) -> int:
        return pairs_of(trial - self._uncounted, self.method.doubling)

    def tell(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            if answer.question not in self._open:
                raise ValueError(f"question {answer.question} is not open")
            purpose, trial, against = self._open.pop(answer.question)
            if purpose == _TRIAL:
                self._trials.tell(trial, against + _elo(answer.scores) if answer.scores else None)
                self._told += bool(answer.scores)
            elif self._shortlist is not None:
                self._shortlist.note(answer.question, answer.scores)
            self._consider()

    def _consider(self) -> None:
        listed = self._shortlist
        if listed is not None and listed.done(self._told, {n for n, what in self._open.items() if what[0] != _TRIAL}):
            self._candidate, self._shortlist = listed.best(), None
            self._told_at_last = self._told
        elif listed is None and self._candidate is None and self._told >= self._told_at_last + self.method.between:
            points, values = self._trials.completed(2 * self.method.between)
            self._shortlist = Shortlist.of(points, values, self._told + self.method.between)

    def candidate(self) -> Point | None:
        return None if self._candidate is None else settled(self._space, self._candidate)

    def judged(self, point: Point, promoted: bool, gain: float) -> None:
        self._candidate = None
        if promoted:
            self._champion = np.array(point, dtype=np.float64)
            share = min(0.99, max(0.01, 0.5 + gain))
            self._champion_elo += 400 * log10(share / (1 - share))
            self._shortlist = None

    def state(self) -> bytes:
        told: dict[str, Any] = {
            "champion": self._champion,
            "champion_elo": self._champion_elo,
            "counts": [self._next, self._told, self._told_at_last],
            "uncounted": self._uncounted,
            "open": [[number, *what] for number, what in self._open.items()],
            "shortlist": None if self._shortlist is None else self._shortlist.state(),
            "candidate": self._candidate,
            "optuna": self._trials.dump(),
        }
        return pack(self.method.sampler, self._space, told)

    @classmethod
    def restore(cls, state: bytes) -> Self:
        space, told = unpack(cls.method.sampler, state)
        search = cls(space)
        search._champion, search._champion_elo = point_of(told["champion"]), told["champion_elo"]
        search._next, search._told, search._told_at_last = told["counts"]
        search._uncounted = trials_not_counted(told, cls.method.doubling)
        search._open = {number: (purpose, trial, against) for number, purpose, trial, against in told["open"]}
        search._shortlist = None if told["shortlist"] is None else Shortlist.restore(told["shortlist"])
        search._candidate = None if told["candidate"] is None else point_of(told["candidate"])
        search._trials.load(told["optuna"])
        return search


class CmaEs(OptunaSearch):
    """Covariance matrix adaptation, with a learning rate that adapts to noise."""

    method = Method("cma_es", doubling=150, between=48)


class Tpe(OptunaSearch):
    """Tree-structured Parzen estimators."""

    method = Method("tpe", doubling=125, between=48)


class Nsga2(OptunaSearch):
    """The genetic algorithm of Deb and others (2002)."""

    method = Method("nsga2", doubling=150, between=64)


class GaussianProcess(OptunaSearch):
    """Bayesian optimisation by a Gaussian process: for few weights and dear games. It needs PyTorch.

    Raises:
        SettingsError: PyTorch is not installed.
    """

    method = Method("gp", doubling=30, between=24)

    def __init__(self, space: SearchSpace) -> None:
        if importlib.util.find_spec("torch") is None:
            raise SettingsError(
                "the search gp needs PyTorch, which is not installed",
                where="tuner.search",
                remedy="Install it with: pip install 'ouroboros[train]', or use another search.",
            )
        super().__init__(space)


def _elo(scores: Sequence[float]) -> float:
    """Elo over the champion; half a game on either side keeps it finite and without bias (Anscombe's logit)."""
    games = 2 * len(scores)
    won = 2 * sum(scores)
    return 400 * log10((won + 0.5) / (games - won + 0.5))


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
