"""One trigger file that cannot be used ends in a row with its reason; the others run, in this life and in the next."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from daemon_world import World, schedule

from runner.store import trigger_files

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with World(tmp_path / "home", START) as opened:
        opened.save(schedule("yearly", "0 0 1 1 *"))
        yield opened


def put(world, name: bytes, content: str) -> None:
    path = world.service.settings.triggers_dir / os.fsdecode(name)
    path.write_text(content, encoding="utf-8")
    os.utime(path, (START.timestamp() - 60, START.timestamp() - 60))


def rows(world) -> dict[str, tuple[str, str]]:
    found = world.rows("SELECT original_name, state, reason FROM drops")
    return {name: (state, reason) for name, state, reason in found}


def test_odd_files_stop_no_other(world):
    put(world, b"a\xff.json", json.dumps({"schedule": "yearly"}))
    put(world, b"b" * 250 + b".json", json.dumps({"schedule": "yearly"}))
    put(world, b"c\n\x1b[31m.json", '{"schedule": "yearly", "note": "\\ud800"}')
    put(world, b"d.json", '{"schedule": "\\ud800"}')
    put(world, b"e.json", '{"\\ud800": 1}')
    put(world, b"z.json", json.dumps({"schedule": "yearly", "note": "the last"}))
    world.start()
    world.turn_until(lambda: len(rows(world)) == 6, "a row of each")
    found = rows(world)
    assert {name: state for name, (state, _) in found.items()} == {
        r"a\xff.json": "queued",
        "b" * 250 + ".json": "queued",
        r"c\n\x1b[31m.json": "queued",
        "d.json": "rejected",
        "e.json": "rejected",
        "z.json": "queued",
    }
    assert "schedule" in found["d.json"][1]
    assert r"\ud800: Extra inputs are not permitted" in found["e.json"][1]
    rejected = world.service.settings.triggers_dir / "rejected"
    assert len(list(rejected.glob("*.reason.txt"))) == 2


def test_one_that_the_database_cannot_take_is_rejected_with_the_reason_and_stops_no_other(world, monkeypatch):
    claim = trigger_files.claim

    def fails(session, name, *rest):
        if name == "a.json" and not failed:
            failed.append(name)
            session.execute(trigger_files.select(trigger_files.TriggerFileRow.id))
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        return claim(session, name, *rest)

    failed: list[str] = []
    monkeypatch.setattr(trigger_files, "claim", fails)
    put(world, b"a.json", "{}")
    put(world, b"b.json", "{}")
    world.start()
    world.turn_until(lambda: len(rows(world)) == 2, "both rows")
    assert rows(world)["a.json"][0] == "rejected"
    assert "it cannot be recorded: UnicodeEncodeError" in rows(world)["a.json"][1]
    assert rows(world)["b.json"][0] == "queued"


def test_a_claimed_file_that_somebody_removed_stops_no_other(world):
    put(world, b"a.json", json.dumps({"schedule": "yearly"}))
    put(world, b"b.json", json.dumps({"schedule": "yearly"}))
    world.start()
    world.turn_until(lambda: len(rows(world)) == 2, "both rows")
    with world.store.read() as session:
        path = next(
            file.claimed_path for file in trigger_files.in_state(session, trigger_files.TriggerFileState.QUEUED)
        )
    path.unlink()
    world.clock.advance(timedelta(seconds=1))  # two asked for at one instant are a microsecond apart
    world.turn_until(lambda: {state for state, _ in rows(world).values()} == {"archived"}, "both done with")
    assert "was removed" in rows(world)["a.json"][1]
    assert "was removed" not in rows(world)["b.json"][1]
