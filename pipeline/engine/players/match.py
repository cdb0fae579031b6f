"""Players against each other, whole games in compiled code: the ruler for players and for what they are tuned by."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled
from pipeline.engine.game_spec import CLI_DEFAULTS, RuleSettings, rules_bits
from pipeline.engine.layout import OVER, SEED, Moves, Records
from pipeline.engine.new_game import check_new_game, raise_set_up_problem
from pipeline.engine.players.choose import Kinds, choose_moves
from pipeline.engine.players.kinds import KINDS
from pipeline.engine.players.mind import MIND, Mind, make_mind
from pipeline.engine.record import record_of
from pipeline.engine.starts import FINE
from pipeline.engine.state import write_header
from pipeline.engine.state_checks import read_integer, refuse
from pipeline.engine.turn import begin, play_turn

_GAMES_AT_ONCE: Final = 256


@dataclass(frozen=True)
class GameConditions:
    """Under what conditions players meet; the defaults are a standard duel of the official CLI."""

    width: int = 11
    height: int = 11
    snakes: int = 2
    ruleset: str = "standard"
    map_id: str = "standard"
    settings: RuleSettings = CLI_DEFAULTS
    most_turns: int = 3000


@compiled
def play_out(mind: Mind, records: Records, kinds: Kinds, moves: Moves, most_turns: int) -> int:
    """Set up every game of the batch and play it to its end, or to `most_turns`; return the first problem or FINE."""
    for index in range(kinds.shape[0]):
        game = record_of(records, index)
        problem = begin(game)
        if problem != FINE:
            return problem
        turns = 0
        while not game.fields[OVER] and turns < most_turns:
            choose_moves(mind, game, kinds[index], moves)
            play_turn(game, moves)
            turns += 1
    return FINE


@dataclass(frozen=True)
class Played:
    """How games ended: `deaths` int64[games, snakes], the turn of death or 0 for the living; `turns` int64[games]."""

    deaths: NDArray[np.int64]
    turns: NDArray[np.int64]


def play_games(
    seats: NDArray[np.uint8], seeds: NDArray[np.int64], conditions: GameConditions, mind: Mind | None = None
) -> Played:
    """Play one game per row of `seats` (uint8[games, snakes], a player kind per seat) with that row's seed.

    `mind`: whose weights the thinking players go by; default weights if left out.

    Raises:
        GameStateError: the conditions cannot be set up, or seats, seeds or mind are none; `where` names which.
    """
    mind = make_mind() if mind is None else mind
    _check_players(seats, seeds, conditions, mind)
    size = (conditions.width, conditions.height, conditions.snakes)
    rules = rules_bits(conditions.ruleset, conditions.snakes < 2)
    number = check_new_game(size, rules, conditions.map_id, conditions.settings)
    games = len(seeds)
    deaths, turns = np.zeros((games, conditions.snakes), np.int64), np.zeros(games, np.int64)
    for first in range(0, games, _GAMES_AT_ONCE):
        part = slice(first, min(first + _GAMES_AT_ONCE, games))
        records = layout.allocate(part.stop - first, [size], corpses=False)
        write_header(records, 0, size, rules, number, conditions.settings)
        records.fields[1:] = records.fields[0]
        records.clock[1:] = records.clock[0]
        records.clock[:, SEED] = seeds[part]
        kinds = np.ascontiguousarray(seats[part])
        moves = np.zeros(kinds.shape[1], np.uint8)
        problem = play_out(mind, records, kinds, moves, conditions.most_turns)
        raise_set_up_problem(int(problem), size, conditions.map_id)
        deaths[part] = records.clock[:, layout.DEATHS :]
        turns[part] = records.clock[:, layout.TURN]
    return Played(deaths, turns)


def _check_players(seats: NDArray[np.uint8], seeds: NDArray[np.int64], conditions: GameConditions, mind: Mind) -> None:
    if seeds.ndim != 1 or seeds.dtype != np.int64:
        refuse(f"{seeds.dtype}{list(seeds.shape)} given where int64[games] belongs", "seeds")
    if seats.shape != (len(seeds), conditions.snakes) or seats.dtype != np.uint8:
        refuse(f"{seats.dtype}{list(seats.shape)} is not uint8{[len(seeds), conditions.snakes]}", "seats")
    if (seats >= len(KINDS)).any():
        refuse(f"{seats[seats >= len(KINDS)][0]} is no kind of player", "seats")
    if not isinstance(mind, np.void) or mind.dtype != MIND:
        refuse(f"{type(mind).__name__} given where a mind belongs", "mind")
    read_integer(conditions.most_turns, "conditions.most_turns", 0, 2**31 - 1)


def fresh_seeds(seed: int, count: int) -> NDArray[np.int64]:
    """Return `count` game seeds derived from one, int64[count]."""
    return np.random.default_rng(seed).integers(-(2**63), 2**63, count, dtype=np.int64)


def scores(deaths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each seat's score per game, float64[games, snakes]: the share of the others it outlived, ties half."""
    lived = np.where(deaths == 0, np.iinfo(np.int64).max, deaths)
    above = (lived[:, :, None] > lived[:, None, :]).sum(2)
    equal = (lived[:, :, None] == lived[:, None, :]).sum(2) - 1
    return np.asarray((above + 0.5 * equal) / max(deaths.shape[1] - 1, 1))


@dataclass(frozen=True)
class Meeting:
    """Two kinds' paired games: per seed the first kind's mean score over all seatings, float64[seeds] in 0..1."""

    pair_scores: NDArray[np.float64]
    games: int
    turns: int

    @property
    def score(self) -> float:
        """The first kind's mean score."""
        return float(self.pair_scores.mean())

    @property
    def standard_error(self) -> float:
        """The standard error of `score`, from the spread between seeds."""
        return float(self.pair_scores.std(ddof=1) / np.sqrt(len(self.pair_scores)))


def play(
    kind_a: int,
    kind_b: int,
    seeds: NDArray[np.int64],
    conditions: GameConditions | None = None,
    mind: Mind | None = None,
) -> Meeting:
    """Play two kinds against each other: every seed (int64[K]) once from each seating, the kinds alternating round the
    seats.

    Raises:
        GameStateError: the conditions cannot be set up.
        ValueError: an odd number of seats, which two kinds cannot share equally.
    """
    conditions = conditions or GameConditions()
    if conditions.snakes % 2:
        raise ValueError(f"two kinds cannot share {conditions.snakes} seats equally; give an even number of snakes")
    first = np.tile(np.array([kind_a, kind_b], np.uint8), conditions.snakes // 2)
    seats = np.stack([first, first[::-1]])[np.tile([0, 1], len(seeds))]
    played = play_games(np.ascontiguousarray(seats), np.repeat(seeds, 2), conditions, mind)
    points = scores(played.deaths).reshape(len(seeds), 2, conditions.snakes)
    # Against one's own kind the score is half by definition: only the other kind's seats are opponents.
    mine = np.stack([points[:, 0, ::2], points[:, 1, 1::2]], 1).mean((1, 2))
    theirs = np.stack([points[:, 0, 1::2], points[:, 1, ::2]], 1).mean((1, 2))
    return Meeting(
        0.5 + (mine - theirs) * (conditions.snakes - 1) / conditions.snakes, 2 * len(seeds), int(played.turns.sum())
    )
