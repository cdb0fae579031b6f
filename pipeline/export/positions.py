"""Real positions to compare and calibrate models on: heuristics' games, duels and fours, kinds mixed."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.batch import Batch
from pipeline.engine.game_spec import GameSpec
from pipeline.engine.observe import Observations, Observer, allocate_observations
from pipeline.engine.players.choose import choose_in_batch
from pipeline.engine.players.kinds import AGGRESSIVE, HUNGRY, STRONG, TAIL_CHASER, VORONOI
from pipeline.engine.players.mind import make_mind

_KINDS: Final = np.array([STRONG, VORONOI, AGGRESSIVE, TAIL_CHASER, HUNGRY], np.uint8)
_GAMES: Final = 64
_EVERY: Final = 7
"""Turns between two looks: positions of neighbouring turns are nearly the same."""


def real_positions(count: int, seed: int) -> Observations:
    """Return the uint8 observations of `count` snakes' positions; the same for the same arguments."""
    parts: list[tuple[NDArray[np.uint8], ...]] = []
    missing = count
    for batch in played_batches(seed):
        observer = Observer(batch.records)
        games, snakes = observer.living()
        rows = allocate_observations(len(games))
        observer.observe(games, snakes, rows)
        parts.append(tuple(array[:missing] for array in rows))
        missing -= len(parts[-1][0])
        if missing <= 0:
            break
    return Observations(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def played_batches(seed: int) -> Iterator[Batch]:
    """Yield batches of games under way, for ever: half duels, half fours, each look some turns after the last."""
    chance = np.random.default_rng(seed)
    specs = [GameSpec(snakes=2)] * (_GAMES // 2) + [GameSpec(snakes=4)] * (_GAMES // 2)
    batch = Batch(specs)
    batch.reset(chance.integers(-(2**63), 2**63, len(specs), dtype=np.int64))
    mind = make_mind()
    kinds = chance.choice(_KINDS, batch.actions.shape)
    for turn in range(2**31):
        if turn % _EVERY == 0:
            yield batch
        choose_in_batch(mind, *batch.records[:3], kinds, batch.actions)
        batch.step()
        finished = batch.drain_outcomes().slot
        kinds[finished] = chance.choice(_KINDS, (len(finished), kinds.shape[1]))


def living_seats(batch: Batch, slot: int) -> list[int]:
    """Return the seats of a slot's living snakes."""
    words = batch.records.words[slot]
    causes = [words[layout.HEADER + s * layout.SNAKE_WORDS + layout.CAUSE] for s in range(words[layout.SNAKES])]
    return [seat for seat, cause in enumerate(causes) if cause == layout.ALIVE_CAUSE]
