"""Games of the built-in heuristics: for imitation (a teacher in every game, opponents varied), and of any setting."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.data.game_making import LearnedSeats, games_from
from pipeline.data.stored_game import CollectedGames
from pipeline.engine.game_spec import CLI_DEFAULTS, RuleSettings, read_settings
from pipeline.engine.players.kinds import kind_of
from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.simulator.competitor import HEURISTIC, heuristic
from pipeline.simulator.matches import play_matches
from schemas.cgroup import usable_processors
from schemas.errors import DataError
from schemas.phases import DataSource
from schemas.self_play import OpponentShare, SelfPlaySettings

GAMES_AT_ONCE = 256
_ROUND = 2 * GAMES_AT_ONCE
CROWD = 4
_KNOWN: Final = ("width", "height", "snakes", "ruleset", "map", "settings", "timeout")


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

    def conditions(self, seats: int) -> GameConditions:
        """Return the conditions of its games of `seats` snakes."""
        return GameConditions(self.width, self.height, seats, self.ruleset, self.map_id, self.settings)


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


class BattlesnakeDataCollector:
    """Lets the teacher and varied opponents play."""

    def __init__(self, teacher: str = "strong", seed: int | None = None) -> None:
        """Take who plays in every game; `seed` None: a fresh one is drawn. Every game stores its own."""
        self.teacher: Final = teacher
        self.seed: Final = secrets.randbits(63) if seed is None else seed
        self._calls = 0

    def collect_batch_games(
        self,
        num_games: int,
        game_config: Mapping[str, Any] | None = None,
        parallel_processes: int | None = None,
        now: datetime | None = None,
    ) -> CollectedGames:
        """Play `num_games` games; hand the result to `SelfPlayDataManager.import_external_games` to store it.

        Args:
            game_config: width, height (11), ruleset, map ("standard"), settings (the rules' own names), snakes (left
                out: duels and four-player games by turns), timeout (ms a move, checked to be positive; the built-in
                players think for microseconds and cannot overstep it).
            parallel_processes: threads; None: one per core.

        Raises:
            DataError: an unknown field, or a time-out that is none.
            GameStateError: a game that cannot be set up so.
        """
        config = dict(game_config or {})
        unknown = sorted(set(config) - set(_KNOWN))
        if unknown:
            raise DataError(f"unknown {', '.join(unknown)}", where="game_config", remedy=f"Known: {', '.join(_KNOWN)}.")
        if not config.get("timeout", 1) > 0:
            raise DataError(f"a time-out of {config['timeout']} ms", where="game_config.timeout")
        mix = HeuristicMix(
            self.teacher,
            SelfPlaySettings().heuristics,
            seats=config.get("snakes"),
            width=config.get("width", 11),
            height=config.get("height", 11),
            ruleset=config.get("ruleset", "standard"),
            map_id=config.get("map", "standard"),
            settings=read_settings(config.get("settings"), CLI_DEFAULTS),
        )
        self._calls += 1
        seed = self.seed + self._calls
        source, moment = DataSource.HEURISTIC_SUPERVISION.value, now or datetime.now(UTC)
        threads = parallel_processes or usable_processors()
        rounds = list(play_mix(mix, num_games, source, seed, moment, threads=threads))
        return CollectedGames([game for r in rounds for game in r.games], unstored=sum(r.unstored for r in rounds))
