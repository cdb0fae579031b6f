"""How a run's time limit is divided among its phases. Pure."""

from collections.abc import Mapping, Sequence

from schemas.phases import TrainingPhaseConfig


def phase_budget_s(left_s: float, remaining: Sequence[str], phases: Mapping[str, TrainingPhaseConfig]) -> float:
    """Seconds for the first of the `remaining` phases, out of `left_s` for all of them.

    By their `time_share`, so that time which one phase did not need goes to those after it.
    """
    total = sum(phases[name].time_share for name in remaining)
    return max(0.0, left_s) * phases[remaining[0]].time_share / total


def training_budget_s(budget_s: float, judging_share: float) -> float:
    """The part of a phase's time that is not kept for judging."""
    return budget_s * (1 - judging_share)
