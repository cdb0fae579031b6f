"""Games counted by block: who outlived whom, and whose the first place was. A block is one seed over all seatings."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from pipeline.simulator.matches import Finished


@dataclass(frozen=True)
class BlockScores:
    """B blocks of P players.

    shares float64[B, P]: mean share of the first place over the player's games of the block: 1 alone, 1/k of k; a
    player in several seats has the sum of theirs. scores float64[B, P, P]: how often the row's player outlived the
    column's, ties half; 0.5 where they never met. wins, draws, losses, games int64[P]: games that were its alone, whose
    first place it shared with another, others, all.
    """

    shares: NDArray[np.float64]
    scores: NDArray[np.float64]
    wins: NDArray[np.int64]
    draws: NDArray[np.int64]
    losses: NDArray[np.int64]
    games: NDArray[np.int64]


def count_blocks(finished: Finished, players: int, games_per_block: int) -> BlockScores:
    """Count games that stand block by block, `games_per_block` each, every block with the same seatings."""
    blocks = len(finished.seeds) // games_per_block
    block_of = np.arange(len(finished.seeds)) // games_per_block
    seated = finished.seatings.astype(np.int64)
    # [G, P]: each player's part of a game's first place, and whether it played
    part, there = np.zeros((len(seated), players)), np.zeros((len(seated), players), np.bool_)
    np.add.at(part, (np.arange(len(seated))[:, None], seated), finished.shares)
    there[np.arange(len(seated))[:, None], seated] = True
    shares, times = np.zeros((blocks, players)), np.zeros((blocks, players))
    np.add.at(shares, block_of, part)
    np.add.at(times, block_of, there)
    alone, none = there & (part > 1 - 1e-9), there & (part < 1e-9)
    return BlockScores(
        shares=shares / np.maximum(times, 1),
        scores=_scores(finished, seated, block_of, (blocks, players, players)),
        wins=alone.sum(0),
        draws=(there & ~alone & ~none).sum(0),
        losses=none.sum(0),
        games=there.sum(0),
    )


def _scores(
    finished: Finished, seated: NDArray[np.int64], block_of: NDArray[np.int64], shape: tuple[int, int, int]
) -> NDArray[np.float64]:
    points, met = np.zeros(shape), np.zeros(shape)
    for one in range(seated.shape[1]):
        for other in range(seated.shape[1]):
            if one == other:
                continue
            mine, theirs = finished.ranks[:, one], finished.ranks[:, other]
            where = (block_of, seated[:, one], seated[:, other])
            np.add.at(points, where, (mine < theirs) + 0.5 * (mine == theirs))
            np.add.at(met, where, 1)
    return np.where(met > 0, points / np.maximum(met, 1), 0.5)


def sign_test(
    block_scores: NDArray[np.float64], alternative: Literal["two-sided", "less", "greater"] = "two-sided"
) -> float:
    """Return the p-value of "neither is better", by the exact sign test over the blocks that are not even.

    Both players having sat in every seat of each block, an even match makes scores above and below one half equally
    likely, whatever their distribution (McNemar's exact test where a block is a pair of games).

    Args:
        block_scores: [blocks], mean score of each, even at 0.5.
        alternative: `two-sided`; `less` or `greater`: only that is looked for.
    """
    above, below = int((block_scores > 0.5).sum()), int((block_scores < 0.5).sum())
    if above + below == 0:
        return 1.0
    if alternative == "two-sided":  # symmetric: both tails are as large
        return min(1.0, 2 * float(bdtr(min(above, below), above + below, 0.5)))
    return float(bdtr(above if alternative == "less" else below, above + below, 0.5))
