"""The queue: each occurrence once, in order, and every step harmless when repeated."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from runner.store import history, occurrences, queue
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from runner.store.states import ExecutionStatus, OccurrenceState
from schemas.automation import TrainingSchedule, TriggerType
from schemas.execution import Outcome

ROOM = 100


def schedule(name: str = "nightly", **fields: object) -> TrainingSchedule:
    return TrainingSchedule.model_validate({"name": name, "cron_expression": "0 2 * * *", **fields})


def begin(session: Session, occurrence_id: int, now: datetime) -> int | None:
    return queue.begin(
        session,
        occurrence_id,
        now,
        worker="tuner",
        worker_reason="no GPU",
        seed=7,
        run_dir=lambda execution_id: Path(f"/runs/{execution_id}"),
    )


def put(session: Session, now: datetime, name: str = "nightly", **fields: object) -> int:
    new = NewOccurrence(schedule(name), now, **fields)  # type: ignore[arg-type]
    return queue.record(session, new, now, ROOM).occurrence_id


def test_an_occurrence_is_recorded_once(store: Store, now: datetime) -> None:
    new = NewOccurrence(schedule(), now)
    with store.write() as session:
        first = queue.record(session, new, now, ROOM)
    with store.write() as session:
        second = queue.record(session, new, now + timedelta(hours=1), ROOM)
    assert first.created
    assert not second.created
    assert second.occurrence_id == first.occurrence_id
    with store.read() as session:
        assert queue.depth(session) == 1


def test_the_head_is_emergency_then_priority_then_age(store: Store, now: datetime) -> None:
    with store.write() as session:
        put(session, now - timedelta(minutes=1), "young")
        put(session, now - timedelta(minutes=5), "old")
        put(session, now, "important", priority=5)
        put(session, now, "unwanted", priority=-3)
        put(session, now, "fire", trigger_type=TriggerType.EMERGENCY, priority=-1000)
        put(session, now, "later", not_before=now + timedelta(minutes=3), priority=9)
    with store.read() as session:
        assert [run.schedule_name for run in queue.waiting(session, now, 10)] == [
            "fire",
            "important",
            "old",
            "young",
            "unwanted",
        ]
        assert [run.schedule_name for run in queue.waiting(session, now, 2)] == ["fire", "important"]
        assert len(queue.queued(session, 10)) == 6
        assert queue.next_not_before(session, now) == now + timedelta(minutes=3)
        run = queue.waiting(session, now, 1)[0]
        assert run.schedule == schedule("fire")
        assert run.attempt == 1


def test_a_full_queue_says_missed_and_lets_emergencies_in(store: Store, now: datetime) -> None:
    news = [NewOccurrence(schedule(f"s{number}"), now) for number in range(4)]
    fire = NewOccurrence(schedule("fire"), now, TriggerType.EMERGENCY)
    with store.write() as session:
        bulk = queue.record_many(session, [*news, fire], now, max_queue_length=2)
        assert (bulk.created, bulk.already, bulk.refused) == (5, 0, 2)
        assert queue.depth(session) == 3
        refused = next(iter(occurrences.recent(session, "s3", 1)), None)
        assert refused is not None
        assert refused.state is OccurrenceState.MISSED
        assert "queue is full" in refused.reason
        assert refused.finished_at == now
        again = queue.record(session, NewOccurrence(schedule("s4"), now), now, 2)
        assert again.state is OccurrenceState.MISSED


def test_coalesced_ones_name_what_stands_for_them(store: Store, now: datetime) -> None:
    late = now - timedelta(days=1)
    with store.write() as session:
        queue.record_many(
            session,
            [
                NewOccurrence(
                    schedule(), late, state=OccurrenceState.COALESCED, reason="later one", coalesced_with=now
                ),
                NewOccurrence(schedule(), now),
            ],
            now,
            ROOM,
        )
    with store.read() as session:
        kept, gone = occurrences.recent(session, "nightly", 9)
        assert (kept.scheduled_for, gone.scheduled_for) == (now, late)
        assert gone.coalesced_into == kept.occurrence_id
        assert [run.occurrence_id for run in queue.queued(session, 9)] == [kept.occurrence_id]


def test_what_is_coalesced_is_resolved_wherever_it_stands_in_the_batch(store: Store, now: datetime) -> None:
    late, later = now - timedelta(days=2), now - timedelta(days=1)
    gone = [
        NewOccurrence(schedule(), instant, state=OccurrenceState.COALESCED, reason="later one", coalesced_with=now)
        for instant in (late, later)
    ]
    with store.write() as session:
        queue.record_many(session, [NewOccurrence(schedule(), now), *gone], now, ROOM)
    with store.read() as session:
        *coalesced, kept = occurrences.recent(session, "nightly", 9)
        assert [record.coalesced_into for record in coalesced] == [kept.occurrence_id] * 2


def test_begin_writes_the_intent_once(store: Store, now: datetime) -> None:
    with store.write() as session:
        occurrence_id = put(session, now)
        execution_id = begin(session, occurrence_id, now)
        assert execution_id is not None
        assert begin(session, occurrence_id, now) is None
        assert begin(session, 999, now) is None
    with store.read() as session:
        [execution] = history.unfinished(session)
        assert execution.execution_id == execution_id
        assert execution.status is ExecutionStatus.STARTING
        assert execution.run_dir == Path(f"/runs/{execution_id}")
        assert execution.seed == 7
        found = queue.active(session, ["nightly", "other"])
        assert found == {"nightly": queue.ActiveOccurrences(running=(occurrence_id,))}


def test_a_retry_waits_as_the_next_attempt_and_keeps_time_to_start(store: Store, now: datetime) -> None:
    again = now + timedelta(hours=20)
    with store.write() as session:
        occurrence_id = put(session, now)
        begin(session, occurrence_id, now)
        assert queue.retry(session, occurrence_id, again, "crashed; attempt 2 of 3")
        assert not queue.retry(session, occurrence_id, again, "twice")
        assert queue.waiting(session, now, 5) == []
        [run] = queue.waiting(session, again, 5)
        assert run.attempt == 2
        assert run.reason == "crashed; attempt 2 of 3"
        assert run.start_deadline == again + timedelta(hours=12)
        assert queue.expire(session, again) == []
        begin(session, occurrence_id, again)
        assert [execution.attempt for execution in history.of_occurrence(session, occurrence_id)] == [1, 2]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.SUCCEEDED, OccurrenceState.SUCCEEDED),
        (Outcome.TIMED_OUT, OccurrenceState.FAILED),
        (Outcome.LOST, OccurrenceState.FAILED),
        (Outcome.CANCELLED, OccurrenceState.CANCELLED),
    ],
)
def test_finish_ends_a_running_one_once(store: Store, now: datetime, outcome: Outcome, state: OccurrenceState) -> None:
    with store.write() as session:
        occurrence_id = put(session, now)
        assert not queue.finish(session, occurrence_id, outcome, "not begun", now)
        begin(session, occurrence_id, now)
        assert queue.finish(session, occurrence_id, outcome, "done", now)
        assert not queue.finish(session, occurrence_id, Outcome.FAILED, "again", now)
    with store.read() as session:
        record = occurrences.get(session, occurrence_id)
        assert record is not None
        assert (record.state, record.reason, record.finished_at) == (state, "done", now)


def test_what_waits_too_long_is_missed_with_the_guards_last_words(store: Store, now: datetime) -> None:
    with store.write() as session:
        occurrence_id = put(session, now)
        assert queue.defer(session, occurrence_id, "2.0 GB free of 4.0 GB", now + timedelta(seconds=15))
        assert queue.waiting(session, now, 5) == []
        assert queue.next_start_deadline(session) == now + timedelta(hours=12)
        assert queue.expire(session, now + timedelta(hours=12)) == []
        [run] = queue.expire(session, now + timedelta(hours=12, microseconds=1))
        assert run.occurrence_id == occurrence_id
        assert not queue.defer(session, occurrence_id, "again", now)
    with store.read() as session:
        record = occurrences.get(session, occurrence_id)
        assert record is not None
        assert record.state is OccurrenceState.MISSED
        assert record.reason == "still waiting at its start deadline: 2.0 GB free of 4.0 GB"


def test_a_retry_past_its_deadline_failed_it_was_not_missed(store: Store, now: datetime) -> None:
    with store.write() as session:
        occurrence_id = put(session, now)
        begin(session, occurrence_id, now)
        queue.retry(session, occurrence_id, now, "crashed")
        queue.expire(session, now + timedelta(days=2))
        record = occurrences.get(session, occurrence_id)
        assert record is not None
        assert record.state is OccurrenceState.FAILED


def test_what_a_shutdown_interrupted_was_not_missed_either_and_a_start_gives_it_time(
    store: Store, now: datetime
) -> None:
    later = now + timedelta(days=3)
    with store.write() as session:
        interrupted, waiting, retried = (put(session, now, name) for name in ("interrupted", "waiting", "retried"))
        for number in (interrupted, retried):
            begin(session, number, now)
        queue.retry(session, interrupted, now, "the daemon stopped", attempt=1)
        queue.retry(session, retried, now, "crashed")
        assert queue.renew_start_deadlines(session, later) == 1
        assert [run.occurrence_id for run in queue.expire(session, later)] == [waiting, retried]
        assert [run.start_deadline for run in queue.queued(session, 9)] == [later + timedelta(hours=12)]
        queue.expire(session, later + timedelta(days=1))
        fates = [
            record.state for number in (interrupted, waiting, retried) if (record := occurrences.get(session, number))
        ]
    assert fates == [OccurrenceState.FAILED, OccurrenceState.MISSED, OccurrenceState.FAILED]


def test_only_what_waits_can_be_cancelled(store: Store, now: datetime) -> None:
    with store.write() as session:
        running, waiting = (put(session, now, name) for name in ("a", "b"))
        begin(session, running, now)
        assert not queue.cancel(session, running, "no", now)
        assert queue.cancel(session, waiting, "asked", now)
        assert not queue.cancel(session, waiting, "again", now)
        ended = occurrences.get(session, waiting)
    assert ended is not None
    assert (ended.state, ended.reason, ended.finished_at) == (OccurrenceState.CANCELLED, "asked", now)


def test_two_runs_asked_for_at_one_moment_are_two(store: Store, now: datetime) -> None:
    with store.write() as session:
        for _ in range(5):
            instant = queue.free_instant(session, "manual", now)
            assert queue.record(session, NewOccurrence(schedule("manual"), instant), now, ROOM).created
        assert [record.scheduled_for.microsecond for record in occurrences.recent(session, "manual", 9)] == [
            4,
            3,
            2,
            1,
            0,
        ]
        assert queue.free_instant(session, "other", now) == now
