"""How two configurations are compared: which jobs that takes, and what their games say, seed by seed.

Every strategy, the gate and the measurements compare in this one way, so what is optimised is what is judged. Without
opponents the two play each other; with opponents both play the same opponents on the same seeds. In games of four a
place counts, not only the first: a snake scores against each of the other side's that it outlives.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from pipeline.tuner.jobs import GameResult, JobKind, JobResult, MatchJob, Participant, PlayConditions
from schemas.tuning import Objective

_LINES = {"duel": (0, 1), "standard": (0, 1, 0, 1)}
_LINES_AGAINST_OPPONENTS = {"duel": (0, 1), "standard": (0, 1, 1, 1)}


@dataclass(frozen=True)
class SeedScore:
    """What the games of one seed say of the first configuration."""

    own: float
    """0..1; its own score: against the second configuration, or against the opponents."""
    gain: float
    """What it scored beyond one half against the second, or beyond the second's score against the opponents."""
    unchanged: bool
    """Both played the very same games: the change alters no move on this seed."""


@dataclass(frozen=True)
class SeedGames:
    """The games of one seed, for what a score does not say."""

    own: list[GameResult]
    """The first configuration's, as participant 0."""
    other: list[GameResult]
    """The second's: against opponents in games of its own."""
    other_participant: int
    opponent: int | None
    """Which opponent; None: each other."""


@dataclass(frozen=True)
class _Part:
    """The seeds of a contest that share seats and opponent."""

    name: str
    line: tuple[int, ...]
    opponent: Participant | None
    places: tuple[int, ...]
    """Which seeds of the contest."""
    number: int = 0
    """Of the opponent."""


@dataclass(frozen=True)
class Contest:
    """A comparison of two configurations on some seeds.

    Args:
        name: unique in the run; the jobs are named after it.
        opponents: whom both play; empty: each other.
        offset: place of the first seed in a longer contest, of which this is a part: opponents and seats go by turns.
    """

    name: str
    kind: JobKind
    first: Participant
    second: Participant
    seeds: tuple[int, ...]
    conditions: PlayConditions
    objective: Objective
    opponents: tuple[Participant, ...] = ()
    offset: int = 0

    @property
    def jobs(self) -> tuple[MatchJob, ...]:
        """What is to be played."""
        return tuple(job for part in self._parts() for job in self._jobs_of(part))

    def scores(self, results: Mapping[str, JobResult], *, candidate_first: bool) -> list[SeedScore]:
        """By seed, in the order of `seeds`.

        Games in which one side failed to answer and the other did not are never won by the other: at most a draw for
        it. A candidate's own failures (`candidate_first`) count as the game went.
        """
        found: dict[int, SeedScore] = {}
        for part in self._parts():
            jobs = self._jobs_of(part)
            sides = [list(_by_seed(results[job.id], job)) for job in jobs]
            for number, place in enumerate(part.places):
                games = [side[number] for side in sides]
                rate = _fair(candidate_first=candidate_first or part.opponent is not None)
                found[place] = _seed_score(games, rate, against_opponent=part.opponent is not None)
        return [found[place] for place in range(len(self.seeds))]

    def games(self, results: Mapping[str, JobResult]) -> list[SeedGames]:
        """By seed, in the order of `seeds`."""
        found: dict[int, SeedGames] = {}
        for part in self._parts():
            jobs = self._jobs_of(part)
            sides = [list(_by_seed(results[job.id], job)) for job in jobs]
            alone = part.opponent is None
            for number, place in enumerate(part.places):
                own, other = sides[0][number], sides[-1][number]
                found[place] = SeedGames(own, other, 1 if alone else 0, None if alone else part.number)
        return [found[place] for place in range(len(self.seeds))]

    def _parts(self) -> Iterator[_Part]:
        modes = ["duel", "standard"] if self.objective is Objective.MIXED else [self.objective.value]
        lines = _LINES_AGAINST_OPPONENTS if self.opponents else _LINES
        opponents: Sequence[Participant | None] = self.opponents or (None,)
        count = len(modes) * len(opponents)
        for number in range(count):
            mode, opponent = modes[number % len(modes)], opponents[number // len(modes)]
            places = tuple(place for place in range(len(self.seeds)) if (place + self.offset) % count == number)
            if places:
                against = f"/{number // len(modes)}" if opponent else ""
                yield _Part(f"{self.name}/{mode}{against}", lines[mode], opponent, places, number // len(modes))

    def _jobs_of(self, part: _Part) -> list[MatchJob]:
        seeds = tuple(self.seeds[place] for place in part.places)
        if part.opponent is None:
            sides = [(part.name, (self.first, self.second))]
        else:
            first, second = (self.first, part.opponent), (self.second, part.opponent)
            sides = [(f"{part.name}/first", first), (f"{part.name}/second", second)]
            sides = sides[:1] if self.first == self.second else sides
        return [MatchJob(name, self.kind, people, part.line, seeds, self.conditions) for name, people in sides]


def _by_seed(result: JobResult, job: MatchJob) -> Iterator[list[GameResult]]:
    each = len(job.rotations)
    for start in range(0, len(result.games), each):
        yield list(result.games[start : start + each])


def _seed_score(
    sides: Sequence[list[GameResult]], rate: Callable[[GameResult], float], *, against_opponent: bool
) -> SeedScore:
    own = sum(map(rate, sides[0])) / len(sides[0])
    if len(sides) == 1 and against_opponent:  # the same configuration on both sides
        return SeedScore(own, 0.0, unchanged=True)
    if len(sides) == 1:
        transcripts = {game.transcript for game in sides[0]}
        return SeedScore(own, own - 0.5, unchanged=len(transcripts) == 1)
    other = sum(map(rate, sides[1])) / len(sides[1])
    same = [game.transcript for game in sides[0]] == [game.transcript for game in sides[1]]
    return SeedScore(own, own - other, unchanged=same)


def _plain(game: GameResult) -> float:
    """The share of the other side's snakes that participant 0's outlived, a tie half."""
    ends = [turn or inf for turn in game.died_on]
    own = [end for end, who in zip(ends, game.rotation, strict=True) if who == 0]
    others = [end for end, who in zip(ends, game.rotation, strict=True) if who != 0]
    points = [1.0 if mine > theirs else 0.5 if mine == theirs else 0.0 for mine in own for theirs in others]
    return sum(points) / len(points)


def _fair(*, candidate_first: bool) -> Callable[[GameResult], float]:
    def rate(game: GameResult) -> float:
        score = _plain(game)
        failed = {who for who, failure in zip(game.rotation, game.failures, strict=True) if failure}
        if failed == {1}:
            return min(score, 0.5)
        if failed == {0} and not candidate_first:
            return max(score, 0.5)
        return score

    return rate
