"""Schedules: due, accounted for in bulk, edited without old fires, paused, removed."""

from datetime import datetime, timedelta

import pytest

from runner.store import due_schedules, occurrences, queue, schedules
from runner.store.due_schedules import Account
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from runner.store.queue import BulkRecorded
from runner.store.states import OccurrenceState
from schemas.automation import TrainingSchedule
from schemas.errors import ScheduleError

DAY = timedelta(days=1)


def schedule(name: str, **fields: object) -> TrainingSchedule:
    return TrainingSchedule.model_validate({"name": name, "cron_expression": "0 2 * * *", **fields})


def test_due_are_the_enabled_ones_whose_time_has_come(store: Store, now: datetime) -> None:
    with store.write() as session:
        schedules.save(session, schedule("b"), now, now - DAY)
        schedules.save(session, schedule("a"), now, now - DAY)
        schedules.save(session, schedule("overdue"), now - DAY, now - DAY)
        schedules.save(session, schedule("later"), now + timedelta(microseconds=1), now)
        schedules.save(session, schedule("off", enabled=False), now, now)
        schedules.save(session, schedule("never"), None, now)
        schedules.save(session, schedule("gone"), now, now)
        assert schedules.remove(session, "gone", now)
        assert not schedules.remove(session, "gone", now)
    with store.read() as session:
        found = due_schedules.due(session, now, 10)
        assert [item.name for item in found] == ["overdue", "a", "b"]
        assert found[0].schedule == schedule("overdue")
        assert found[0].watermark == now - DAY
        assert [item.name for item in due_schedules.due(session, now, 1)] == ["overdue"]
        assert due_schedules.next_due(session) == now - DAY
        assert [item.name for item in schedules.upcoming(session, now, 1)] == ["overdue", "a", "b", "later"]
        assert [item.name for item in schedules.not_firing(session, 9)] == ["never", "off"]
        assert schedules.count_active(session) == 6
        assert [item.name for item in schedules.list_active(session)] == ["a", "b", "later", "never", "off", "overdue"]
        assert schedules.get(session, "gone") is None


def test_accounting_records_everything_once_and_moves_on(store: Store, now: datetime) -> None:
    with store.write() as session:
        for name in ("a", "b"):
            schedules.save(session, schedule(name), now, now - DAY)
    accounts = [
        Account(
            "a",
            (
                NewOccurrence(schedule("a"), now - DAY, state=OccurrenceState.MISSED, reason="no daemon ran"),
                NewOccurrence(schedule("a"), now),
            ),
            now,
            now + DAY,
        ),
        Account("b", (NewOccurrence(schedule("b"), now),), now, None),
    ]
    with store.write() as session:
        first = due_schedules.account(session, accounts, now, 100)
        again = due_schedules.account(session, accounts, now, 100)
        assert due_schedules.account(session, [], now, 100) == BulkRecorded(0, 0, 0)
    assert (first.created, first.already) == (3, 0)
    assert (again.created, again.already) == (0, 3)
    with store.read() as session:
        assert queue.depth(session) == 2
        a, b = schedules.get(session, "a"), schedules.get(session, "b")
        assert a is not None
        assert b is not None
        assert (a.watermark, a.next_run) == (now, now + DAY)
        assert (b.watermark, b.next_run) == (now, None)
        assert [record.reason for record in occurrences.recent(session, "a", 5)] == ["", "no daemon ran"]


def test_editing_moves_the_watermark_and_keeps_the_counters(store: Store, now: datetime) -> None:
    with store.write() as session:
        schedules.save(session, schedule("a"), now - DAY, now - 2 * DAY)
        schedules.pause(session, "a", "maintenance", now)
        schedules.save(session, schedule("a", priority=7), now + DAY, now)
        edited = schedules.get(session, "a")
        assert edited is not None
        assert (edited.watermark, edited.next_run, edited.schedule.priority) == (now, now + DAY, 7)
        assert edited.paused_note == "maintenance"
        assert (edited.created_at, edited.updated_at) == (now - 2 * DAY, now)
        assert due_schedules.due(session, now, 5) == []


def test_a_paused_schedule_stays_due_with_its_note(store: Store, now: datetime) -> None:
    with store.write() as session:
        schedules.save(session, schedule("a"), now, now)
        schedules.pause(session, "a", "GPU is lent", now)
        assert [item.paused_note for item in due_schedules.due(session, now, 5)] == ["GPU is lent"]
        schedules.unpause(session, "a", now)
        assert [item.paused_note for item in due_schedules.due(session, now, 5)] == [None]
        with pytest.raises(ScheduleError, match=r"no such schedule \(b\)"):
            schedules.pause(session, "b", "", now)


def test_a_removed_schedule_comes_back_with_its_counters(store: Store, now: datetime) -> None:
    with store.write() as session:
        schedules.save(session, schedule("a"), now, now)
        schedules.remove(session, "a", now)
        schedules.save(session, schedule("a"), now + DAY, now + DAY)
        back = schedules.get(session, "a")
        assert back is not None
        assert (back.created_at, back.updated_at) == (now, now + DAY)


def test_what_is_about_to_fall_due_comes_a_page_at_a_time(store: Store, now: datetime) -> None:
    with store.write() as session:
        for name in ("b", "a"):
            schedules.save(session, schedule(name), now, now - DAY)
        schedules.save(session, schedule("soon"), now - timedelta(seconds=1), now - DAY)
        schedules.save(session, schedule("later"), now + timedelta(microseconds=1), now - DAY)
        schedules.save(session, schedule("off", enabled=False), now, now - DAY)
        schedules.save(session, schedule("paused"), now, now - DAY)
        schedules.pause(session, "paused", "lent", now)
        schedules.save(session, schedule("gone"), now, now - DAY)
        schedules.remove(session, "gone", now)
        after, pages = (now - DAY, ""), []
        for _ in range(2):
            page = due_schedules.coming(session, after, now, 2)
            pages.append([item.name for item in page])
            after = (page[-1].next_run, page[-1].name)
        assert pages == [["soon", "a"], ["b"]]
        assert due_schedules.coming(session, after, now, 2) == []
        (soon,) = due_schedules.coming(session, (now - DAY, ""), now, 1)
        assert (soon.next_run, soon.watermark) == (now - timedelta(seconds=1), now - DAY)
        assert soon.is_kept_as(schedule("soon"))
        assert not soon.is_kept_as(schedule("soon", priority=7))


def test_what_waits_or_runs_holds_its_schedule_up_and_the_others_come_a_page_at_a_time(
    store: Store, now: datetime
) -> None:
    with store.write() as session:
        for name in ("a", "b", "c", "busy"):
            schedules.save(session, schedule(name), now, now - DAY)
        queue.record(session, NewOccurrence(schedule("busy"), now - DAY), now, 100)
        page = due_schedules.due_unblocked(session, None, now, 2)
        assert [version[1] for version in page] == ["a", "b"]
        page = due_schedules.due_unblocked(session, page[-1], now, 2)
        assert [version[1] for version in page] == ["c"]
        assert due_schedules.due_unblocked(session, page[-1], now, 2) == []
        assert due_schedules.due_unblocked(session, None, now - timedelta(microseconds=1), 9) == []


def test_a_prepared_move_moves_what_is_as_it_was_and_nothing_else(store: Store, now: datetime) -> None:
    with store.write() as session:
        for name in ("a", "ends", "edited", "moved", "other"):
            schedules.save(session, schedule(name), now, now - DAY)
        found = {version[1]: version for version in due_schedules.due_unblocked(session, None, now, 9)}
        schedules.save(session, schedule("edited", priority=7), now, now)
        accounted = Account("moved", (), now, now)
        due_schedules.account(session, [accounted], now, 100)
        rows = [due_schedules.prepared_move(found[name], now, now + DAY) for name in ("a", "edited", "moved")]
        rows.append(due_schedules.prepared_move(found["ends"], now, None))
        assert due_schedules.move_prepared(session, rows) == 2
    with store.read() as session:
        stand = {item.name: (item.watermark, item.next_run) for item in schedules.list_active(session)}
    assert stand == {
        "a": (now, now + DAY),
        "ends": (now, None),
        "edited": (now, now),
        "moved": (now, now),
        "other": (now - DAY, now),
    }
