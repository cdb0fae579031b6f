"""Ratings from games: Bradley-Terry for duels, Plackett-Luce for more seats, both in Elo points around a mean of 0.

Plackett-Luce says how likely each order of arrival is: the first is drawn with chances in proportion to the players'
strengths, then the next of those left, and so on; with two seats it is Bradley-Terry. Both are fitted by the
minorise-maximise iteration of Hunter, "MM algorithms for generalized Bradley-Terry models", Annals of Statistics 32
(2004).

Ties: a drawn duel counts as half a win for each. Players who share a rank count as every order of them that the tie
leaves open, in equal parts. A player in several seats of a game is that often in its order.

Each pair of players is given half a drawn game more, so that one who never scored still has a finite rating.

Intervals: percentiles of fits to games drawn anew, in two ways, of which the wider counts. Whole blocks are drawn,
since games of a block are not independent; and single games, by Dirichlet's distribution about those seen and the
prior's. A block or two, or blocks that all say the same, could not tell otherwise how little is known.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, permutations, product
from typing import Final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 400
_ROUNDS: Final = 500
_SETTLED: Final = 1e-7
_NUMBERS_AT_ONCE: Final = 1 << 20
NOBODY: Final = -1
PRIOR_GAMES: Final = 0.5
LEAST_DRAWN: Final = 0.02
"""Games that a drawn order counts for at least: nobody's rating is without end."""


@dataclass(frozen=True)
class Ratings:
    """Elo points of each player, float64[players], with a percentile interval from games drawn anew."""

    elo: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True)
class Orders:
    """Orders of arrival: `orders` int64[K, S], players best first, padded with NOBODY; `weights` float64[B, K], how
    often each order was seen in each block of games."""

    orders: NDArray[np.int64]
    weights: NDArray[np.float64]


def rate_duels(
    scores: NDArray[np.float64], games_per_block: int, confidence: float, seed: int, resamples: int = RESAMPLES
) -> Ratings:
    """Rate players by Bradley-Terry.

    Args:
        scores: [blocks, players, players], mean score of the row's player against the column's in each block.
        games_per_block: games of each pair in a block.
        confidence: of the intervals.
        seed: of the drawing of blocks and games.
        resamples: how often each are drawn anew for the intervals.
    """
    players = scores.shape[1]
    pairs = np.array(list(permutations(range(players), 2)), np.int64)
    won = scores[:, pairs[:, 0], pairs[:, 1]] * games_per_block
    return rate_orders(Orders(pairs, won), players, confidence, seed, resamples)


def rate_orders(orders: Orders, players: int, confidence: float, seed: int, resamples: int = RESAMPLES) -> Ratings:
    """Rate `players` players by Plackett-Luce; the other arguments as for `rate_duels`."""
    every, weights = _with_prior(orders, players)
    strength = fit_strengths(every, weights.sum(0)[None], players)
    by_block = [
        fit_strengths(every, counts @ weights[:-1] + weights[-1], players, strength)
        for counts in _resampled(len(orders.weights), seed, resamples, every.size)
    ]
    by_game = [
        fit_strengths(once, drawn, players, strength)
        for once, drawn in _redrawn(every, weights.sum(0), seed, resamples)
    ]
    samples = [_elo(np.concatenate(fits)) for fits in (by_block, by_game)]
    return _with_interval(_elo(strength)[0], samples, confidence)


def orders_of(players: NDArray[np.int64], ranks: NDArray[np.int64], games_per_block: int) -> Orders:
    """Return the orders of arrival of games.

    Args:
        players: [games, seats], who sat where.
        ranks: [games, seats], 1 = best, equal where tied.
        games_per_block: consecutive games that are one block.
    """
    seen, which = np.unique(np.hstack([players, ranks]), axis=0, return_inverse=True)
    seats, blocks = players.shape[1], len(players) // games_per_block
    counts = np.zeros((len(seen), blocks))
    np.add.at(counts, (which.reshape(-1), np.arange(len(players)) // games_per_block), 1)
    number: dict[tuple[int, ...], int] = {}
    parts: list[tuple[int, int, float]] = []
    for pattern, row in enumerate(seen.tolist()):
        left_open = _linear_orders(row[:seats], row[seats:])
        parts += [(pattern, number.setdefault(order, len(number)), 1 / len(left_open)) for order in left_open]
    weights = np.zeros((len(number), blocks))
    pattern_of, order_of, share = (np.array(column) for column in zip(*parts, strict=True))
    np.add.at(weights, order_of, counts[pattern_of] * share[:, None])
    return Orders(np.array(list(number), np.int64), weights.T)


def fit_strengths(
    orders: NDArray[np.int64], weights: NDArray[np.float64], players: int, start: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the strengths, geometric mean 1, that make the orders likeliest, float64[R, players]: R fits at once.

    Args:
        orders: int64[K, S], best first, padded with NOBODY.
        weights: float64[R, K], how often each was seen.
        players: all of whom win and lose somewhere.
        start: [1 or R, players], strengths to begin from.
    """
    present = orders != NOBODY
    # The last of an order is not drawn from anybody: a stage needs at least two who are left.
    stage = present[:, 1:]
    index = np.where(present, orders, 0)
    sits = (present.reshape(-1)[:, None] & (index.reshape(-1)[:, None] == np.arange(players))).astype(np.float64)
    chosen = np.zeros(orders.shape)
    chosen[:, :-1] = stage
    wins = (weights[:, :, None] * chosen).reshape(len(weights), -1) @ sits
    strength = np.ones((len(weights), players)) if start is None else np.tile(start, (len(weights) // len(start), 1))
    for _ in range(_ROUNDS):
        left = np.cumsum((strength[:, index] * present)[:, :, ::-1], 2)[:, :, ::-1][:, :, :-1]
        # Who is at place j of an order was left in every stage up to j.
        each = np.divide(weights[:, :, None], left, out=np.zeros(left.shape), where=np.broadcast_to(stage, left.shape))
        pressure = np.cumsum(each, 2)
        pressure = np.concatenate([pressure, pressure[:, :, -1:]], 2)
        following = wins / (pressure.reshape(len(weights), -1) @ sits)
        following /= np.exp(np.log(following).mean(1, keepdims=True))
        settled = np.allclose(following, strength, rtol=_SETTLED, atol=0)
        strength = following
        if settled:
            break
    return strength


def _linear_orders(players: Sequence[int], ranks: Sequence[int]) -> list[tuple[int, ...]]:
    """Return every order that the ranks leave open, repeated where players are the same."""
    ranked = sorted(zip(ranks, players, strict=True))
    groups = [[player for _, player in group] for _, group in groupby(ranked, key=lambda pair: pair[0])]
    return [tuple(sum(choice, ())) for choice in product(*(list(permutations(group)) for group in groups))]


def _with_prior(orders: Orders, players: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the orders with those of the prior, and the weights with a last row that holds the prior's."""
    pairs = np.array(list(permutations(range(players), 2)), np.int64).reshape(-1, 2)
    padded = np.full((len(pairs), orders.orders.shape[1]), NOBODY, np.int64)
    padded[:, :2] = pairs
    blocks, seen = orders.weights.shape
    weights = np.zeros((blocks + 1, seen + len(pairs)))
    weights[:-1, :seen] = orders.weights
    weights[-1, seen:] = PRIOR_GAMES / 2
    return np.vstack([orders.orders, padded]), weights


def _resampled(blocks: int, seed: int, resamples: int, size: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each block is drawn in each resample, float64[some, blocks], so many at a time that as many
    copies of `size` numbers fit into modest memory."""
    chance, at_once = np.random.default_rng(seed), max(1, _NUMBERS_AT_ONCE // size)
    for first in range(0, resamples, at_once):
        count = min(at_once, resamples - first)
        yield chance.multinomial(blocks, np.full(blocks, 1 / blocks), count).astype(np.float64)


def _redrawn(
    orders: NDArray[np.int64], totals: NDArray[np.float64], seed: int, resamples: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Yield the orders, each once, and how often each is seen when single games are drawn, float64[some, orders]."""
    once, which = np.unique(orders, axis=0, return_inverse=True)
    seen = np.bincount(which.reshape(-1), totals, len(once))
    chance, at_once = np.random.default_rng([seed, 1]), max(1, _NUMBERS_AT_ONCE // once.size)
    for first in range(0, resamples, at_once):
        drawn = chance.standard_gamma(seen, (min(at_once, resamples - first), len(once)))
        yield once, np.maximum(drawn, LEAST_DRAWN)


def _elo(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(400 * np.log10(strength))


def _with_interval(elo: NDArray[np.float64], samples: Sequence[NDArray[np.float64]], confidence: float) -> Ratings:
    outside = 50 * (1 - confidence)
    ends = np.array([np.percentile(drawn, [outside, 100 - outside], axis=0) for drawn in samples])
    return Ratings(elo, ends[:, 0].min(0), ends[:, 1].max(0))
