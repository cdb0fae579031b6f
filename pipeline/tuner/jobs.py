"""What is played: a job asks for games between configurations, a result holds what came of them.

Every kind of game the tuner plays (probes, candidates, the gate, the screen, tournaments) is a `MatchJob`, so one queue
and one ledger serve them all. A job is plain data and says everything that its games depend on: whoever plays it, on
whichever backend, in whatever order, gets the same games.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cache, lru_cache
from typing import Any

from pipeline.referee.schedule import MatchConditions, RuleNumbers
from schemas.tuning_run import WeightValue

_BITS = 60
_MASK = (1 << _BITS) - 1
_EPOCH_BITS, _SERIAL_BITS, _PAIR_BITS = 16, 24, 20


class JobKind(StrEnum):
    """What a job's games are for."""

    PROBE = "probe"
    """An optimiser's question."""
    GATE = "gate"
    """The sequential test of a candidate against the champion."""
    NO_REGRESSION = "no_regression"
    """The candidate against the pool."""
    MEASUREMENT = "measurement"
    """Unseen seeds after the decision: the number that is shown."""
    SCREEN = "screen"
    """Which weights change a move or a result."""
    TOURNAMENT = "tournament"


class SourceKind(StrEnum):
    """Where a participant comes from."""

    WEIGHTS = "weights"
    """Our snake's build with this weights text."""
    FOLDER = "folder"
    """Another snake's folder, built and started as ours is."""
    URL = "url"
    """A snake that runs already."""
    PLAYER = "player"
    """A player of the simulator: a heuristic, or a network with its weights (`pipeline.cluster.match_games`)."""

    @property
    def is_text(self) -> bool:
        """Whether all of it stands in the participant's text, so that it can be sent."""
        return self in {SourceKind.WEIGHTS, SourceKind.PLAYER}


@dataclass(frozen=True, slots=True)
class Participant:
    """One snake of a job; equal participants are the same snake."""

    source: SourceKind
    text: str
    """The whole text of the weights' file or the player, the folder, or the URL."""


@dataclass(frozen=True, slots=True)
class PlayConditions:
    """How games are played: the referee's conditions, and what of the weights' file is set for these games only.

    `overrides` (path -> value) is how a search budget is set for any snake whose file holds one: probes play cheaply,
    the gate plays as the snake is deployed. They apply to participants of kind WEIGHTS.
    """

    referee: MatchConditions = field(default_factory=MatchConditions)
    overrides: Mapping[str, WeightValue] = field(default_factory=dict)


def restored_conditions(plain: Mapping[str, Any]) -> PlayConditions:
    """The conditions that `dataclasses.asdict` made plain.

    Raises:
        TypeError, KeyError: they are of another version.
        BadInputError: a number out of its range.
    """
    referee = dict(plain["referee"])
    numbers = RuleNumbers(**referee.pop("numbers"))
    return PlayConditions(MatchConditions(**referee, numbers=numbers), plain["overrides"])


@dataclass(frozen=True, slots=True)
class MatchJob:
    """Games between participants: every seed is played once in every rotation of `line`.

    `line` names participants by index, one for each seat (2 to 4 seats; an index may stand several times): (0, 1) is a
    duel from both seats, (0, 1, 1, 1) one against three, from all four.
    """

    id: str
    """Unique in a run and the same when the run is repeated: results are recorded once by it."""
    kind: JobKind
    participants: tuple[Participant, ...]
    line: tuple[int, ...]
    seeds: tuple[int, ...]
    conditions: PlayConditions

    @property
    def games(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Seed and rotation of every game, in the order that results have."""
        return _games_of(self.seeds, self.line)

    @property
    def rotations(self) -> tuple[tuple[int, ...], ...]:
        """The distinct rotations of `line`, each of them one game on each seed."""
        return _rotations_of(self.line)


@cache
def _rotations_of(line: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    return tuple(dict.fromkeys(line[shift:] + line[:shift] for shift in range(len(line))))


@lru_cache(maxsize=256)
def _games_of(seeds: tuple[int, ...], line: tuple[int, ...]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    return tuple((seed, rotation) for seed in seeds for rotation in _rotations_of(line))


@dataclass(frozen=True, slots=True)
class GameResult:
    """One finished game of a job.

    The transcript hash is `pipeline.referee.transcript_hash`: BLAKE2b-128 over every move of every seat. It is
    the same wherever the same snakes play the same seed.
    """

    seed: int
    rotation: tuple[int, ...]
    """The participant at each seat."""
    scores: tuple[float, ...]
    """By seat, the share of the point: 1 for the winner, shared by those who died last together or lived at the turn
    limit; sums to 1."""
    turns: int
    lengths: tuple[int, ...]
    died_on: tuple[int, ...]
    """By seat, the turn of its death; 0: alive at the end."""
    causes: tuple[str, ...]
    """By seat, the rules' word for the death; empty: alive at the end."""
    failures: tuple[str, ...]
    """By seat, what went wrong in answering (time-out, crash, nonsense); empty: nothing."""
    move_ms: tuple[float, ...]
    """By seat, the mean milliseconds of a move, as the backend sees it; nan where it does not."""
    transcript: str


@dataclass(frozen=True, slots=True)
class JobFailure:
    """A job that cannot be played: a snake does not build, start or answer at all."""

    job_id: str
    what: str
    where: str
    remedy: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.what) if part)


@dataclass(frozen=True, slots=True)
class JobResult:
    """A job's games in the order seed by seed, rotation by rotation."""

    job_id: str
    games: tuple[GameResult, ...]

    @property
    def failed_games(self) -> int:
        """Games in which a snake failed to answer at least once."""
        return sum(any(game.failures) for game in self.games)

    def seed_scores(self, participant: int) -> tuple[float, ...]:
        """Per seed, the participant's mean score a seat over all rotations: the unit that statistics may count."""
        by_seed: dict[int, list[float]] = {}
        for game in self.games:
            own = [score for score, who in zip(game.scores, game.rotation, strict=True) if who == participant]
            by_seed.setdefault(game.seed, []).extend(own)
        return tuple(sum(scores) / len(scores) for scores in by_seed.values())


class Stage(IntEnum):
    """What the games are for. Each stage has its own eighth of the seed space."""

    GATE = 1
    POOL = 2
    MEASUREMENT = 3
    PROBE = 4
    SCREEN = 5
    TOURNAMENT = 6


def pair_seeds(
    campaign_seed: int, stage: Stage, epoch: int, serial: int, count: int, first: int = 0
) -> tuple[int, ...]:
    """The seeds of one evaluation, one for each pair of games, all in 0..2**63 - 1.

    The number (epoch, serial, pair) is scattered over 60 bits by a bijection that the campaign's seed chooses, and the
    stage stands above it. So within a campaign two seeds are equal only if all four numbers are; a test proves it.

    Args:
        epoch: number of the chapter (an optimiser's life) within the campaign, below 2**16.
        serial: number of the evaluation within the chapter, below 2**24.
        count: pairs; with `first` at most 2**20.
        first: how many pairs of the evaluation to leave out at its beginning.

    Raises:
        ValueError: a number out of its range.
    """
    if not (
        0 <= epoch < 1 << _EPOCH_BITS and 0 <= serial < 1 << _SERIAL_BITS and 0 <= first + count <= 1 << _PAIR_BITS
    ):
        raise ValueError(f"epoch {epoch}, serial {serial} or {count} pairs: beyond the seed space of a campaign")
    begin = ((epoch << _SERIAL_BITS | serial) << _PAIR_BITS) + first
    return tuple(stage << _BITS | _scatter(begin + pair, campaign_seed) for pair in range(count))


def _scatter(number: int, key: int) -> int:
    """A bijection of 60-bit numbers: xor-shifts, odd multiplications and xors (after Steele and Vigna's mixers)."""
    number ^= (key * 0x9E3779B97F4A7C15) & _MASK
    for multiplier in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):
        number ^= number >> 31
        number = number * multiplier & _MASK
    number ^= number >> 29
    return number ^ (key >> 3 & _MASK)
