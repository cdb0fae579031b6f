"""How long a run of the daemon may take."""

from datetime import datetime

from schemas.execution import RunRequest

SAVING_S = 60.0
"""So long before its deadline a run begins to save and return: past the deadline its parent calls it timed out."""
SAVING_SHARE = 0.05
"""Of the time left, for deadlines so near that a minute would be much of it."""


def time_budget_s(request: RunRequest, now: datetime) -> float:
    """Seconds that a run may take from `now`: its training time, or less where its deadline comes first."""
    left_s = max(0.0, (request.deadline - now).total_seconds())
    margin_s = min(SAVING_S, SAVING_SHARE * left_s)
    return min(request.training_config.max_training_time_hours * 3600, left_s - margin_s)


def judging_budget_s(trained_s: float, judging_share: float) -> float:
    """What judging may take after so many seconds of training, so that it is its share of both together."""
    return trained_s * judging_share / (1 - judging_share)
