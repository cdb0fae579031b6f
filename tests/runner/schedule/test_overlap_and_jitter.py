from datetime import UTC, datetime, timedelta

import pytest

from runner.schedule.fires import start_delay_s
from runner.schedule.overlap import OverlapAction, decide
from schemas.automation import CatchUpPolicy, OverlapPolicy, TrainingSchedule

SKIP, QUEUE_ONE, CANCEL = OverlapPolicy.SKIP, OverlapPolicy.QUEUE_ONE, OverlapPolicy.CANCEL_RUNNING


def a_schedule(overlap: OverlapPolicy, catch_up: CatchUpPolicy = CatchUpPolicy.LATEST) -> TrainingSchedule:
    return TrainingSchedule(name="s", cron_expression="@daily", overlap=overlap, catch_up=catch_up)


@pytest.mark.parametrize("policy", list(OverlapPolicy))
def test_a_free_schedule_queues(policy: OverlapPolicy) -> None:
    assert decide(a_schedule(policy), [], []).action is OverlapAction.QUEUE


@pytest.mark.parametrize(
    ("policy", "running", "waiting", "action", "into"),
    [
        (SKIP, [4], [], OverlapAction.SKIP, None),
        (SKIP, [], [5], OverlapAction.SKIP, None),
        (QUEUE_ONE, [4], [], OverlapAction.QUEUE, None),
        (QUEUE_ONE, [4], [5], OverlapAction.COALESCE, 5),
        (QUEUE_ONE, [], [5, 6], OverlapAction.COALESCE, 6),
        (CANCEL, [4], [], OverlapAction.CANCEL_THEN_QUEUE, None),
        (CANCEL, [3, 4], [], OverlapAction.CANCEL_THEN_QUEUE, None),
        (CANCEL, [4], [5], OverlapAction.COALESCE, 5),
    ],
)
def test_a_busy_schedule(
    policy: OverlapPolicy,
    running: list[int],
    waiting: list[int],
    action: OverlapAction,
    into: int | None,
) -> None:
    made = decide(a_schedule(policy), running, waiting)
    assert (made.action, made.into) == (action, into)
    assert made.reason


@pytest.mark.parametrize("policy", list(OverlapPolicy))
def test_occurrences_caught_up_by_all_wait_for_each_other(policy: OverlapPolicy) -> None:
    made = decide(a_schedule(policy, CatchUpPolicy.ALL), [4], [5, 6], caught_up=True)
    assert made.action is OverlapAction.QUEUE


def test_a_caught_up_latest_goes_by_the_overlap_policy() -> None:
    assert decide(a_schedule(SKIP), [4], [], caught_up=True).action is OverlapAction.SKIP


def test_jitter_is_fixed_spread_and_bounded() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    delays = [start_delay_s(f"s{number}", start, 600) for number in range(500)]
    assert delays == [start_delay_s(f"s{number}", start, 600) for number in range(500)]
    assert all(0 <= delay < 600 for delay in delays)
    assert 270 < sum(delays) / len(delays) < 330
    assert start_delay_s("s1", start, 600) != start_delay_s("s1", start + timedelta(days=1), 600)
    assert start_delay_s("s1", start, 0) == 0
