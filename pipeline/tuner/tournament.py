"""Tournaments of snakes: who plays whom, and what the games say of all of them.

Everybody against everybody (round-robin), one against all others (gauntlet), or Swiss: in each round neighbours in the
table meet who have not met yet. All pairings of a plan share its seeds, so that every pair sees the same boards. The
jobs' ids follow from the plan alone: a tournament that was stopped asks again for what it lacks, and a Swiss round
follows from the results of the rounds before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product
from math import prod

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.intervals import CONFIDENCE, measure_blocks
from pipeline.evaluation.ratings import NOBODY, Orders, rate_orders
from pipeline.tuner.jobs import GameResult, JobKind, JobResult, MatchJob, Participant, PlayConditions


@dataclass(frozen=True)
class Entrant:
    """One player of a tournament."""

    name: str
    participant: Participant


@dataclass(frozen=True)
class Tournament:
    """Who takes part, and how games are played.

    Raises:
        ValueError: fewer than two entrants, two of one name or of one participant, or no seeds.
    """

    entrants: tuple[Entrant, ...]
    seeds: tuple[int, ...]
    conditions: PlayConditions
    prefix: str
    """Begins every job's id."""

    def __post_init__(self) -> None:
        names = [entrant.name for entrant in self.entrants]
        if len(names) < 2:
            raise ValueError("a tournament needs at least two entrants")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"entrants must have names that differ; twice or more: {', '.join(twice)}")
        if len({entrant.participant for entrant in self.entrants}) < len(names):
            raise ValueError("two entrants are the same snake with the same weights")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError("a tournament needs seeds, each of them once")


def round_robin(tournament: Tournament, seats: int = 2) -> list[MatchJob]:
    """Every choice of `seats` entrants (2 to 4) plays all seeds, from every rotation of the seats.

    Raises:
        ValueError: fewer entrants than seats.
    """
    count = len(tournament.entrants)
    if not 2 <= seats <= min(4, count):
        raise ValueError(f"{count} entrants cannot fill {seats} seats")
    return [_job(tournament, table) for table in combinations(range(count), seats)]


def gauntlet(tournament: Tournament, first: int = 0) -> list[MatchJob]:
    """One entrant plays all others, who do not play each other."""
    return [_job(tournament, (first, other)) for other in range(len(tournament.entrants)) if other != first]


def swiss_round(tournament: Tournament, results: Mapping[str, JobResult]) -> list[MatchJob]:
    """The next round of duels, from the results of all before; empty once everybody has met everybody.

    The best of those without a partner yet meets the next one in the table whom it has not met. Of an odd number the
    lowest who has not rested yet rests.
    """
    games = _games(tournament, results)
    met = {frozenset(pair) for pair, _ in games}
    points = np.zeros(len(tournament.entrants))
    played = np.zeros(len(tournament.entrants))
    for table, game in games:
        for score, who in zip(game.scores, game.rotation, strict=True):
            points[table[who]] += score
            played[table[who]] += 1
    share = np.where(played > 0, points / np.maximum(played, 1), 0.5)
    waiting = sorted(range(len(share)), key=lambda number: (-share[number], number))
    if len(waiting) % 2:
        waiting.remove(max(waiting, key=lambda number: (played[number], -share[number], number)))
    pairs = _paired(waiting, met)
    return [_job(tournament, (min(pair), max(pair))) for pair in pairs]


def _paired(waiting: list[int], met: set[frozenset[int]]) -> list[tuple[int, int]]:
    """Pairs from the top, without repetitions; backs out of choices that would leave others without a partner, and
    where no choice fits everybody, leaves the lowest without one."""
    if len(waiting) < 2:
        return []
    best: list[tuple[int, int]] = []
    first = waiting[0]
    for other in waiting[1:]:
        if frozenset((first, other)) in met:
            continue
        rest = [number for number in waiting[1:] if number != other]
        found = [(first, other), *_paired(rest, met)]
        if len(found) > len(best):
            best = found
        if len(best) == len(waiting) // 2:
            return best
    without_first = _paired(waiting[1:], met)
    return best if len(best) >= len(without_first) else without_first


def _job(tournament: Tournament, table: tuple[int, ...]) -> MatchJob:
    return MatchJob(
        id=f"{tournament.prefix}:{'-'.join(map(str, table))}",
        kind=JobKind.TOURNAMENT,
        participants=tuple(tournament.entrants[number].participant for number in table),
        line=tuple(range(len(table))),
        seeds=tournament.seeds,
        conditions=tournament.conditions,
    )


@dataclass(frozen=True)
class SnakeStanding:
    """One entrant: Elo around the field's mean, and the share of the points of its games."""

    name: str
    elo: float
    elo_low: float
    elo_high: float
    share: float
    low: float
    high: float
    games: int
    failures: int
    """Games in which it did not answer properly at least once."""


@dataclass(frozen=True)
class SnakePairing:
    """How two did in the games that both played: one row in the database."""

    first: str
    second: str
    score: float
    """Of `first` against `second`: 1 where it was placed better, a half where equal."""
    low: float
    high: float
    games: int


@dataclass(frozen=True)
class CrossTable:
    """A tournament's results; standings best first, each pair once that has met."""

    standings: tuple[SnakeStanding, ...]
    pairings: tuple[SnakePairing, ...]
    games: int

    def cross_table(self) -> str:
        """The pairings as Markdown, rows and columns in the order of the standings."""
        names = [row.name for row in self.standings]
        score = {(row.first, row.second): row.score for row in self.pairings}
        score |= {(row.second, row.first): 1 - row.score for row in self.pairings}
        shown = [_cell(name) for name in names]
        lines = ["| | Elo | " + " | ".join(shown) + " |", "| --- | ---: |" + " ---: |" * len(names)]
        for row, name in zip(self.standings, shown, strict=True):
            cells = [f"{score[row.name, other]:.3f}" if (row.name, other) in score else "" for other in names]
            elo = f"{row.elo:+.0f} [{row.elo_low:+.0f}, {row.elo_high:+.0f}]"
            lines.append(f"| {name} | {elo} | " + " | ".join(cells) + " |")
        return "\n".join(lines)


def _cell(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name).replace("|", "\\|")


def table_of(tournament: Tournament, results: Mapping[str, JobResult], rating_seed: int) -> CrossTable:
    """Cross-table and ratings of what has been played so far.

    Args:
        rating_seed: of the resampling of seeds behind the intervals of the ratings.

    Raises:
        ValueError: nothing has been played.
    """
    games = _games(tournament, results)
    if not games:
        raise ValueError("no game of the tournament has been played")
    names = [entrant.name for entrant in tournament.entrants]
    ratings = rate_orders(_orders(games), len(names), CONFIDENCE, rating_seed)
    standings = []
    for number, name in enumerate(names):
        share, low, high, count, failures = _share(number, games)
        elo = (float(ratings.elo[number]), float(ratings.low[number]), float(ratings.high[number]))
        standings.append(SnakeStanding(name, *elo, share, low, high, count, failures))
    pairings = [
        pairing
        for first, second in combinations(range(len(names)), 2)
        if (pairing := _pairing(first, second, names, games)) is not None
    ]
    return CrossTable(tuple(sorted(standings, key=lambda row: (-row.elo, row.name))), tuple(pairings), len(games))


_Played = tuple[tuple[int, ...], GameResult]
"""Who takes part in a job, by number, and one of its games."""


def _games(tournament: Tournament, results: Mapping[str, JobResult]) -> list[_Played]:
    found = []
    for job in sorted(results):
        prefix, _, table = job.rpartition(":")
        if prefix == tournament.prefix:
            numbers = tuple(int(number) for number in table.split("-"))
            found += [(numbers, game) for game in results[job].games]
    return found


def _places(game: GameResult) -> list[int]:
    """By seat, 1 for the best: who lived longest; those who died on one turn, or lived to the end, share a place."""
    if len(game.rotation) == 2:
        lasted = list(game.scores)
    else:
        lasted = [float("inf") if not turn else float(turn) for turn in game.died_on]
    return [1 + sum(other > own for other in lasted) for own in lasted]


def _orders(games: Sequence[_Played]) -> Orders:
    """Orders of arrival; games on one seed are a block, in whichever pairing."""
    blocks = {seed: number for number, seed in enumerate(dict.fromkeys(game.seed for _, game in games))}
    seats = max(len(game.rotation) for _, game in games)
    columns: dict[tuple[int, ...], int] = {}
    seen: list[tuple[int, int, float]] = []
    for table, game in games:
        places = _places(game)
        players = [table[who] for who in game.rotation]
        ties = [
            [player for player, own in zip(players, places, strict=True) if own == place]
            for place in sorted(set(places))
        ]
        count = prod(len(list(permutations(tied))) for tied in ties)
        for choice in product(*(permutations(tied) for tied in ties)):
            order = tuple(player for part in choice for player in part)
            padded = order + (int(NOBODY),) * (seats - len(order))
            seen.append((blocks[game.seed], columns.setdefault(padded, len(columns)), 1 / count))
    weights: NDArray[np.float64] = np.zeros((len(blocks), len(columns)))
    for block, column, weight in seen:
        weights[block, column] += weight
    return Orders(np.array(list(columns), np.int64), weights)


def _share(number: int, games: Sequence[_Played]) -> tuple[float, float, float, int, int]:
    by_seed: dict[int, list[float]] = {}
    failures = 0
    for table, game in games:
        own = [score for score, who in zip(game.scores, game.rotation, strict=True) if table[who] == number]
        if own:
            by_seed.setdefault(game.seed, []).append(sum(own))
            faults = zip(game.failures, game.rotation, strict=True)
            failures += any(fault and table[who] == number for fault, who in faults)
    count = sum(map(len, by_seed.values()))
    if not count:
        return 0.5, 0.0, 1.0, 0, 0
    measured = measure_blocks([sum(scores) / len(scores) for scores in by_seed.values()], count / len(by_seed))
    return measured.win_rate, measured.low, measured.high, count, failures


def _pairing(first: int, second: int, names: Sequence[str], games: Sequence[_Played]) -> SnakePairing | None:
    by_seed: dict[int, list[float]] = {}
    for table, game in games:
        if first in table and second in table:
            places = dict(zip((table[who] for who in game.rotation), _places(game), strict=True))
            ahead = (places[second] > places[first]) + (places[second] == places[first]) / 2
            by_seed.setdefault(game.seed, []).append(ahead)
    count = sum(map(len, by_seed.values()))
    if not count:
        return None
    measured = measure_blocks([sum(scores) / len(scores) for scores in by_seed.values()], count / len(by_seed))
    return SnakePairing(names[first], names[second], measured.win_rate, measured.low, measured.high, count)
