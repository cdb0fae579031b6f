"""One measurement: a player against one opponent, every seed from every seat, with what its games tell of its play."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.game_spec import CLI_DEFAULTS
from pipeline.engine.layout import CAUSE_WORDS
from pipeline.engine.players.match import GameConditions
from pipeline.engine.tape_reading import TapeReader
from pipeline.evaluation.block_scores import count_blocks
from pipeline.evaluation.intervals import measure_blocks
from pipeline.evaluation.strategy import analyse
from pipeline.registry.transactions import REFERENCE
from pipeline.simulator.competitor import Competitor, alone_among, every_seating
from pipeline.simulator.matches import Finished, join_finished, play_matches
from schemas.errors import EvaluationError

ANALYSED_GAMES: Final = 400
"""So many games, from the first seeds on, keep their tapes and are analysed."""

LEAST_SEEDS: Final = 64
"""Seeds that are played between two looks at the clock."""
Play = Callable[..., Finished]
"""`play_matches`, or a journal that plays only what it does not hold."""


@dataclass(frozen=True, slots=True)
class AnalysedGame:
    """One finished game, seen from the judged player's seat.

    players, ranks, causes, deaths, lengths: seat by seat; ranks: 1 = best, shared by those who died on one turn;
    causes: "" = alive; deaths: the turn, 0 = alive. share: of the first place, 1 alone, 1/k of k. tape: the whole game.
    """

    seed: int
    seat: int
    players: tuple[str, ...]
    turns: int
    share: float
    ranks: tuple[int, ...]
    causes: tuple[str, ...]
    deaths: tuple[int, ...]
    lengths: tuple[int, ...]
    cut_off: bool
    tape: bytes

    @property
    def won(self) -> bool:
        """Whether the player was the sole winner."""
        return self.share == 1

    def states(self) -> Iterator[dict[str, Any]]:
        """Yield the board before the first turn and after each, snakes called s0, s1, ... by seat."""
        return TapeReader(self.tape).states()


Analysis = Callable[[list[AnalysedGame]], Mapping[str, float]]


def results_of(finished: Finished, names: tuple[str, ...], player: int) -> list[AnalysedGame]:
    """Return the games of `player` (an index as in `finished.seatings`, `names` by the same), from its first seat.

    The games must have kept their tapes.
    """
    shares, cut_off = finished.shares, finished.cut_off
    return [
        AnalysedGame(
            seed=int(finished.seeds[game]),
            seat=finished.seatings[game].tolist().index(player),
            players=tuple(names[index] for index in finished.seatings[game].tolist()),
            turns=int(finished.turns[game]),
            share=float(shares[game, finished.seatings[game].tolist().index(player)]),
            ranks=tuple(finished.ranks[game].tolist()),
            causes=tuple(CAUSE_WORDS[cause] for cause in finished.causes[game].tolist()),
            deaths=tuple(finished.deaths[game].tolist()),
            lengths=tuple(finished.lengths[game].tolist()),
            cut_off=bool(cut_off[game]),
            tape=finished.tapes[game],
        )
        for game in range(len(finished.seeds))
        if player in finished.seatings[game]
    ]


@dataclass(frozen=True)
class Measurement:
    """What to measure: `me` alone among as many of `rival` as fill `conditions.snakes` seats, on `seeds` (int64[B]),
    which follow from `seed`; `threads` and `stop` as for `play_matches`, `play` stands in for it. Once `enough` says so
    no more seeds are begun, but for the first `LEAST_SEEDS`."""

    me: Competitor
    rival: Competitor
    conditions: GameConditions
    seeds: NDArray[np.int64]
    seed: int
    confidence: float
    threads: int = 1
    stop: Callable[[], bool] | None = None
    play: Play = play_matches
    enough: Callable[[], bool] = lambda: False


class MeasuredGames(TypedDict):
    """The fields of `EvaluationResult` that the games tell."""

    opponent: str
    snakes: int
    games: int
    wins: int
    draws: int
    losses: int
    win_rate: float
    low: float
    high: float
    confidence: float
    elo: float | None
    seed: int
    conditions: str
    how: str
    strategic_score: float | None
    metrics: dict[str, float]


def measure(what: Measurement, analyses: Sequence[Analysis] = ()) -> MeasuredGames:
    """Play the games and count them.

    Args:
        analyses: custom functions, called with the analysed games; their numbers join the metrics.

    Raises:
        EvaluationError: one returned something else than numbers by new names.
        GameStateError, StoppedError: as `play_matches`.
    """
    snakes = what.conditions.snakes
    taped = -(-ANALYSED_GAMES // snakes)
    parts = [_play(what, what.seeds[:LEAST_SEEDS], tapes=True)]
    for begin in range(LEAST_SEEDS, len(what.seeds), LEAST_SEEDS):
        if what.enough():
            break
        parts.append(_play(what, what.seeds[begin : begin + LEAST_SEEDS], tapes=begin < taped))
    first = join_finished([part for part in parts if part.tapes])
    counted = [count_blocks(part, 2, snakes) for part in parts]
    rate = measure_blocks(np.concatenate([part.shares[:, 0] for part in counted]).tolist(), snakes, what.confidence)
    score, metrics = _analysed(what, first, analyses)
    reference = what.rival.name == REFERENCE and snakes == 2
    if not reference:  # the plain names are the reference duels'
        metrics = {f"{name}/{what.rival.name}/{snakes}": value for name, value in metrics.items()}
        metrics[f"strategic_score/{what.rival.name}/{snakes}"] = score
    return MeasuredGames(
        opponent=what.rival.name,
        snakes=snakes,
        games=rate.games,
        wins=sum(int(part.wins[0]) for part in counted),
        draws=sum(int(part.draws[0]) for part in counted),
        losses=sum(int(part.losses[0]) for part in counted),
        win_rate=rate.win_rate,
        low=rate.low,
        high=rate.high,
        confidence=what.confidence,
        elo=_elo(rate.win_rate) if snakes == 2 else None,
        seed=what.seed,
        conditions=conditions_text(what.conditions),
        how=f"{rate.games // snakes} seeds, each from {snakes} seats; Wilson's interval on blocks of one seed; strategy"
        f" from the first {len(first.seeds)} games",
        strategic_score=score if reference else None,
        metrics=metrics,
    )


def _play(what: Measurement, seeds: NDArray[np.int64], *, tapes: bool) -> Finished:
    games = every_seating(alone_among(what.conditions.snakes), seeds)
    return what.play([what.me, what.rival], *games, what.conditions, tapes=tapes, threads=what.threads, stop=what.stop)


def _analysed(what: Measurement, played: Finished, analyses: Sequence[Analysis]) -> tuple[float, dict[str, float]]:
    report = analyse(played, 0, what.me.policy, what.seed)
    metrics = {**report.metrics, "cut_off": float(played.cut_off.mean())}
    games = results_of(played, (what.me.name, what.rival.name), 0)
    for function in analyses:
        metrics |= _numbers_of(function, games, metrics)
    return report.score, metrics


def _elo(rate: float) -> float | None:
    return 400 * math.log10(rate / (1 - rate)) if 0 < rate < 1 else None


def _numbers_of(function: Analysis, games: list[AnalysedGame], known: Mapping[str, float]) -> dict[str, float]:
    name = getattr(function, "__name__", repr(function))
    found = function(games)
    if not isinstance(found, Mapping):
        raise EvaluationError(
            f"the analysis function {name} returned {type(found).__name__}",
            where=name,
            remedy="Return a dictionary of numbers by name.",
        )
    for key, value in found.items():
        if not isinstance(key, str) or not isinstance(value, Real) or not math.isfinite(value) or key in known:
            raise EvaluationError(
                f"the analysis function {name} returned {key!r}: {value!r}",
                where=name,
                remedy="Give finite numbers, by names that are not metrics already.",
            )
    return {key: float(value) for key, value in found.items()}


def conditions_text(conditions: GameConditions) -> str:
    """Return e.g. `11x11 standard, 2 snakes, map standard, at most 3000 turns`; settings that are not the CLI's."""
    other = [
        f", {name} {value}"
        for name, value in conditions.settings._asdict().items()
        if value != getattr(CLI_DEFAULTS, name)
    ]
    return (
        f"{conditions.width}x{conditions.height} {conditions.ruleset}, {conditions.snakes} snakes,"
        f" map {conditions.map_id}, at most {conditions.most_turns} turns{''.join(other)}"
    )
