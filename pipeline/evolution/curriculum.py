"""What a self-play learner meets at which point of its way: teacher, crowds, heuristics, and its learning rate."""

from typing import Final, NamedTuple

from pipeline.evolution.league import Shares
from schemas.phases import TrainingPhaseConfig
from schemas.self_play import SelfPlaySettings

WARM_UP_UPDATES: Final = 10
LAST_RATE: Final = 0.1
"""Of the learning rate, what is left at the end of a phase."""


class Course(NamedTuple):
    """What holds for one update: the teacher's part of its weight, the share of four-player games, who sits opposite,
    and the learning rate's factor."""

    teacher: float
    crowd: float
    shares: Shares
    rate: float


def phase_course(phase: TrainingPhaseConfig, settings: SelfPlaySettings, done: float) -> Course:
    """The course of a phase that has an end, `done` (0..1) of it being over: the rate falls in a straight line."""
    return _course(phase, settings, done, 1 - (1 - LAST_RATE) * done)


def life_course(phase: TrainingPhaseConfig, settings: SelfPlaySettings, updates: int) -> Course:
    """The course of a learner that lives for ever, after so many updates of its life: the curriculum comes to its end
    once and stays there, the rate stays what it is."""
    return _course(phase, settings, min(1.0, updates / settings.curriculum_updates), 1.0)


def warm_up(updates: int) -> float:
    """The factor of the rate while Adam's moments are young: rises to 1 over a learner's first updates."""
    return min(1.0, (updates + 1) / WARM_UP_UPDATES)


def _course(phase: TrainingPhaseConfig, settings: SelfPlaySettings, done: float, rate: float) -> Course:
    last = phase.heuristic_mix_ratio if phase.heuristic_mix_ratio_end is None else phase.heuristic_mix_ratio_end
    heuristics = phase.heuristic_mix_ratio + (last - phase.heuristic_mix_ratio) * done
    ramp = (done - settings.crowd_from) / (1 - settings.crowd_from) if settings.crowd_from < 1 else 0.0
    return Course(
        teacher=max(0.0, 1 - done / settings.teacher_until) if settings.teacher is not None else 0.0,
        crowd=settings.crowd_share * min(1.0, 2 * max(0.0, ramp)),
        shares=Shares(heuristics, (1 - heuristics) * settings.past_self_share),
        rate=rate,
    )
