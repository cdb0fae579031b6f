"""A daemon that has nothing to do asks the database next to nothing, and misses nothing by it."""

from datetime import UTC, datetime, timedelta

import pytest
from daemon_world import World, schedule
from sqlalchemy import event
from sqlalchemy.engine import Engine

from runner.flow.command_arguments import TriggerArguments, Verb
from runner.store import commands, occurrences
from runner.store.engine import Store

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def world(tmp_path):
    with World(tmp_path / "home", START) as opened:
        opened.save(schedule("hourly", "0 * * * *"))
        opened.start()
        opened.turn()
        opened.turn()
        yield opened


@pytest.fixture
def statements():
    seen: list[str] = []

    def note(connection, cursor, statement, parameters, context, many) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


def due(world: World) -> list[datetime]:
    with world.store.read() as session:
        return [record.scheduled_for for record in occurrences.recent(session, "hourly", 100)][::-1]


def test_idle_turns_send_no_statement(world, statements):
    world.daemon.tick(world.clock.now())
    statements.clear()
    for _ in range(20):
        world.clock.instant += timedelta(seconds=1)
        world.daemon.tick(world.clock.now())
    assert [text for text in statements if "daemon" not in text and "BEGIN" not in text] == []


def test_the_turn_at_which_something_falls_due_is_a_whole_one(world):
    world.clock.instant += HOUR - timedelta(microseconds=1)
    world.daemon.tick(world.clock.now())
    assert due(world) == []
    world.clock.instant += timedelta(microseconds=1)
    world.daemon.tick(world.clock.now())
    assert due(world) == [START + HOUR]


def test_what_another_process_commits_is_seen_at_the_next_turn(world):
    other = Store(world.service.settings.database_url, 5)
    with other.write() as session:
        number = commands.enqueue(
            session, Verb.TRIGGER.value, TriggerArguments(name="hourly"), "another", world.clock.now()
        )
    other.close()
    world.daemon.tick(world.clock.now())
    with world.store.read() as session:
        assert commands.get(session, number).ok
    assert len(due(world)) == 1


def test_a_clock_set_back_ends_the_idle_turns(world):
    world.clock.instant -= 2 * HOUR
    world.daemon.tick(world.clock.now())
    world.clock.instant += 4 * HOUR
    world.daemon.tick(world.clock.now())
    assert due(world) == [START + HOUR, START + 2 * HOUR]
