"""Triggers in the daemon: one that errs costs no other, a file is noticed soon, waits in words, and is never lost."""

import os
import time
from datetime import UTC, datetime, timedelta

import pytest
from daemon_world import World, schedule

from runner import schedule_service
from runner.flow import check_triggers
from runner.store import occurrences, triggers
from runner.store.engine import Store
from schemas.automation import TriggerCondition, create_default_triggers
from schemas.errors import DatabaseBusyError

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with World(tmp_path / "home", START) as opened:
        opened.save(schedule("yearly", "0 0 1 1 *"))
        yield opened


def manual(name: str = "by_file", **fields: object) -> TriggerCondition:
    parameters = {"trigger_file": f"{name}.txt"}
    given = {"name": name, "schedule": "yearly", "parameters": parameters, "check_interval_s": 3600, **fields}
    return create_default_triggers()[-1].model_copy(update=given)


def drop(world: World, name: str = "by_file") -> None:
    file = world.daemon.steps.triggers.working_dir / f"{name}.txt"
    file.touch()
    os.utime(file, (time.time() - 10, time.time() - 10))


def verdict(world: World, name: str = "by_file") -> str:
    with world.store.read() as session:
        record = triggers.get(session, name)
    assert record is not None
    return record.last_verdict


def runs(world: World) -> list[str]:
    with world.store.read() as session:
        found = occurrences.recent(session, "yearly", 100)
    return sorted(item.trigger_name or "by hand" for item in found)


def test_a_file_is_noticed_within_seconds_whatever_the_interval_and_waits_out_the_cooldown_in_words(world):
    schedule_service.save_trigger(world.store, manual(), START)
    world.start()
    world.turn_until(lambda: verdict(world), "a look without the file")
    drop(world)
    world.turn_until(lambda: runs(world) == ["by_file"], "the run, an hour before the interval ends")
    drop(world)
    told = "by_file.txt is there and waits: in cooldown until 2026-03-01T01:00:00"
    world.turn_until(lambda: verdict(world).startswith(told), "the word on the cooldown")
    world.clock.advance(timedelta(hours=1))
    world.turn_until(lambda: len(runs(world)) == 2, "the second run")


def test_a_trigger_that_errs_costs_a_row_and_no_other_trigger(world, monkeypatch):
    for name in ("a_bad_one", "by_file"):
        schedule_service.save_trigger(world.store, manual(name), START)
    claim = check_triggers.claim_trigger_file

    def fails(path, folder, now):
        if path.name == "a_bad_one.txt":
            raise PermissionError("Permission denied: 'a_bad_one.txt'")
        return claim(path, folder, now)

    monkeypatch.setattr(check_triggers, "claim_trigger_file", fails)
    world.start()
    drop(world, "a_bad_one")
    drop(world, "by_file")
    world.turn_until(lambda: runs(world) == ["by_file"] and verdict(world, "a_bad_one"), "both")
    assert verdict(world, "a_bad_one") == "could not look: PermissionError: Permission denied: 'a_bad_one.txt'"
    assert world.daemon.status.value != "error"


def test_a_file_claimed_while_the_database_takes_nothing_is_recorded_later(world, monkeypatch):
    schedule_service.save_trigger(world.store, manual(), START)
    world.start()
    write, busy = Store.write, []

    def refuses(store: Store):
        if busy:
            raise DatabaseBusyError("the database is held by a test")
        return write(store)

    world.service.runtime.reach = lambda point: busy.append(point) if point == "trigger.judged" else None
    monkeypatch.setattr(Store, "write", refuses)
    drop(world)
    world.turn_until(lambda: busy, "the claim")
    world.turn()
    assert not (world.daemon.steps.triggers.working_dir / "by_file.txt").exists()
    assert runs(world) == []
    busy.clear()
    world.service.runtime.reach = lambda point: None
    world.turn_until(lambda: runs(world) == ["by_file"], "the run")


def test_a_drop_claimed_while_the_database_takes_nothing_is_recorded_later(world, monkeypatch):
    world.start()
    write, busy = Store.write, []

    def refuses(store: Store):
        if busy:
            raise DatabaseBusyError("the database is held by a test")
        return write(store)

    world.service.runtime.reach = lambda point: (
        busy.append(point) if point == "trigger_file.claimed" and waits() else None
    )

    def waits() -> bool:
        return bool(list(folder.glob("claimed/*")))

    monkeypatch.setattr(Store, "write", refuses)
    folder = world.service.settings.triggers_dir
    (folder / "now.json").write_text('{"schedule": "yearly"}')
    world.turn_until(lambda: busy, "the claim")
    assert runs(world) == []
    busy.clear()
    world.service.runtime.reach = lambda point: None
    world.turn_until(lambda: runs(world) == ["by hand"], "the run")
