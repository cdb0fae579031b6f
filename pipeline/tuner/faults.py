"""Who failed to answer: time-outs, crashes and nonsense, counted per side over the whole run.

One time-out in one small match says nothing. A side fails too often when the run's whole sample shows, beyond chance,
that its share of games with a failure lies over the limit.
"""

from collections.abc import Mapping, Sequence
from math import lgamma, log, log1p

from pipeline.tuner.jobs import GameResult, JobFailure, MatchJob
from schemas.errors import EvaluationError, SnakeError
from schemas.tuning_run import TuningState, sides_of_job

CANDIDATE = "candidate"
"""The side that the gate judges."""
FAILURE_LIMIT = 0.01
"""Share of a side's games in which it may fail to answer."""
ERROR_RATE = 0.01
"""Chance that a side which fails in just that share is ever, however often it is looked at, said to fail too often."""
EMPTY_CANDIDATES = 20
"""So often in a row a strategy may propose no change at all."""


def sides_of(job: MatchJob) -> tuple[str, ...]:
    """What each participant of a job is in the run."""
    return sides_of_job(job.kind.value, job.id, len(job.participants))


def count_sides(
    state: TuningState, games: Sequence[tuple[MatchJob, GameResult]]
) -> tuple[dict[str, int], dict[str, int]]:
    """The run's games and failures by side, with these counted in."""
    played, failed = dict(state.side_games), dict(state.side_failures)
    for job, game in games:
        sides = sides_of(job)
        for who in dict.fromkeys(game.rotation):
            side = sides[who]
            played[side] = played.get(side, 0) + 1
            bad = any(failure for failure, seat in zip(game.failures, game.rotation, strict=True) if seat == who)
            failed[side] = failed.get(side, 0) + bad
    return played, failed


def fails_too_often(failed: int, games: int) -> bool:
    """Whether so many failures show that the share lies over the limit, beyond chance.

    It is asked after every step. So what must pass 1 / ERROR_RATE is a likelihood ratio: that of all shares alike
    against that of the limit, which games at the limit ever take there with ERROR_RATE at most (Ville's inequality).
    """
    if failed <= FAILURE_LIMIT * games:
        return False
    any_share = lgamma(failed + 1) + lgamma(games - failed + 1) - lgamma(games + 2)
    at_limit = failed * log(FAILURE_LIMIT) + (games - failed) * log1p(-FAILURE_LIMIT)
    return any_share - at_limit > -log(ERROR_RATE)


def require_sound(state: TuningState) -> None:
    """Refuse to go on where a side fails too often in the run's whole sample.

    Raises:
        EvaluationError: names the sides.
    """
    bad = {side: games for side, games in state.side_games.items() if fails_too_often(state.side_failures[side], games)}
    if not bad:
        return
    raise EvaluationError(
        f"a snake fails to answer in more than {FAILURE_LIMIT:.0%} of its games",
        where=failures_in_words(state.side_failures, bad),
        remedy="If the snake is only slow, raise timeout_ms or play fewer games at once (parallel_games); "
        "`ouroboros play` says how it fails first. What was decided stays.",
    )


def require_playable(
    state: TuningState, failure: JobFailure | None, max_failures: int, *, at_start: bool, exhausted: bool
) -> None:
    """Refuse to go on where nothing can be played, or nothing is there to be tried.

    Args:
        failure: of the step just taken; None: its games were played.
        max_failures: jobs in a row that may fail.
        at_start: the failure was of the run's first measurement.
        exhausted: the search has nothing to ask and nothing to propose.

    Raises:
        SnakeError: the champion or an opponent cannot be played at all, too many jobs in a row cannot, or the strategy
            has no change to propose (any more).
    """
    if exhausted:
        raise SnakeError(
            "the search has nothing left to try: every other value of every weight has lost to the best",
            where=state.snake,
            remedy="Wider bounds, more weights or another search (--search) go on from here.",
        )
    if failure is not None and at_start:
        raise SnakeError(failure.what, where=failure.where, remedy=failure.remedy)
    if failure is not None and state.failures >= max_failures:
        raise SnakeError(
            f"{state.failures} matches in a row could not be played; the last one: {failure.what}",
            where=failure.where,
            remedy=failure.remedy,
        )
    if state.empty >= EMPTY_CANDIDATES:
        raise SnakeError(
            f"the search found no change of any weight in {EMPTY_CANDIDATES} attempts",
            where=state.snake,
            remedy="Look at the bounds and steps of the weight specification.",
        )


def failures_in_words(failures: Mapping[str, int], games: Mapping[str, int]) -> str:
    """The sides with their failures, for people."""
    return "; ".join(f"{side}: {failures[side]} of {count} games" for side, count in games.items())
