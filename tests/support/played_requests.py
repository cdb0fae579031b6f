"""Games played by heuristics, told as the requests that a snake in them gets, with what our encoder writes for each."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from api_requests import api_request
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.game import Game
from pipeline.engine.game_spec import CLI_DEFAULTS
from pipeline.engine.observe import Observations, Observer, allocate_observations
from pipeline.engine.planes import FEATURES
from pipeline.engine.players.choose import choose_moves
from pipeline.engine.players.kinds import AGGRESSIVE
from pipeline.engine.players.mind import make_mind

_FEATURE_NAMES = [slot.name for slot in FEATURES]
Case = tuple[int, int, int, str, str, dict[str, int]]

STANDARD_CASES: tuple[Case, ...] = (
    # width, height, snakes, ruleset, map, settings
    (11, 11, 2, "standard", "standard", {}),
    (11, 11, 4, "standard", "standard", {"minimumFood": 3, "foodSpawnChance": 40}),
    (7, 7, 3, "standard", "standard", {}),
)
CASES: tuple[Case, ...] = (
    *STANDARD_CASES,
    (9, 5, 3, "standard", "standard", {}),
    (11, 11, 8, "standard", "standard", {}),
    (11, 11, 4, "royale", "standard", {"shrinkEveryNTurns": 3, "damagePerTurn": 3}),
    (11, 11, 2, "standard", "royale", {"shrinkEveryNTurns": 5, "damagePerTurn": -7}),
    (11, 11, 3, "standard", "hz_hazard_pits", {}),
    (11, 11, 2, "standard", "snail_mode", {}),
    (7, 7, 2, "standard", "healing_pools", {"damagePerTurn": -5}),
    (11, 11, 3, "wrapped", "standard", {}),
    (8, 6, 4, "wrapped", "standard", {"foodSpawnChance": 60}),
    (10, 10, 2, "wrapped", "hz_spiral", {}),
    (11, 11, 4, "constrictor", "empty", {}),
    (7, 7, 2, "wrapped_constrictor", "empty", {}),
    (7, 11, 1, "solo", "standard", {}),
    (3, 3, 1, "solo", "standard", {}),
)


@dataclass(frozen=True)
class Asked:
    """One snake's request of one turn, what we encode for it (one row, as the board lies), and its legal moves."""

    request: dict[str, Any]
    row: Observations
    mask: NDArray[np.bool_]

    def to_line(self) -> str:
        """The request as JSON text."""
        return json.dumps(self.request, separators=(",", ":"))


def played(cases: tuple[Case, ...], per_case: int, seed: int, turns: int = 60) -> Iterator[Asked]:
    """Yield `per_case` requests of each case: all living snakes of every third turn of games of `turns` turns."""
    for number, case in enumerate(cases):
        kept = 0
        for game_number in range(1000):
            for asked in _one_game(case, seed + 1000 * number + game_number, turns):
                yield asked
                kept += 1
                if kept == per_case:
                    break
            if kept == per_case:
                break


def _one_game(case: Case, seed: int, turns: int) -> Iterator[Asked]:
    width, height, snakes, ruleset, map_id, changes = case
    settings = {**CLI_DEFAULTS._asdict(), **changes}
    names = [f"s{i}" for i in range(snakes)]
    game = Game.new(width, height, names, ruleset, map_id, changes, seed)
    mind, kinds = make_mind(), np.full(snakes, AGGRESSIVE, np.uint8)
    for turn in range(turns):
        if game.is_over():
            return
        if turn % 3 == 0:
            state = game.to_state()
            # Read back from plain data: a request tells no more than that.
            again = Game.from_state(state, ruleset, settings, snakes == 1, map_id=map_id)
            for seat, name in enumerate(names):
                if name in game.living():
                    request = api_request(state, ruleset, map_id, settings, name, f"{ruleset}-{map_id}-{seed}")
                    row = _encode(again, seat)
                    yield Asked(request, row, _mask(row))
        moves = np.zeros_like(kinds)
        choose_moves(mind, game.records.game(0), kinds, moves)
        game.step({name: layout.MOVE_WORDS[moves[i]] for i, name in enumerate(names)})


def _encode(game: Game, seat: int) -> Observations:
    row = allocate_observations(1)
    Observer(game.records).observe(np.zeros(1, np.int64), np.array([seat], np.int64), row)
    return row


def _mask(row: Observations) -> NDArray[np.bool_]:
    """The legal moves of a row, bool[4], as policies get them: all where there is none."""
    first = _FEATURE_NAMES.index("open_up")
    mask = row.features[0, first : first + 4] == 255
    return mask if mask.any() else np.ones(4, np.bool_)
