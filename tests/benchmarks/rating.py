"""A rating table of players: every pair plays the same fresh seeds from both seatings, Bradley-Terry fits the scores.

Ratings are in Elo points around a mean of 0; intervals come from resampling seeds (percentile bootstrap), since
the two games of a seed are no independent games. Bradley and Terry: "Rank analysis of incomplete block designs",
Biometrika 39 (1952); the fit is the minorise-maximise iteration of Hunter, Annals of Statistics 32 (2004).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.players.kinds import name_of
from pipeline.engine.players.match import GameConditions, fresh_seeds, play
from pipeline.engine.players.mind import Mind

_ROUNDS = 2000
_RESAMPLES = 400
_PRIOR_GAMES = 0.5  # drawn games added to each pair, so that a player who never scored still has a rating


@dataclass(frozen=True)
class Rated:
    """One row of the table: Elo with its 95 % interval, and the mean score against all others."""

    name: str
    elo: float
    low: float
    high: float
    score: float
    games: int


@dataclass(frozen=True)
class RatingTable:
    """`rows` by rating, best first; `scores[i, j]`: mean score of kind i against kind j, in the order of `kinds`."""

    kinds: tuple[int, ...]
    rows: tuple[Rated, ...]
    scores: NDArray[np.float64]

    def text(self) -> str:
        """Return the table as Markdown."""
        lines = ["| player | Elo | 95 % interval | score against all | games |", "| --- | --- | --- | --- | --- |"]
        lines += [
            f"| {row.name} | {row.elo:+.0f} | {row.low:+.0f} .. {row.high:+.0f} | {row.score:.3f} | {row.games} |"
            for row in self.rows
        ]
        return "\n".join(lines)


def fit_elo(scores: NDArray[np.float64], games: float) -> NDArray[np.float64]:
    """Return Elo ratings, mean 0, from mean scores [n, n] of `games` games per pair (the diagonal is ignored)."""
    count = len(scores)
    others = ~np.eye(count, dtype=bool)
    wins = np.where(others, scores * games + _PRIOR_GAMES / 2, 0.0)
    played = wins + wins.T
    strength = np.ones(count)
    for _ in range(_ROUNDS):
        stronger = wins.sum(1) / np.where(others, played / (strength[:, None] + strength[None, :]), 0.0).sum(1)
        stronger /= np.exp(np.log(stronger).mean())
        settled = np.allclose(stronger, strength, rtol=1e-9)
        strength = stronger
        if settled:
            break
    return np.asarray(400 * np.log10(strength))


def rate(
    kinds: Sequence[int],
    seeds_per_pair: int,
    seed: int,
    conditions: GameConditions | None = None,
    mind: Mind | None = None,
    progress: Callable[[str], None] | None = None,
) -> RatingTable:
    """Play a round robin of `kinds` (two games per seed and pair) and return the table.

    Raises:
        GameStateError, ValueError: as `match.play`.
    """
    count = len(kinds)
    pairs = np.full((count, count, seeds_per_pair), 0.5)
    seeds = fresh_seeds(seed, seeds_per_pair)
    for first in range(count):
        for second in range(first):
            meeting = play(kinds[first], kinds[second], seeds, conditions, mind)
            pairs[first, second], pairs[second, first] = meeting.pair_scores, 1 - meeting.pair_scores
            if progress:
                progress(f"{name_of(kinds[first])} against {name_of(kinds[second])}: {meeting.score:.3f}")
    chance = np.random.default_rng(seed)
    games = 2.0 * seeds_per_pair
    resampled = np.stack(
        [fit_elo(pairs[:, :, chance.integers(0, seeds_per_pair, seeds_per_pair)].mean(2), games)
         for _ in range(_RESAMPLES)]
    )  # fmt: skip
    low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
    scores = pairs.mean(2)
    elo = fit_elo(scores, games)
    against_all = (scores.sum(1) - 0.5) / (count - 1)
    rows = [
        Rated(name_of(kind), elo[i], low[i], high[i], against_all[i], int(games) * (count - 1))
        for i, kind in enumerate(kinds)
    ]
    return RatingTable(tuple(kinds), tuple(sorted(rows, key=lambda row: -row.elo)), scores)
