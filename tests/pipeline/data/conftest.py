"""Games of many kinds, played once for all tests of this folder."""

from datetime import UTC, datetime

import numpy as np
import pytest

from pipeline.data.game_making import games_from
from pipeline.data.stored_game import StoredGame
from pipeline.engine.game_spec import CLI_DEFAULTS
from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.simulator.competitor import Competitor, heuristic
from pipeline.simulator.matches import Finished, play_matches

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KINDS = ("random", "hungry", "aggressive", "tail_chaser")
SHRINKING = CLI_DEFAULTS._replace(shrinkEveryNTurns=3)
BOARDS = (
    GameConditions(snakes=2),
    GameConditions(snakes=4),
    GameConditions(7, 7, 2, most_turns=40),
    GameConditions(9, 5, 3),
    GameConditions(11, 11, 4, "royale", settings=SHRINKING),
    GameConditions(11, 11, 3, "wrapped", "royale", settings=SHRINKING),
    GameConditions(7, 7, 2, "constrictor", "empty"),
    GameConditions(11, 11, 2, "standard", "snail_mode"),
    GameConditions(7, 11, 1, "solo", most_turns=60),
)


@pytest.fixture(scope="session")
def players() -> list[Competitor]:
    """The players that seatings of `all_finished` count."""
    return [heuristic(kind) for kind in KINDS]


@pytest.fixture(scope="session")
def all_finished(players: list[Competitor]) -> list[Finished]:
    """Six games of each kind of board."""
    made = []
    for number, conditions in enumerate(BOARDS):
        seatings = np.random.default_rng(number).integers(0, len(KINDS), (6, conditions.snakes)).astype(np.uint8)
        made.append(play_matches(players, seatings, fresh_seeds(number, 6), conditions, tapes=True))
    return made


@pytest.fixture(scope="session")
def games(all_finished: list[Finished], players: list[Competitor]) -> list[StoredGame]:
    """The same as stored games."""
    names = [player.name for player in players]
    return [game for finished in all_finished for game in games_from(finished, names, "self_play", NOW)]
