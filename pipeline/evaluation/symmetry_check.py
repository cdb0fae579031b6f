"""Whether a policy decides the same however the board is turned or mirrored."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.arena.player import Policy
from pipeline.engine.observe import Observations, Observer, allocate_observations
from pipeline.engine.planes import FEATURES
from pipeline.engine.symmetry import MOVE_FROM, SYMMETRIES
from pipeline.engine.tape_reading import TapeReader

_OPEN: Final = [slot.name for slot in FEATURES].index("open_up")


class Consistency(NamedTuple):
    """agreement: how often a view turned or mirrored gives the move of the plain view; unanimous: the share of
    positions in which all eight views give one move; positions looked at."""

    agreement: float
    unanimous: float
    positions: int


def consistency(policy: Policy, tapes: Sequence[bytes], positions: int, seed: int) -> Consistency:
    """Show the policy positions of the games through all eight symmetries and compare its moves on the board.

    Args:
        tapes: games on boards that fit the policy's frame.
        positions: to look at, spread over the games; of each turn taken all living snakes' views count.
        seed: of the turns taken and of the draws, which are the same for the eight views of a position.

    Raises:
        ValueError: the tapes hold no position.
    """
    chance = np.random.default_rng(seed)
    per_game = max(1, -(-positions // max(len(tapes), 1)))
    parts: list[Observations] = []
    for index in chance.permutation(len(tapes)).tolist():
        if sum(len(part.symmetries) for part in parts) >= positions * SYMMETRIES:
            break
        parts += _views(tapes[index], per_game, chance)
    if not parts:
        raise ValueError("no tape holds a position to look at")
    rows = Observations(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    masks = rows.features[:, _OPEN : _OPEN + 4] > 0
    masks[~masks.any(1)] = True
    count = len(masks) // SYMMETRIES
    draws = np.repeat(chance.random(count, np.float32), SYMMETRIES)
    moves = MOVE_FROM[rows.symmetries, policy.choose(rows, masks, draws)].reshape(count, SYMMETRIES)
    same = moves == moves[:, :1]
    return Consistency(float(same[:, 1:].mean()), float(same.all(1).mean()), count)


def _views(tape: bytes, wanted: int, chance: np.random.Generator) -> list[Observations]:
    """Return all views, eight rows a snake, of about `wanted` snakes of a game at turns drawn by chance."""
    turns = sum(1 for _ in TapeReader(tape).turns()) - 1
    taken = set(chance.integers(0, max(turns, 1), wanted).tolist())
    reader = TapeReader(tape)
    observer, parts = None, []
    for turn, records in enumerate(reader.turns()):
        if turn not in taken:
            continue
        observer = observer or Observer(records)
        games, snakes = (_eightfold(array) for array in observer.living())
        rows = allocate_observations(len(games))
        rows.symmetries[:] = np.tile(np.arange(SYMMETRIES, dtype=np.uint8), len(games) // SYMMETRIES)
        observer.observe(games, snakes, rows)
        parts.append(rows)
    return parts


def _eightfold(array: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.repeat(array, SYMMETRIES)
