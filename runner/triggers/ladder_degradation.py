"""Does a snake win less on the public Arena's ladder than it is held to? The same test as `degradation`, per band.

A snake is held to a win rate for each band of its opponents (`arena_registrations`). Game i falls into a band of rate
p0_i, and is tested against p1_i = p0_i - degradation_threshold: the product of the games' likelihood ratios is a
supermartingale whatever bands come in which order, so that Ville's inequality bounds the error as in `degradation`. The
rate is itself an estimate: p0_i is the lower end of its 95 % interval, so that luck in the registered games does not
call a healthy snake degraded. Games of no band, and of bands whose rate cannot fall by the threshold, say nothing.
"""

import math
from collections.abc import Sequence

from runner.triggers.context import ConditionContext, ConditionVerdict
from runner.triggers.cursor_text import remembered
from schemas.base import Frozen
from schemas.ladder import LadderRegistration, LadderResult


class Evidence(Frozen):
    """What is asked of the test."""

    threshold: float
    alpha: float
    beta: float


class _Test(Frozen):
    """A snake's test in hand."""

    registration: int
    up_to_result: int
    log_ratio: float = 0.0
    games: int = 0
    score: float = 0.0
    expected: float = 0.0
    """Sum of the registered rates of the bands that the games fell into."""


class _Memory(Frozen):
    tests: dict[str, _Test]
    """By the snake's id."""


def check_ladder(evidence: Evidence, held: Sequence[LadderRegistration], context: ConditionContext) -> ConditionVerdict:
    """Go on with each snake's test; fires when one finds that its snake has lost the threshold or more."""
    memory = remembered(_Memory, context.cursor) or _Memory(tests={})
    tests, found, told = {}, [], []
    for one in held:
        test = memory.tests.get(one.snake_id)
        if test is None or test.registration != one.number:
            test = _Test(registration=one.number, up_to_result=one.up_to_result)
        results = context.view.ladder_results_after(one.snake_id, test.up_to_result)
        tests[one.snake_id], verdict, degraded = _go_on(evidence, one, test, results)
        told.append(verdict)
        found += [verdict] if degraded else []
    return ConditionVerdict(bool(found), "; ".join(found or told), _Memory(tests=tests).model_dump_json())


def _go_on(
    evidence: Evidence, held: LadderRegistration, test: _Test, results: Sequence[LadderResult]
) -> tuple[_Test, str, bool]:
    """The test after these games, what it says in words, and whether it found the snake degraded."""
    degraded, healthy = math.log(1 / evidence.alpha), math.log(evidence.beta)
    found, decided = "", ""
    for result in results:
        test = _after(evidence, held, test, result)
        if healthy < test.log_ratio < degraded:
            continue
        verdict = f"{held.snake_name} scored {test.score / test.games:.3f} over {test.games} ladder games"
        verdict += f", {test.expected / test.games:.3f} registered"
        if test.log_ratio >= degraded:
            found = f"degraded by {evidence.threshold:g} or more: {verdict} (alpha {evidence.alpha:g})"
        else:
            decided = f"not degraded: {verdict} (beta {evidence.beta:g})"
        test = _Test(registration=test.registration, up_to_result=test.up_to_result)
    mean = (
        f", mean score {test.score / test.games:.3f}, {test.expected / test.games:.3f} registered" if test.games else ""
    )
    undecided = f"{held.snake_name}: undecided after {test.games} ladder games{mean}"
    return test, found or decided or undecided, bool(found)


def _after(evidence: Evidence, held: LadderRegistration, test: _Test, result: LadderResult) -> _Test:
    seen = test.model_copy(update={"up_to_result": result.number})
    band = next((band for band in held.bands if band.holds(result.opponents, result.opponent_rating)), None)
    if band is None or not evidence.threshold < band.low < 1:
        return seen
    worse = band.low - evidence.threshold
    ratio = result.score * math.log(worse / band.low) + (1 - result.score) * math.log((1 - worse) / (1 - band.low))
    return seen.model_copy(
        update={
            "log_ratio": test.log_ratio + ratio,
            "games": test.games + 1,
            "score": test.score + result.score,
            "expected": test.expected + band.win_rate,
        }
    )
