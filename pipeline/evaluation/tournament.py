"""Everybody against everybody on fresh seeds, each seed from all seats: cross-table, ratings, intervals, p-values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.evaluation.block_scores import BlockScores, count_blocks, sign_test
from pipeline.evaluation.intervals import measure_blocks
from pipeline.evaluation.measurement import conditions_text
from pipeline.evaluation.ratings import Ratings, orders_of, rate_duels, rate_orders
from pipeline.simulator.competitor import Competitor, every_seating
from pipeline.simulator.matches import Finished, play_matches
from schemas.training import TournamentConfig


@dataclass(frozen=True)
class PlayerStanding:
    """One player: Elo around the field's mean, and its share of first places (a drawn duel is half, a first place
    shared by k is 1/k), both with their interval."""

    name: str
    elo: float
    elo_low: float
    elo_high: float
    share: float
    low: float
    high: float
    wins: int
    draws: int
    losses: int
    games: int


@dataclass(frozen=True)
class Pairing:
    """How often `first` outlived `second` in the games that both played, ties half; p of "neither is better"."""

    first: str
    second: str
    score: float
    low: float
    high: float
    p_value: float
    games: int


@dataclass(frozen=True)
class TournamentResult:
    """A tournament and all that is needed to look at it again.

    standings: best first. pairings: each pair once. scores float64[P, P]: the cross-table, in the order of `players`.
    block_seeds int64[B]: the game seeds; block_shares float64[B, P] and block_scores float64[B, P, P]: results by
    block, as `BlockScores`. finished: every game, with its tape if tapes were asked for.
    """

    players: tuple[str, ...]
    snakes: int
    conditions: str
    confidence: float
    seed: int
    games: int
    cut_off: int
    standings: tuple[PlayerStanding, ...]
    pairings: tuple[Pairing, ...]
    scores: NDArray[np.float64]
    block_seeds: NDArray[np.int64]
    block_shares: NDArray[np.float64]
    block_scores: NDArray[np.float64]
    finished: Finished

    def text(self) -> str:
        """Return the tables as Markdown."""
        level = f"{self.confidence:.0%}"
        lines = [
            f"{self.games} games on {len(self.block_seeds)} seeds from seed {self.seed}, {self.conditions};"
            f" {self.cut_off} ended by the turn limit.",
            "",
            f"| player | Elo | {level} | share of first places | {level} | won | drawn | lost |",
            "| --- | ---: | --- | ---: | --- | ---: | ---: | ---: |",
        ]
        lines += [
            f"| {row.name} | {row.elo:+.0f} | {row.elo_low:+.0f} .. {row.elo_high:+.0f} | {row.share:.3f}"
            f" | {row.low:.3f} .. {row.high:.3f} | {row.wins} | {row.draws} | {row.losses} |"
            for row in self.standings
        ]
        lines += ["", f"| outlived | {' | '.join(self.players)} |", "| --- |" + " ---: |" * len(self.players)]
        for number, name in enumerate(self.players):
            cells = ["" if other == number else f"{score:.3f}" for other, score in enumerate(self.scores[number])]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        return "\n".join(lines)


def tables_of(players: int, seats: int) -> NDArray[np.uint8]:
    """Return who sits down together, uint8[tables, seats]: every choice of `seats` players; if there are fewer than
    seats, tables in which some sit twice, each player equally often over all tables.

    Raises:
        ValueError: fewer than two players.
    """
    if players < 2:
        raise ValueError("a tournament needs at least two players")
    if players >= seats:
        return np.array(list(combinations(range(players), seats)), np.uint8)
    return ((np.arange(players)[:, None] + np.arange(seats)) % players).astype(np.uint8)


def run_tournament(
    players: Sequence[Competitor],
    config: TournamentConfig,
    seed: int,
    snakes: int = 2,
    *,
    conditions: GameConditions | None = None,
    tapes: bool = False,
    threads: int = 1,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
    play: Callable[..., Finished] = play_matches,
) -> TournamentResult:
    """Let every table of `snakes` players play the same fresh seeds, each from all rotations of its seats.

    Args:
        players: with names that differ.
        config: `games_per_matchup` games per table, rounded up to whole seeds; `confidence_level` of the intervals.
        seed: of all games and of the resampling.
        conditions: other than the official CLI's; `snakes` is put in.
        tapes, threads, stop, progress: as for `play_matches`.
        play: plays the games as that does.

    Raises:
        GameStateError, StoppedError: as `play_matches`.
        ValueError: fewer than two players, or two of one name.
    """
    names = tuple(player.name for player in players)
    if len(set(names)) != len(names):
        raise ValueError(f"players must have names that differ, not {', '.join(names)}")
    conditions = replace(conditions or GameConditions(), snakes=snakes)
    rotations = [np.roll(table, -turn) for table in tables_of(len(players), snakes) for turn in range(snakes)]
    seatings = np.array(rotations, np.uint8)
    seeds = fresh_seeds(seed, -(-config.games_per_matchup // snakes))
    finished = play(
        players,
        *every_seating(seatings, seeds),
        conditions,
        tapes=tapes,
        threads=threads,
        stop=stop,
        progress=progress,
    )
    counted = count_blocks(finished, len(players), len(seatings))
    ratings = _rate(finished, counted, len(seatings), config.confidence_level, seed)
    return TournamentResult(
        players=names,
        snakes=snakes,
        conditions=conditions_text(conditions),
        confidence=config.confidence_level,
        seed=seed,
        games=len(finished.seeds),
        cut_off=int(finished.cut_off.sum()),
        standings=_standings(names, counted, ratings, config.confidence_level),
        pairings=_pairings(names, counted, seatings, config.confidence_level),
        scores=counted.scores.mean(0),
        block_seeds=seeds,
        block_shares=counted.shares,
        block_scores=counted.scores,
        finished=finished,
    )


def _rate(finished: Finished, counted: BlockScores, games_per_block: int, confidence: float, seed: int) -> Ratings:
    players = counted.shares.shape[1]
    if finished.ranks.shape[1] == 2:
        return rate_duels(counted.scores, 2, confidence, seed)
    orders = orders_of(finished.seatings.astype(np.int64), finished.ranks.astype(np.int64), games_per_block)
    return rate_orders(orders, players, confidence, seed)


def _standings(
    names: Sequence[str], counted: BlockScores, ratings: Ratings, confidence: float
) -> tuple[PlayerStanding, ...]:
    blocks = len(counted.shares)
    rows = []
    for number, name in enumerate(names):
        games = int(counted.games[number])
        share = measure_blocks(counted.shares[:, number].tolist(), games / blocks, confidence)
        rows.append(
            PlayerStanding(
                name=name,
                elo=float(ratings.elo[number]),
                elo_low=float(ratings.low[number]),
                elo_high=float(ratings.high[number]),
                share=share.win_rate,
                low=share.low,
                high=share.high,
                wins=int(counted.wins[number]),
                draws=int(counted.draws[number]),
                losses=int(counted.losses[number]),
                games=games,
            )
        )
    return tuple(sorted(rows, key=lambda row: -row.elo))


def _pairings(
    names: Sequence[str], counted: BlockScores, seatings: NDArray[np.uint8], confidence: float
) -> tuple[Pairing, ...]:
    rows = []
    for first, second in combinations(range(len(names)), 2):
        together = int(((seatings == first).any(1) & (seatings == second).any(1)).sum())
        scores = counted.scores[:, first, second]
        measured = measure_blocks(scores.tolist(), together, confidence)
        rows.append(
            Pairing(
                first=names[first],
                second=names[second],
                score=measured.win_rate,
                low=measured.low,
                high=measured.high,
                p_value=sign_test(scores),
                games=together * len(counted.scores),
            )
        )
    return tuple(rows)
