"""A backend without snakes: games are drawn by the strength that a known landscape gives to weights.

For tests and for measuring strategies: the true Elo of every configuration is known, a game costs microseconds, and the
same job gives the same games. Games end in an order that a seed shuffles, as real ones do.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from math import nan

from pipeline.tuner import weights
from pipeline.tuner.backends import GameOrder, PlayedGame
from pipeline.tuner.jobs import GameResult, JobFailure, MatchJob, Participant, SourceKind
from schemas.tuning_run import WeightValue

Strength = Callable[[Mapping[str, WeightValue]], float]
"""Elo of weights, by path."""
SEED_SPREAD_ELO = 120.0
"""How much the board of one seed favours a seat, in Elo, at one standard deviation."""


@dataclass(frozen=True)
class Hill:
    """A quadratic hill: `top[path]` is each weight's best value, and missing it by `width[path]` costs `loss_elo`.

    Weights that are not named change nothing.
    """

    top: Mapping[str, float]
    width: Mapping[str, float]
    loss_elo: float = 10.0

    def __call__(self, values: Mapping[str, WeightValue]) -> float:
        return -self.loss_elo * sum(
            ((float(values[path]) - best) / self.width[path]) ** 2 for path, best in self.top.items() if path in values
        )


@dataclass
class SimulatedBackend:
    """See the module's text.

    Args:
        strength: the landscape.
        faults: by order, what each seat failed in; empty words: nothing.
        refuse: why a job cannot be played, None: it can.
        passing: called before each game; tests stop or kill here.
        rival_elo: of participants that are no weights.
    """

    strength: Strength
    faults: Callable[[GameOrder], tuple[str, ...]] = lambda order: ("",) * len(order.job.line)
    refuse: Callable[[MatchJob], JobFailure | None] = lambda _job: None
    passing: Callable[[], None] = lambda: None
    rival_elo: float = 0.0
    move_ms: Callable[[Mapping[str, WeightValue]], float] = lambda _values: nan
    """Milliseconds of a move, by weights."""
    capacity: int = 64
    shuffle_seed: int = 0
    name: str = "simulated"
    notice: str = "Games are simulated: a known landscape, no snakes."
    games: int = 0
    _under_way: list[GameOrder] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._order = random.Random(self.shuffle_seed)
        self._elo = cache(self._elo_of)
        self._ms = cache(self._ms_of)

    def begin(self, orders: Sequence[GameOrder]) -> None:
        self._under_way.extend(orders)

    def finished(self, timeout_s: float) -> list[PlayedGame]:
        count = min(len(self._under_way), self._order.randint(1, 64))
        ended = []
        for _ in range(count):
            order = self._under_way.pop(self._order.randrange(min(8, len(self._under_way))))
            self.passing()
            refused = self.refuse(order.job)
            self.games += refused is None
            ended.append(PlayedGame(order.job.id, order.number, refused or self._game(order)))
        return ended

    def drop(self, job_id: str) -> None:
        self._under_way = [order for order in self._under_way if order.job.id != job_id]

    def close(self) -> None:
        self._under_way.clear()

    def _elo_of(self, who: Participant, overrides: tuple[tuple[str, WeightValue], ...]) -> float:
        if who.source is not SourceKind.WEIGHTS:
            return self.rival_elo
        return self.strength({**weights.parse(who.text, "simulated").values, **dict(overrides)})

    def _ms_of(self, who: Participant, overrides: tuple[tuple[str, WeightValue], ...]) -> float:
        if who.source is not SourceKind.WEIGHTS:
            return nan
        return self.move_ms({**weights.parse(who.text, "simulated").values, **dict(overrides)})

    def _game(self, order: GameOrder) -> GameResult:
        job = order.job
        seed, rotation = job.games[order.number]
        overrides = tuple(job.conditions.overrides.items())
        elos = [self._elo(job.participants[who], overrides) for who in rotation]
        board = random.Random(f"{seed} {len(rotation)}")
        favours = [board.gauss(0, SEED_SPREAD_ELO) for _ in rotation]
        chance = random.Random(f"{seed} {elos}")
        odds = [10 ** ((elo + favour) / 400) for elo, favour in zip(elos, favours, strict=True)]
        ranking = _ranking(odds, chance)
        turns = 40 + chance.randrange(200)
        places = {seat: place for place, seat in enumerate(ranking)}
        digest = blake2b(f"{seed} {elos} {ranking}".encode(), digest_size=16).hexdigest()
        return GameResult(
            seed=seed,
            rotation=rotation,
            scores=tuple(1.0 if places[seat] == 0 else 0.0 for seat in range(len(rotation))),
            turns=turns,
            lengths=tuple(3 + chance.randrange(20) for _ in rotation),
            died_on=tuple(
                0 if places[seat] == 0 else max(1, turns - 9 * (places[seat] - 1)) for seat in range(len(elos))
            ),
            causes=tuple("" if places[seat] == 0 else "wall-collision" for seat in range(len(elos))),
            failures=self.faults(order),
            move_ms=tuple(self._ms(job.participants[who], overrides) for who in rotation),
            transcript=digest,
        )


def _ranking(odds: Sequence[float], chance: random.Random) -> list[int]:
    """Seats from the winner down, drawn one after the other by their odds among those left (Plackett and Luce)."""
    left = list(range(len(odds)))
    ranking = []
    while left:
        (drawn,) = chance.choices(left, [odds[seat] for seat in left])
        left.remove(drawn)
        ranking.append(drawn)
    return ranking
