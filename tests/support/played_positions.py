"""Positions of real games with a lesson in them that a tiny network learns in seconds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.positions import Positions, split_by_game
from pipeline.data.stored_game import game_id_of
from pipeline.engine.game_spec import GameSpec
from pipeline.engine.planes import FEATURES
from pipeline.environment.vector import VectorEnvironment

FOOD = [slot.name for slot in FEATURES].index("food_up")


def played_positions(rows: int, *, seed: int = 1, games: int = 16) -> Positions:
    """Positions of duels between random walkers. The move to learn: a legal one towards food, if any. The outcome: who
    is longer.

    `survived`, `died` and `territory` are made up by `seed`; `game` is the slot the position comes from.
    """
    chance = np.random.default_rng(seed)
    world = VectorEnvironment(games, GameSpec(snakes=2))
    world.reset(seed)
    parts = []
    while sum(len(part[0]) for part in parts) < rows:
        at = world.living
        parts.append([array[at] for array in (world.planes, world.features, world.context, world.masks)])
        parts[-1].append(np.nonzero(at)[0].astype(np.int64))
        world.step(np.argmax(world.masks * chance.random(world.masks.shape), 2).astype(np.uint8))
    planes, features, context, masks, game = (np.concatenate(arrays)[:rows] for arrays in zip(*parts, strict=True))
    towards_food = features[:, FOOD : FOOD + 4] > 0
    longer = np.sign(features[:, 2].astype(np.int64) - features[:, 3])
    return Positions(
        planes=planes,
        features=features,
        context=context,
        masks=masks,
        moves=(masks * (1 + towards_food)).argmax(1).astype(np.uint8),
        outcome=longer.astype(np.float32),
        survived=chance.integers(0, 50, rows).astype(np.uint16),
        died=chance.random(rows) < 0.8,
        territory=chance.integers(0, 3, (rows, planes.shape[2] * planes.shape[3])).astype(np.uint8),
        game=game,
        turns=np.zeros(rows, np.int32),
        seats=np.zeros(rows, np.uint8),
    )


def played_lesson(rows: int, games: int = 16) -> tuple[Positions, Positions]:
    """The same positions as (training, validation), about a fifth of the games in the second."""
    ids = [game_id_of(b"%d" % game) for game in range(games)]
    return split_by_game(played_positions(rows, games=games), ids, 0.2)


def changed(positions: Positions, **fields: NDArray[Any]) -> Positions:
    """Positions with other fields; `_replace` counts a tuple's fields by `len`, which is the rows here."""
    return Positions(**(positions._asdict() | fields))
