"""When and how hard a worker is ended: pure."""

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.worker.stopping import StopReason, StopStep, StopUnderWay, follow, next_step, why_stop
from schemas.service import SchedulerSettings, WorkerSettings

WORKERS = WorkerSettings(soft_stop_timeout_s=30, term_timeout_s=10, heartbeat_timeout_s=300)
SCHEDULER = SchedulerSettings(drain_timeout_s=60)
HARDNESS = [StopStep.NOTHING, StopStep.SOFT, StopStep.TERM, StopStep.KILL]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, None),
        ({"heartbeat_age_s": 300.0}, None),
        ({"heartbeat_age_s": 300.1}, StopReason.HUNG),
        ({"past_deadline": True}, StopReason.DURATION),
        ({"cancelled": True, "past_deadline": True}, StopReason.CANCEL),
        ({"shutting_down": True}, StopReason.SHUTDOWN),
        ({"shutting_down": True, "past_deadline": True}, StopReason.DURATION),
        ({"over_memory_limit": True, "cancelled": True, "heartbeat_age_s": 999.0}, StopReason.MEMORY),
        ({"heartbeat_age_s": 999.0, "cancelled": True}, StopReason.HUNG),
    ],
)
def test_why_stop(facts, reason):
    quiet = {
        "heartbeat_age_s": 0.0,
        "over_memory_limit": False,
        "past_deadline": False,
        "cancelled": False,
        "shutting_down": False,
    }
    assert why_stop(**{**quiet, **facts}, settings=WORKERS) is reason


@pytest.mark.parametrize(
    ("reason", "steps"),
    [
        (
            StopReason.CANCEL,
            [(0, "soft"), (29.9, "nothing"), (30, "term"), (39.9, "nothing"), (40, "kill"), (50, "kill")],
        ),
        (StopReason.DURATION, [(0, "soft"), (30, "term"), (40, "kill")]),
        (StopReason.SHUTDOWN, [(0, "soft"), (30, "nothing"), (59.9, "nothing"), (60, "term"), (70, "kill")]),
        (StopReason.HUNG, [(0, "term"), (9.9, "nothing"), (10, "kill"), (15, "nothing"), (20, "kill")]),
        (StopReason.MEMORY, [(0, "term"), (10, "kill")]),
    ],
)
def test_the_ladder(reason, steps):
    stopping = follow(None, reason, 1000.0)
    for at_s, step in steps:
        assert next_step(stopping, 1000.0 + at_s, WORKERS, SCHEDULER).value == step, at_s
        stopping = stopping.after(StopStep(step), 1000.0 + at_s)


def test_the_first_reason_stays_unless_time_is_short():
    cancelled = follow(None, StopReason.CANCEL, 0.0).after(StopStep.SOFT, 0.0)
    assert follow(cancelled, StopReason.DURATION, 5.0) is cancelled
    assert follow(cancelled, None, 5.0) is cancelled
    hung = follow(cancelled, StopReason.HUNG, 5.0)
    assert (hung.reason, hung.taken) == (StopReason.HUNG, StopStep.SOFT)
    assert next_step(hung, 5.0, WORKERS, SCHEDULER) is StopStep.TERM
    assert follow(hung, StopReason.MEMORY, 6.0) is hung
    assert follow(None, None, 0.0) is None


@hypothesis.settings(deadline=None)
@given(
    reason=st.sampled_from(StopReason),
    pauses=st.lists(st.floats(min_value=0.0, max_value=45.0), min_size=1, max_size=60),
)
def test_never_softer_and_killed_in_the_end(reason, pauses):
    stopping, now_s = StopUnderWay(reason, 0.0), 0.0
    for pause in [*pauses, 1000.0, 1000.0, 1000.0]:
        step = next_step(stopping, now_s, WORKERS, SCHEDULER)
        if step is not StopStep.NOTHING:
            assert HARDNESS.index(step) >= HARDNESS.index(stopping.taken)
            assert HARDNESS.index(step) <= HARDNESS.index(stopping.taken) + 1 + (stopping.taken is StopStep.NOTHING)
        stopping = stopping.after(step, now_s)
        now_s += pause
    assert stopping.taken is StopStep.KILL
