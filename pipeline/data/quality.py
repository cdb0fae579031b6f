"""How much a game is worth learning from, and how varied games are: numbers from 0 to 1, computed from the games.

The quality of a game is the weighted mean (`WEIGHTS`) of

- soundness: 1 - avoidable deaths / deaths (1 if nobody died). A death is avoidable if the snake starved or burned, or
  if before its last move it could enter a cell that neither wall nor staying body forbade and that no head at least as
  long as it could enter too.
- contest: over the turns that began with at least two snakes alive, the mean of the second longest snake's length over
  the longest's. Left out, its weight with it, where no turn was contested (solo games).
- freedom: the share of all moves that were a choice, at least two cells being open.
- length: turns / (turns + the board's cells): 0.5 after 121 turns on 11x11, 0.75 after 363.

Strategy diversity is the entropy of the snakes' openings over what it could be at most. An opening is the sequence of
turns straight, left or right that a snake's moves 2 to 6 make; mirrored ones count as one, so that the eight
symmetries of the board make no difference: 122 patterns. 1: every pattern is as frequent as every other; 0: all alike.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.data.scan import OPENING_TURNS, GameFacts

WEIGHTS: Final[Mapping[str, float]] = {"soundness": 0.4, "contest": 0.2, "freedom": 0.1, "length": 0.3}


def parts_of(facts: GameFacts, areas: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Return the four parts of each game's quality, float64[G] each; contest is NaN where no turn was contested.

    Args:
        areas: int64[G], the cells of each game's board.
    """
    deaths = (facts.causes > 0).sum(1)
    return {
        "soundness": 1 - facts.avoidable / np.maximum(deaths, 1),
        "contest": np.where(facts.contested > 0, facts.contest, np.nan),
        "freedom": facts.free / np.maximum(facts.decisions, 1),
        "length": facts.turns / (facts.turns + areas),
    }


def quality_of(facts: GameFacts, areas: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each game's quality, float64[G] in 0..1; see the module."""
    parts = parts_of(facts, areas)
    total, weight = np.zeros(len(areas)), np.zeros(len(areas))
    for name, part in parts.items():
        known = ~np.isnan(part)
        total += np.where(known, part, 0) * WEIGHTS[name]
        weight += known * WEIGHTS[name]
    return np.asarray(total / weight)


def canonical_openings(openings: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the openings played (those of -1 left out) as int64[K], each and its mirror image the same number."""
    played = openings[openings >= 0]
    mirrored, rest = np.zeros_like(played), played.copy()
    for place in range(OPENING_TURNS - 1):
        digit = rest % 3
        mirrored += np.array([0, 2, 1])[digit] * 3**place
        rest //= 3
    return np.asarray(np.minimum(played, mirrored))


def strategy_diversity(openings: NDArray[np.int64]) -> float:
    """Return the normalised entropy of openings (any shape, -1: none); 0 for fewer than two."""
    played = canonical_openings(openings)
    patterns = (3 ** (OPENING_TURNS - 1) + 1) // 2
    most = min(len(played), patterns)
    if most < 2:
        return 0.0
    shares = np.unique_counts(played).counts / len(played)
    # Rounding may leave the interval by a bit.
    return float(np.clip(-(shares * np.log(shares)).sum() / np.log(most), 0, 1))
