"""A fire that was worked out beforehand leaves the very rows that it would have left at its instant, and what has
changed since is worked out anew."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from migrations.upgrade import upgrade
from runner.flow.fire import FireSchedules
from runner.flow.runtime import Runtime
from runner.notify.dispatcher import Notifier
from runner.schedule import fires
from runner.store import queue, schedules
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from schemas.automation import OverlapPolicy, TrainingSchedule
from schemas.settings import Settings
from schemas.times import to_text

SAVED = datetime(2026, 11, 21, 11, 59, 30, tzinfo=UTC)
DUE = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
AHEAD = DUE - timedelta(seconds=5)


Reach = Callable[[Store, str], None]


class KilledError(Exception):
    """The daemon is no more."""


class Hands:
    """A clock that is only asked how long something took."""

    def now(self) -> datetime:
        return DUE

    def monotonic_s(self) -> float:
        return 0.0


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Schedules of every kind that fall due at 12:00, or a second later."""
    path = tmp_path_factory.mktemp("saved") / "a.db"
    store = Store(f"sqlite:///{path}", 30)
    upgrade(store, 3, SAVED)
    kinds: list[dict[str, object]] = [
        {"name": "plain"},
        {"name": "shaken", "jitter_s": 600, "priority": 7},
        {"name": "edited"},
        {"name": "paused"},
        {"name": "removed"},
        {"name": "busy", "overlap": OverlapPolicy.SKIP},
        {"name": "by_hand"},
        {"name": "twice_a_minute", "cron_expression": "* * * * * */30"},
        {"name": "sydney", "cron_expression": "0 23 * * *", "timezone": "Australia/Sydney"},
    ]
    with store.write() as session:
        for kind in kinds:
            schedule = TrainingSchedule(**{"cron_expression": "0 12 * * *", **kind})  # type: ignore[arg-type]
            (coming,) = fires.check(schedule.name, schedule.cron_expression, schedule.timezone, SAVED, 1)
            schedules.save(session, schedule, coming, SAVED)
    store.checkpoint()
    store.close()
    return path


def between(store: Store) -> None:
    """What happens after the fires were worked out."""
    later = TrainingSchedule(name="edited", cron_expression="0 12 * * *", priority=99)
    busy = TrainingSchedule(name="busy", cron_expression="0 12 * * *", overlap=OverlapPolicy.SKIP)
    with store.write() as session:
        schedules.save(session, later, DUE, AHEAD)
        schedules.pause(session, "paused", "a person", AHEAD)
        schedules.remove(session, "removed", AHEAD)
        queue.record(session, NewOccurrence(busy, AHEAD), AHEAD, 100)
        session.execute(text("UPDATE schedules SET watermark = '2026-11-21T11:59:31.000000Z' WHERE name = 'by_hand'"))


@pytest.fixture
def recorded(saved: Path, tmp_path: Path) -> Iterator[Callable[..., tuple[list[tuple[object, ...]], int]]]:
    """Runs the step and returns the rows that it left, and how many of them were worked out before."""
    opened: list[Store] = []

    def run(
        *, ahead: bool, now: datetime = DUE, queue_length: int = 100, reach: Reach | None = None
    ) -> tuple[list[tuple[object, ...]], int]:
        store = Store(f"sqlite:///{shutil.copy(saved, tmp_path / f'{len(opened)}.db')}", 30)
        opened.append(store)
        settings = Settings.model_validate({"scheduler": {"max_queue_length": queue_length}})
        notifier = Notifier([], settings.notifications)
        runtime = Runtime(settings, store, Hands(), notifier, reach=partial(reach, store) if reach else lambda _: None)
        step = FireSchedules(runtime)
        if ahead:
            runtime.idle.end_turn(AHEAD)
            step._prepared.turn(AHEAD)
        ready = len(step._prepared._ready)
        between(store)
        try:
            step(now)
        except KilledError:
            FireSchedules(Runtime(settings, store, Hands(), notifier))(now)  # as the next daemon does
        with store.read() as session:
            rows = session.execute(text("SELECT * FROM occurrences ORDER BY schedule_name, scheduled_for")).fetchall()
            moved = session.execute(text("SELECT name, watermark, next_run FROM schedules ORDER BY name")).fetchall()
        return sorted(tuple(row)[1:] for row in [*rows, *moved]), ready

    yield run
    for store in opened:
        store.close()


@pytest.mark.parametrize("late_s", [0, 0.4, 2, 61, 7200])
def test_the_rows_are_those_of_the_instant(recorded, late_s: float) -> None:  # type: ignore[no-untyped-def]
    now = DUE + timedelta(seconds=late_s)
    rows, ready = recorded(ahead=True, now=now)
    assert ready >= 8, "blind: nothing was worked out before"
    assert rows == recorded(ahead=False, now=now)[0]


def test_a_full_queue_is_a_full_queue(recorded) -> None:  # type: ignore[no-untyped-def]
    rows, _ = recorded(ahead=True, queue_length=3)
    assert rows == recorded(ahead=False, queue_length=3)[0]


@pytest.mark.parametrize("point", ["fire.recording", "fire.recorded"])
def test_killed_at_the_rows_or_before_the_schedules_move_nothing_is_lost_or_doubled(recorded, point: str) -> None:  # type: ignore[no-untyped-def]
    def kill(_store: Store, here: str) -> None:
        if here == point:
            raise KilledError

    rows, _ = recorded(ahead=True, reach=kill)
    assert rows == recorded(ahead=False)[0]


def test_a_schedule_edited_between_its_row_and_its_move_keeps_the_edit(recorded) -> None:  # type: ignore[no-untyped-def]
    tomorrow = DUE + timedelta(days=1)
    edited = []

    def edit(store: Store, here: str) -> None:
        if here == "fire.recorded" and not edited:
            edited.append(here)
            with store.write() as session:
                schedules.save(session, TrainingSchedule(name="plain", cron_expression="5 12 * * *"), tomorrow, DUE)

    rows, _ = recorded(ahead=True, reach=edit)
    assert (to_text(DUE), to_text(tomorrow)) in rows, "its watermark and its next run"
    assert len([row for row in rows if row[0] == "plain"]) == 1
