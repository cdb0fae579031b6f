"""Saved again, edited, disabled, removed: what was due and what waits is accounted for in the same transaction."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migrations.upgrade import upgrade
from runner import schedule_service
from runner.store import decisions, occurrences, queue, schedules
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence, OccurrenceRecord
from runner.store.states import OccurrenceState
from schemas.automation import TrainingSchedule
from schemas.errors import ScheduleError

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = START + 3.5 * HOUR
MISSED, CANCELLED, QUEUED = OccurrenceState.MISSED, OccurrenceState.CANCELLED, OccurrenceState.QUEUED


def hourly(**fields: object) -> TrainingSchedule:
    return TrainingSchedule.model_validate({"name": "hourly", "cron_expression": "0 * * * *", **fields})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'automation_tracking.db'}", busy_timeout_s=30)
    upgrade(opened, keep_backups=3, now=START)
    yield opened
    opened.close()


def save(store: Store, schedule: TrainingSchedule, now: datetime) -> None:
    with store.write() as session:
        schedule_service.save_schedule(session, schedule, now)


def fates(store: Store) -> list[tuple[datetime, OccurrenceState, str]]:
    with store.read() as session:
        found = occurrences.recent(session, "hourly", 100)[::-1]
    return [(item.scheduled_for, item.state, item.reason) for item in found]


def wait_for_its_turn(store: Store, now: datetime) -> OccurrenceRecord:
    with store.write() as session:
        number = queue.record(session, NewOccurrence(hourly(), now), now, 10).occurrence_id
        found = occurrences.get(session, number)
    assert found is not None
    return found


def test_saving_what_stands_already_leaves_what_is_due_to_be_caught_up(store: Store) -> None:
    save(store, hourly(), START)
    with store.write() as session:
        coming = schedule_service.save_schedule(session, hourly(), LATER)
        record = schedules.get(session, "hourly")
    assert coming[0] == START + 4 * HOUR
    assert record is not None
    assert (record.watermark, record.next_run, record.updated_at) == (START, START + HOUR, START)
    assert fates(store) == []


@pytest.mark.parametrize(
    ("fields", "word"), [({"priority": 5}, "edited"), ({"enabled": False}, "disabled")], ids=["edited", "disabled"]
)
def test_a_changed_schedule_records_what_its_old_definition_owes(store: Store, fields: dict, word: str) -> None:
    save(store, hourly(), START)
    save(store, hourly(**fields), LATER)
    reason = f"the schedule was {word} before anybody looked at this one"
    assert fates(store) == [(START + number * HOUR, MISSED, reason) for number in (1, 2, 3)]
    with store.read() as session:
        record = schedules.get(session, "hourly")
    assert record is not None
    assert record.watermark == LATER


def test_a_removed_schedule_records_what_it_owes_and_cancels_what_waits(store: Store) -> None:
    save(store, hourly(), START)
    waiting = wait_for_its_turn(store, START)
    with store.write() as session:
        schedule_service.remove_schedule(session, "hourly", LATER)
    assert [state for _, state, _ in fates(store)] == [CANCELLED, MISSED, MISSED, MISSED]
    with store.read() as session:
        assert queue.depth(session) == 0
        (decision,) = decisions.of_occurrence(session, waiting.occurrence_id)
        assert schedules.get(session, "hourly") is None
    assert decision.decision.reason == "the schedule was removed while this one waited"
    with store.write() as session, pytest.raises(ScheduleError, match="no such schedule"):
        schedule_service.remove_schedule(session, "hourly", LATER)


def test_disabling_cancels_what_waits_and_editing_does_not(store: Store) -> None:
    save(store, hourly(), START)
    wait_for_its_turn(store, START)
    save(store, hourly(priority=3), START)
    assert [state for _, state, _ in fates(store)] == [QUEUED]
    save(store, hourly(enabled=False), START)
    assert [state for _, state, _ in fates(store)] == [CANCELLED]


def test_what_a_paused_or_disabled_schedule_owes(store: Store) -> None:
    save(store, hourly(), START)
    with store.write() as session:
        schedules.pause(session, "hourly", "holidays", START)
    save(store, hourly(enabled=False), START + 1.5 * HOUR)
    assert fates(store) == [(START + HOUR, MISSED, "the schedule was paused: holidays")]
    save(store, hourly(), LATER)
    assert len(fates(store)) == 1, "a disabled schedule owes nothing"
