"""How a player plays, from its games: territory, food, traps, head-to-heads, deaths, openings, survival, symmetry.

The strategic score, 0..100, is 100 times the plain mean of these parts, each 0..1; a part without a case in the
games (no trap ever offered, a heuristic that no symmetry is asked of) is left out:

- territory: of the cells that anybody reaches first (all heads walking at once over cells now open), the player's
  share over its decisions, times half the number of seats, at most 1: 0.5 is the fair share, 1 twice that.
- food: of all food eaten in its games the player's share, on the same scale.
- traps: of the decisions between an open move into less room than its length and one into more, how often it took
  the latter.
- heads: of the decisions between a cell that a head at least as long may enter too and an open cell that none may, how
  often it took the latter.
- deaths: 1 - the share of its deaths that were avoidable: of hunger or hazards, or with an open cell at hand that no
  head could contest (1 if it never died).
- symmetry: `Consistency.agreement`.

The score describes the manner of play. It is no measure of strength: that is what win rates are for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.data.quality import strategy_diversity
from pipeline.data.scan import scan
from pipeline.engine.layout import CAUSE_WORDS
from pipeline.engine.observe import Observations, Observer, allocate_observations
from pipeline.engine.planes import FEATURES
from pipeline.engine.symmetry import MOVE_FROM, SYMMETRIES
from pipeline.engine.tape_reading import TapeReader
from pipeline.evaluation import strategy_scan as scanned
from pipeline.evaluation.strategy_scan import STRETCH_TURNS, Counted, count_strategy
from pipeline.simulator.competitor import Policy
from pipeline.simulator.matches import Finished

SURVIVAL_TURNS: Final = (25, 50, 100, 200, 400)
SYMMETRY_POSITIONS: Final = 512
_OPEN: Final = [slot.name for slot in FEATURES].index("open_up")


@dataclass(frozen=True)
class StrategyReport:
    """`score` 0..100 and its `parts` 0..1, as the module defines them; `metrics`: every number found, by name.

    Metrics: `territory_share` and `territory_share_from_T` (in the stretch of turns that begins at T), `food_share`,
    `food_per_100_turns`, `first_food_turn`, `trap_avoidance`, `traps_offered_per_game`, `head_risk_avoidance`,
    `prey_taken` (of the decisions with a cell that only shorter heads may enter too), `avoidable_deaths` (share of
    deaths), `death_CAUSE` and `alive_at_end` (shares of seats played), `survival_T` (chance to live longer than T
    turns, by Kaplan and Meier: a game that ended while it lived tells nothing of later turns), `average_turns`,
    `opening_diversity`, `symmetry_agreement`, `symmetry_unanimous`.
    """

    score: float
    parts: Mapping[str, float]
    metrics: Mapping[str, float]


def analyse(finished: Finished, player: int, policy: Policy | None = None, seed: int = 0) -> StrategyReport:
    """Analyse the games of `player` (an index as in `finished.seatings`), every seat that it held.

    Args:
        finished: games with tapes, all of them kept.
        policy: the player's, to be asked through the symmetries; None: not asked.
        seed: of the positions it is asked about.

    Raises:
        DataError: a game without its tape.
        ValueError: games in which the player does not sit.
    """
    mine = finished.seatings == player
    if not mine.any():
        raise ValueError(f"player {player} sits in none of {len(mine)} games")
    counted = count_strategy(finished.tapes)
    metrics, parts = _from_counts(counted, mine)
    metrics |= _from_ends(finished, mine)
    metrics["opening_diversity"] = strategy_diversity(scan(finished.tapes).openings[mine])
    if policy is not None:
        seen = consistency(policy, finished.tapes, SYMMETRY_POSITIONS, seed)
        metrics |= {"symmetry_agreement": seen.agreement, "symmetry_unanimous": seen.unanimous}
        parts["symmetry"] = seen.agreement
    deaths = int((mine & (finished.causes > 0)).sum())
    avoidable = int(counted.counts[:, :, scanned.AVOIDABLE][mine].sum())
    metrics["avoidable_deaths"] = avoidable / max(deaths, 1)
    parts["deaths"] = 1 - metrics["avoidable_deaths"]
    return StrategyReport(100 * float(np.mean(list(parts.values()))), parts, metrics)


def _from_counts(counted: Counted, mine: NDArray[np.bool_]) -> tuple[dict[str, float], dict[str, float]]:
    """Return metrics and the parts of the score that follow from them."""
    total = counted.counts[mine].sum(0)
    games, half = int(mine.any(1).sum()), mine.shape[1] / 2
    eaten = counted.counts[mine.any(1)][:, :, scanned.FOOD].sum()
    ground = counted.territory[mine].sum(0)
    metrics: dict[str, float] = {"food_per_100_turns": 100 * float(total[scanned.FOOD] / max(total[scanned.MOVES], 1))}
    parts: dict[str, float] = {}
    seats = int(mine.sum())
    if ground[:, 1].sum():
        metrics["territory_share"] = float(ground[:, 0].sum() / ground[:, 1].sum())
        parts["territory"] = min(1.0, metrics["territory_share"] * half * games / seats)
    for stretch in np.flatnonzero(ground[:, 1]).tolist():
        metrics[f"territory_share_from_{stretch * STRETCH_TURNS}"] = float(ground[stretch, 0] / ground[stretch, 1])
    if eaten:
        metrics["food_share"] = float(total[scanned.FOOD] / eaten)
        parts["food"] = min(1.0, metrics["food_share"] * half * games / seats)
    first = counted.counts[:, :, scanned.FIRST_FOOD][mine]
    if first.any():
        metrics["first_food_turn"] = float(first[first > 0].mean())
    metrics["traps_offered_per_game"] = float(total[scanned.TRAP_CHANCES] / games)
    for name, cases, taken, part in (
        ("trap_avoidance", scanned.TRAP_CHANCES, scanned.TRAPPED, "traps"),
        ("head_risk_avoidance", scanned.RISKS, scanned.RISKED, "heads"),
    ):
        if total[cases]:
            metrics[name] = parts[part] = float(1 - total[taken] / total[cases])
    if total[scanned.PREYS]:
        metrics["prey_taken"] = float(total[scanned.PRESSED] / total[scanned.PREYS])
    return metrics, parts


def _from_ends(finished: Finished, mine: NDArray[np.bool_]) -> dict[str, float]:
    causes, deaths = finished.causes[mine], finished.deaths[mine].astype(np.float64)
    turns = np.broadcast_to(finished.turns[:, None], mine.shape)[mine].astype(np.float64)
    metrics = {
        f"death_{word.replace('-', '_')}" if word else "alive_at_end": float((causes == number).mean())
        for number, word in enumerate(CAUSE_WORDS)
    }
    metrics["average_turns"] = float(finished.turns.mean())
    alive = survival(deaths, turns, np.array(SURVIVAL_TURNS))
    metrics |= {f"survival_{turn}": float(share) for turn, share in zip(SURVIVAL_TURNS, alive, strict=True)}
    return metrics


def survival(deaths: NDArray[np.float64], turns: NDArray[np.float64], asked: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share that lives beyond each turn asked for (Kaplan and Meier 1958, JASA 53, 457-481).

    Written out here because SciPy's costs every training process a second to import.

    Args:
        deaths: [S], the turn of each death; 0: alive when its game ended, at `turns`.
        turns: [S].
        asked: [A], turns.

    Returns:
        float64[A].
    """
    events, died = np.unique(deaths[deaths > 0], return_counts=True)
    ends = np.sort(np.where(deaths > 0, deaths, turns))
    at_risk = len(ends) - np.searchsorted(ends, events)
    alive = np.concatenate(([1.0], np.cumprod(1 - died / at_risk)))
    return alive[np.searchsorted(events, asked, side="right")]


class Consistency(NamedTuple):
    """agreement: how often a view turned or mirrored gives the move of the plain view; unanimous: the share of
    positions in which all eight views give one move; positions looked at."""

    agreement: float
    unanimous: float
    positions: int


def consistency(policy: Policy, tapes: Sequence[bytes], positions: int, seed: int) -> Consistency:
    """Show the policy positions of the games through all eight symmetries and compare its moves on the board.

    Args:
        tapes: games on boards that fit the policy's frame.
        positions: to look at, spread over the games; of each turn taken all living snakes' views count.
        seed: of the turns taken and of the draws, which are the same for the eight views of a position.

    Raises:
        ValueError: the tapes hold no position.
    """
    chance = np.random.default_rng(seed)
    per_game = max(1, -(-positions // max(len(tapes), 1)))
    parts: list[Observations] = []
    for index in chance.permutation(len(tapes)).tolist():
        if sum(len(part.symmetries) for part in parts) >= positions * SYMMETRIES:
            break
        parts += _views(tapes[index], per_game, chance)
    if not parts:
        raise ValueError("no tape holds a position to look at")
    rows = Observations(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    masks = rows.features[:, _OPEN : _OPEN + 4] > 0
    masks[~masks.any(1)] = True
    count = len(masks) // SYMMETRIES
    draws = np.repeat(chance.random(count, np.float32), SYMMETRIES)
    moves = MOVE_FROM[rows.symmetries, policy.choose(rows, masks, draws)].reshape(count, SYMMETRIES)
    same = moves == moves[:, :1]
    return Consistency(float(same[:, 1:].mean()), float(same.all(1).mean()), count)


def _views(tape: bytes, wanted: int, chance: np.random.Generator) -> list[Observations]:
    """Return all views, eight rows a snake, of about `wanted` snakes of a game at turns drawn by chance."""
    turns = sum(1 for _ in TapeReader(tape).turns()) - 1
    taken = set(chance.integers(0, max(turns, 1), wanted).tolist())
    reader = TapeReader(tape)
    observer, parts = None, []
    for turn, records in enumerate(reader.turns()):
        if turn not in taken:
            continue
        observer = observer or Observer(records)
        games, snakes = (_eightfold(array) for array in observer.living())
        rows = allocate_observations(len(games))
        rows.symmetries[:] = np.tile(np.arange(SYMMETRIES, dtype=np.uint8), len(games) // SYMMETRIES)
        observer.observe(games, snakes, rows)
        parts.append(rows)
    return parts


def _eightfold(array: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.repeat(array, SYMMETRIES)
