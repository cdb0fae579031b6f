"""Games of the built-in heuristics, for imitation: a teacher in every game, opponents varied, duels and crowds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from pipeline.arena.arena import play_matches
from pipeline.arena.player import HEURISTIC, heuristic
from pipeline.data.collected import CollectedGames
from pipeline.data.game_making import LearnedSeats, games_from
from pipeline.engine.players.kinds import kind_of
from pipeline.engine.players.match import Conditions, fresh_seeds
from pipeline.engine.settings import CLI_DEFAULTS, RuleSettings
from schemas.errors import DataError
from schemas.self_play import OpponentShare

GAMES_AT_ONCE = 256
_ROUND = 2 * GAMES_AT_ONCE
CROWD = 4


@dataclass(frozen=True)
class HeuristicMix:
    """Who meets whom: the teacher in one seat drawn at random, opponents (itself among them) drawn by weight.

    crowd_share: share of four-player games, the others are duels. seats: None, or the number of snakes of every game.
    """

    teacher: str = "strong"
    opponents: Sequence[OpponentShare] = field(default_factory=list)
    crowd_share: float = 0.5
    seats: int | None = None
    width: int = 11
    height: int = 11
    ruleset: str = "standard"
    map_id: str = "standard"
    settings: RuleSettings = CLI_DEFAULTS

    def __post_init__(self) -> None:
        for name in (self.teacher, *(share.kind for share in self.opponents)):
            try:
                kind_of(name)
            except KeyError as error:
                raise DataError(str(error.args[0]), where="teacher, opponents") from error

    def conditions(self, seats: int) -> Conditions:
        """Return the conditions of its games of `seats` snakes."""
        return Conditions(self.width, self.height, seats, self.ruleset, self.map_id, self.settings)


def play_mix(
    mix: HeuristicMix,
    games: int,
    source: str,
    seed: int,
    now: datetime,
    *,
    threads: int = 1,
    stop: Callable[[], bool] | None = None,
) -> Iterator[CollectedGames]:
    """Play `games` games in rounds of up to 512 and yield each round's; equal arguments give equal games.

    The teacher's seats are those to learn from, won or lost: its moves are the target.

    Raises:
        GameStateError: a board or map that cannot be set up.
        StoppedError: `stop` said so; the rounds yielded before stand.
    """
    names = [HEURISTIC + mix.teacher, *(HEURISTIC + share.kind for share in mix.opponents)]
    players = [heuristic(name.removeprefix(HEURISTIC)) for name in names]

    for number, (seats, count) in enumerate(_rounds(mix, games)):
        chance = np.random.default_rng([seed, number])
        finished = play_matches(
            players,
            _seatings(mix, seats, count, chance),
            fresh_seeds(int(chance.integers(2**63)), count),
            mix.conditions(seats),
            tapes=True,
            games_at_once=GAMES_AT_ONCE,
            threads=threads,
            stop=stop,
        )
        made = games_from(finished, names, source, now, learned_from(names[0]))
        yield CollectedGames(made, unstored=count - len(made))


def learned_from(teacher: str) -> LearnedSeats:
    """Return the rule that a game's seats to learn from are those of `teacher`, won or lost."""

    def seats_of(players: tuple[str, ...], _ranks: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(seat for seat, player in enumerate(players) if player == teacher)

    return seats_of


def _rounds(mix: HeuristicMix, games: int) -> Iterator[tuple[int, int]]:
    """Yield (seats, games) of each round, duels and crowds by turns, so that a part holds both."""
    if mix.seats is not None:
        yield from ((mix.seats, count) for count in _parts(games))
        return
    crowds = round(games * mix.crowd_share)
    for duels, crowd in zip_longest(_parts(games - crowds), _parts(crowds), fillvalue=0):
        yield from ((seats, count) for seats, count in ((2, duels), (CROWD, crowd)) if count)


def _parts(games: int) -> list[int]:
    return [min(_ROUND, games - first) for first in range(0, games, _ROUND)]


def _seatings(mix: HeuristicMix, seats: int, count: int, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Return uint8[count, seats]: 0 is the teacher, i + 1 is opponent i."""
    if mix.opponents:
        weights = np.array([share.weight for share in mix.opponents])
        seatings = chance.choice(len(weights), (count, seats), p=weights / weights.sum()) + 1
    else:
        seatings = np.zeros((count, seats), np.int64)
    seatings[np.arange(count), chance.integers(0, seats, count)] = 0
    return seatings.astype(np.uint8)
