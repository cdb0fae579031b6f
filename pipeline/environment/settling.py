"""The compiled passes of the vector environment: what a turn was worth to each seat, who moves next, what is open."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.compile_cache import compiled
from pipeline.engine.layout import ALIVE_CAUSE, CAUSE, HEADER, MAX_SNAKES, SNAKE_FIELDS, Fields, Moves
from pipeline.engine.seats import CALLER
from pipeline.engine.symmetry import MOVE_FROM

Flags = NDArray[np.bool_]

WIN: Final = 1.0
LOSS: Final = -1.0
DRAW: Final = 0.0
SOLO_TURN: Final = 0.01


@compiled
def turn_back(actions: Moves, symmetries: Moves, moves: Moves) -> None:
    """Write moves of the rows' frames as moves on the board; numbers above 3 stay as they are."""
    for game in range(actions.shape[0]):
        for seat in range(actions.shape[1]):
            action = actions[game, seat]
            moves[game, seat] = action if action > 3 else MOVE_FROM[symmetries[game, seat] & 7, action]


@compiled
def settle_running(fields: Fields, living: Flags, solo: bool, rewards: NDArray[np.float32], dones: Flags) -> None:
    """Write every seat's reward and end as if its game went on; only those in `living` took part in the turn."""
    for game in range(living.shape[0]):
        for seat in range(living.shape[1]):
            died = fields[game, HEADER + seat * SNAKE_FIELDS + CAUSE] != ALIVE_CAUSE
            reward = LOSS if died else (SOLO_TURN if solo else 0.0)
            rewards[game, seat] = reward if living[game, seat] else 0.0
            dones[game, seat] = died and living[game, seat]


@compiled
def worth(died_on: int, turns: int, left: int, solo: bool) -> float:
    """Return the last reward of a seat whose game has ended with `left` snakes alive."""
    if solo:
        return LOSS if died_on > 0 else SOLO_TURN
    if died_on == 0:
        return WIN if left == 1 else DRAW
    return DRAW if left == 0 and died_on == turns else LOSS


@compiled
def settle_finished(
    slots: NDArray[np.int64],
    died_on: NDArray[np.int32],
    turns: NDArray[np.int64],
    living: Flags,
    solo: bool,
    rewards: NDArray[np.float32],
    dones: Flags,
    truncated: Flags,
) -> None:
    """Write over what `settle_running` wrote of the games that ended; `truncated` is False for all others."""
    truncated[:] = False
    for index in range(slots.shape[0]):
        game, left = slots[index], 0
        for seat in range(living.shape[1]):
            left += died_on[index, seat] == 0
        truncated[game] = left > (0 if solo else 1)
        for seat in range(living.shape[1]):
            if living[game, seat]:
                rewards[game, seat] = worth(died_on[index, seat], turns[index], left, solo)
                dones[game, seat] = True


@compiled
def find_learners(
    fields: Fields, kinds: Moves, views: Moves, living: Flags, symmetries: Moves, snakes: NDArray[np.int64]
) -> None:
    """Write who moves next, through which symmetry each is to see (`views`: of each game), and the seat to observe
    (MAX_SNAKES: nobody)."""
    seats = living.shape[1]
    for game in range(living.shape[0]):
        for seat in range(seats):
            there = fields[game, HEADER + seat * SNAKE_FIELDS + CAUSE] == ALIVE_CAUSE and kinds[game, seat] == CALLER
            living[game, seat] = there
            symmetries[game, seat] = views[game]
            snakes[game * seats + seat] = seat if there else MAX_SNAKES


@compiled
def allow(features: Any, first: int, masks: Flags) -> None:
    """Write the four moves whose features, from slot `first` on, are set; all four where none is."""
    for game in range(masks.shape[0]):
        for seat in range(masks.shape[1]):
            none = True
            for move in range(4):
                none &= features[game, seat, first + move] <= 0
            for move in range(4):
                masks[game, seat, move] = none or features[game, seat, first + move] > 0
