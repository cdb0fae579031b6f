"""What `ouroboros play` shows of a match: a table and lines for a person, or one JSON object for a program.

A snake's score is counted as the tuner counts it, its interval over pairs: the games of a seed are not independent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan, nan, sqrt
from statistics import NormalDist
from typing import Any, TypeVar

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.evaluation.intervals import wilson
from pipeline.referee.outcome import GameOutcome, PairOutcome, SnakeOutcome
from pipeline.referee.result import ContestantTally, MatchResult

CONFIDENCE = 0.95
Word = TypeVar("Word", bound=str)
WIDE = 124
"""Columns of a terminal from which on the whole table fits."""


@dataclass(frozen=True, slots=True)
class PairedScore:
    """The mean score over whole pairs, 0 to 1, with its 95 % interval; nan where no pair is whole."""

    mean: float
    low: float
    high: float
    pairs: int

    def __str__(self) -> str:
        """As `62.5% [48.4%, 74.8%]`; a dash without pairs."""
        return f"{self.mean:.1%} [{self.low:.1%}, {self.high:.1%}]" if self.pairs else "-"


def paired_score(pairs: Sequence[PairOutcome], contestant: int) -> PairedScore:
    """Return the contestant's score over these pairs, those left out in which it did not play.

    The interval is Wilson's (1927) with each pair as one trial: a score between 0 and 1 varies no more than a coin of
    the same mean, so it is never too narrow for that.
    """
    own = [pair for pair in pairs if contestant in pair.games[0].spec.seats]
    scores = [sum(game_score(game, contestant) for game in pair.games) / len(pair.games) for pair in own]
    if not scores:
        return PairedScore(nan, nan, nan, 0)
    count, mean = len(scores), sum(scores) / len(scores)
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    middle = (mean + z * z / (2 * count)) / (1 + z * z / count)
    half = z * sqrt(mean * (1 - mean) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return PairedScore(mean, max(0.0, middle - half), min(1.0, middle + half), count)


def game_score(game: GameOutcome, contestant: int) -> float:
    """Return the share of the others' snakes that the contestant's outlived, a tie half.

    A snake that failed to answer is never beaten by that: where one of two failed and the other did not, the other gets
    at most a half. So the tuner counts (`pipeline.tuner.contest`), and so a draw is a half, whoever died how.
    """
    own = [snake for snake in game.snakes if snake.contestant == contestant]
    others = [snake for snake in game.snakes if snake.contestant != contestant]
    points = [_point(mine, theirs) for mine in own for theirs in others]
    return sum(points) / len(points) if points else nan


def _point(mine: SnakeOutcome, theirs: SnakeOutcome) -> float:
    ends = mine.died_on_turn or inf, theirs.died_on_turn or inf
    point = 1.0 if ends[0] > ends[1] else 0.5 if ends[0] == ends[1] else 0.0
    if bool(mine.failures) == bool(theirs.failures):
        return point
    return min(point, 0.5) if theirs.failures else max(point, 0.5)


def show(result: MatchResult, warnings: Sequence[str], console: Console, *, gauntlet: bool) -> None:
    """Print a match: a line per contestant with its score by pairs, then why they died and how they answered.

    Args:
        warnings: by contestant, what its `GET /` said that the official command refuses; empty: nothing.
        gauntlet: also the first one's score against each other.
    """
    tallies = [result.tally(contestant) for contestant in range(len(result.names))]
    pairs = result.pairs()
    console.print(_table(result, tallies, [paired_score(pairs, at) for at in range(len(tallies))], console.width))
    if gauntlet:
        for other in range(1, len(tallies)):
            _say(console, f"{tallies[0].name} against {tallies[other].name}: {_against(result, other)}")
    for tally, warning in zip(tallies, warnings, strict=True):
        _say(console, f"{tally.name} died of: {_counts(tally.causes, skip='') or 'nothing'}")
        _say(console, f"{tally.name} failed to answer: {_answers(tally)}")
        if warning:
            _say(console, f"{tally.name}: {warning}")
    console.print(f"Games with a time-out or another failure: {result.failed_games} of {len(result.games)}.")


def _table(result: MatchResult, tallies: Sequence[ContestantTally], scores: Sequence[PairedScore], width: int) -> Table:
    """A row a snake; on a terminal of fewer than WIDE columns the counts share one, and the win rate is left out."""
    table = Table(title=f"{len(result.games)} of {len(result.schedule)} games, {result.games_per_s:.1f} games/s")
    table.add_column("snake", overflow="fold", min_width=16)
    wide = width >= WIDE
    counted = ("won", "drawn", "lost", "limit", "failed", "win rate, 95 %") if wide else ("w/d/l/limit",)
    for heading in (*counted, "score by pairs, 95 %", "ms p50/p95/p99"):
        table.add_column(heading, justify="right", no_wrap=True)
    for tally, score in zip(tallies, scores, strict=True):
        counts = [str(count) for count in (tally.wins, tally.draws, tally.losses, tally.turn_limits)]
        cells = [*counts, str(sum(tally.failures.values())), win_rate_text(tally)] if wide else ["/".join(counts)]
        table.add_row(Text(tally.name), *cells, str(score), _latencies(tally))
    return table


def as_json(result: MatchResult, warnings: Sequence[str], seed: int, *, gauntlet: bool) -> bytes:
    """Return the same as one JSON object; what is not known is null. Latencies are milliseconds, scores 0 to 1."""
    pairs = result.pairs()
    snakes = [
        _snake(result.tally(contestant), paired_score(pairs, contestant), warning)
        for contestant, warning in enumerate(warnings)
    ]
    told: dict[str, Any] = {
        "seed": seed,
        "games": len(result.games),
        "planned": len(result.schedule),
        "stopped": result.stopped,
        "games_per_s": round(result.games_per_s, 3),
        "failed_games": result.failed_games,
        "failure_limit": result.failure_limit,
        "snakes": snakes,
    }
    if gauntlet:
        names = result.names
        told["against"] = [{"name": names[at], **_score(_against(result, at))} for at in range(1, len(names))]
    return orjson.dumps(told, option=orjson.OPT_INDENT_2)


def _snake(tally: ContestantTally, score: PairedScore, warning: str) -> dict[str, Any]:
    return {
        "name": tally.name,
        "won": tally.wins,
        "drawn": tally.draws,
        "lost": tally.losses,
        "turn_limit": tally.turn_limits,
        **_score(score),
        "causes_of_death": {cause: count for cause, count in tally.causes.items() if cause},
        "failures": dict(tally.failures),
        "first_failure": tally.first_failure or None,
        "start_or_end_failures": tally.ignored_failures,
        "reconnects": tally.reconnects,
        "latency_ms": {
            "p50": _number(tally.latency_p50_ms),
            "p95": _number(tally.latency_p95_ms),
            "p99": _number(tally.latency_p99_ms),
        },
        "warning": warning or None,
    }


def _score(score: PairedScore) -> dict[str, Any]:
    interval = [score.low, score.high] if score.pairs else None
    return {"score": _number(score.mean), "score_interval": interval, "pairs": score.pairs}


def _number(value: float) -> float | None:
    return None if isnan(value) else round(value, 4)


def _against(result: MatchResult, other: int) -> PairedScore:
    return paired_score([pair for pair in result.pairs() if other in pair.games[0].spec.seats], 0)


def _answers(tally: ContestantTally) -> str:
    """How often it failed and how, the first time in words; connections that had to be opened anew."""
    parts = [_counts(tally.failures) or "never"]
    if tally.ignored_failures:
        parts.append(f"{tally.ignored_failures} times at a game's start or end")
    if tally.first_failure:
        parts.append(f"first at {tally.first_failure}")
    if tally.reconnects:
        parts.append(f"{tally.reconnects} reconnects")
    return "; ".join(parts)


def _latencies(tally: ContestantTally) -> str:
    if isnan(tally.latency_p50_ms):
        return "-"
    return f"{tally.latency_p50_ms:.1f}/{tally.latency_p95_ms:.1f}/{tally.latency_p99_ms:.1f}"


def win_rate_text(tally: ContestantTally) -> str:
    """Return wins per game with the 95 % Wilson interval, which takes games as independent."""
    if tally.seats == 0:
        return "-"
    low, high = wilson(tally.wins, tally.seats, CONFIDENCE)
    return f"{tally.wins / tally.seats:.1%} [{low:.1%}, {high:.1%}]"


def _counts(counts: Mapping[Word, int], skip: str | None = None) -> str:
    words = sorted(((count, str(word)) for word, count in counts.items() if word != skip), reverse=True)
    return ", ".join(f"{count} {word}" for count, word in words)


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
