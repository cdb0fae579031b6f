"""What is wanted of a configuration, and how much of it the games show: score, win rates, game length, move time.

One objective is tuned through the gate. Several are searched as a Pareto front, by `pipeline.tuner.fronts`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, isnan, log, nan, sqrt
from pathlib import PurePath
from statistics import fmean, variance

from pipeline.referee.endpoint import shown_place
from pipeline.tuner.contest import Contest, SeedGames
from pipeline.tuner.jobs import GameResult, JobResult
from schemas.tuning import TunerSettings, Wanted

_MEANING = {
    Wanted.SCORE: "score; more is better, against the present weights 0.5 is even",
    Wanted.WIN_RATE: "score against this opponent; more is better",
    Wanted.LENGTH: "turns of a game; more is better",
    Wanted.SHORT_LENGTH: "turns of a game; fewer are better",
    Wanted.MOVE_TIME: "time thought a move, in those that the present weights take in the same games; less is better",
}


@dataclass(frozen=True)
class Aim:
    """One objective."""

    wanted: Wanted
    opponent: int | None = None
    """Which opponent's win rate; None: no win rate, or the only one."""
    name: str = ""

    @property
    def sign(self) -> int:
        """1: more is better; -1: less is."""
        return -1 if self.wanted in (Wanted.SHORT_LENGTH, Wanted.MOVE_TIME) else 1

    @property
    def meaning(self) -> str:
        """For people."""
        return _MEANING[self.wanted]


@dataclass(frozen=True)
class Estimate:
    """A value and its standard error."""

    value: float
    error: float


def aims_of(settings: TunerSettings) -> tuple[Aim, ...]:
    """The objectives that the settings name; a win rate is one for each opponent."""
    aims: list[Aim] = []
    for wanted in settings.objectives:
        if wanted is Wanted.WIN_RATE:
            names = [PurePath(each).name or each for each in map(shown_place, settings.opponents)]
            aims += [Aim(wanted, number, f"win rate against {name}") for number, name in enumerate(names)]
        else:
            aims.append(Aim(wanted, None, wanted.value.lstrip("-").replace("_", " ")))
    return tuple(aims)


def estimates(aims: Sequence[Aim], contest: Contest, results: Mapping[str, JobResult]) -> tuple[Estimate, ...]:
    """What the contest's games say of its first configuration, by objective.

    nan where they say nothing: of an opponent that was not met, or of the time where nobody took it.
    """
    scores = [score.own for score in contest.scores(results, candidate_first=True)]
    games = contest.games(results)
    found = []
    for aim in aims:
        values = [_value(aim, score, seed) for score, seed in zip(scores, games, strict=True)]
        found.append(_ratio(values) if aim.wanted is Wanted.MOVE_TIME else _estimate(values))
    return tuple(found)


def _ratio(values: Sequence[float]) -> Estimate:
    """Of ratios the geometric mean: of noisy times the plain one would call equals unequal, whoever stands above."""
    logs = _estimate([log(value) if value > 0 else nan for value in values])
    return Estimate(exp(logs.value), exp(logs.value) * logs.error)


def _value(aim: Aim, score: float, seed: SeedGames) -> float:
    if aim.opponent is not None:
        return score if seed.opponent == aim.opponent else nan
    if aim.wanted is Wanted.SCORE or aim.wanted is Wanted.WIN_RATE:
        return score
    if aim.wanted is Wanted.MOVE_TIME:
        own, other = _mean_ms(seed.own, 0), _mean_ms(seed.other, seed.other_participant)
        return own / other if other > 0 else nan
    return fmean(game.turns for game in seed.own)


def _mean_ms(games: Sequence[GameResult], participant: int) -> float:
    times = [ms for game in games for ms, who in zip(game.move_ms, game.rotation, strict=True) if who == participant]
    return fmean(times) if times and not any(map(isnan, times)) else nan


def _estimate(values: Sequence[float]) -> Estimate:
    known = [value for value in values if not isnan(value)]
    if not known:
        return Estimate(nan, nan)
    return Estimate(fmean(known), sqrt(variance(known) / len(known)) if len(known) > 1 else nan)


def dominates(first: Sequence[float], second: Sequence[float]) -> bool:
    """Whether the first is nowhere worse and somewhere better; of values of which more is better."""
    return all(one >= other for one, other in zip(first, second, strict=True)) and tuple(first) != tuple(second)


def not_dominated(values: Sequence[Sequence[float]]) -> list[int]:
    """The places of those that no other dominates, in order; of equal ones the first."""
    found: list[int] = []
    for place, own in enumerate(values):
        twin = any(tuple(values[other]) == tuple(own) for other in found)
        if not twin and not any(dominates(other, own) for other in values):
            found.append(place)
    return found


def spread(count: int, most: int) -> list[int]:
    """At most so many (two or more) places of so many in a row, evenly spaced, both ends among them."""
    if count <= most:
        return list(range(count))
    return [round(step * (count - 1) / (most - 1)) for step in range(most)]
