"""A wall clock that was wrong, and a machine that slept: noticed, told, put right; no fire lost, none twice."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from daemon_world import World, schedule

from runner import cli, schedule_service
from runner.store import clock_changes, history, occurrences, outbox, queue, schedules, triggers
from runner.store.states import OccurrenceState
from schemas.automation import TriggerType
from schemas.execution import ExecutionResult, Outcome, ResourceUsage
from schemas.model import PipelineState

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def world(tmp_path):
    with World(tmp_path / "home", START) as opened:
        yield nothing_starts(opened)


def nothing_starts(world: World) -> World:
    """Only as `turn` plays it."""
    world.daemon.steps.launch = lambda _now: None
    return world


def rows(world: World, name: str) -> list[occurrences.OccurrenceRecord]:
    """In the order in which they were recorded."""
    with world.store.read() as session:
        return occurrences.recent(session, name, 10_000)[::-1]


def ran(world: World, name: str) -> list[datetime]:
    return [row.scheduled_for for row in rows(world, name) if row.state is OccurrenceState.SUCCEEDED]


def live(world: World, span: timedelta, step: timedelta) -> None:
    """Let time pass. Every run that may start ends at once, well: no process is needed for that."""
    end = world.clock.now() + span
    while True:
        turn(world)
        if world.clock.now() >= end:
            return
        world.clock.advance(step)


def turn(world: World) -> None:
    now = world.clock.now()
    world.daemon.tick(now)
    with world.store.write() as session:
        for run in queue.waiting(session, now, 1000):
            number = queue.begin(
                session, run.occurrence_id, now, worker="w", worker_reason="", seed=1, run_dir=lambda _: world.home
            )
            execution = history.get(session, number)
            history.finish(session, ended(execution, now))
            queue.finish(session, run.occurrence_id, Outcome.SUCCEEDED, "", now)


def ended(execution: history.ExecutionRecord, now: datetime) -> ExecutionResult:
    return ExecutionResult(
        execution_id=execution.execution_id,
        schedule_name=execution.schedule_name,
        trigger_type=execution.trigger_type,
        scheduled_for=execution.scheduled_for,
        started_at=execution.started_at,
        attempt=execution.attempt,
        completed_at=now,
        outcome=Outcome.SUCCEEDED,
        success=True,
        state=PipelineState(),
        usage=ResourceUsage(),
        worker="w",
        run_dir=execution.run_dir,
    )


def said(world: World) -> list[str]:
    with world.store.read() as session:
        return [record.detail for record in clock_changes.recent(session, 10)][::-1]


def mails(world: World) -> list[str]:
    with world.store.read() as session:
        return [item.message.headline for item in outbox.take_due(session, world.clock.now() + 400 * DAY, 100)]


def test_a_clock_that_was_a_day_ahead_for_twelve_seconds(world, capsys, monkeypatch):
    world.save(schedule("five", "* * * * * */5"))
    world.start()
    live(world, 10 * SECOND, 5 * SECOND)
    world.clock.step(DAY)
    live(world, 10 * SECOND, 5 * SECOND)
    world.clock.advance(2 * SECOND)
    world.clock.step(-DAY)
    right = world.clock.now()
    live(world, 20 * SECOND, SECOND)
    instants = [row.scheduled_for for row in rows(world, "five")]
    assert len(instants) == len(set(instants)), "none twice"
    after = [instant for instant in ran(world, "five") if right < instant < right + HOUR]
    assert after[0] - right <= 5 * SECOND, "within one period of now"
    assert len(after) == 4
    covered = {row.scheduled_for for row in rows(world, "five") if row.scheduled_for <= right}
    assert covered >= {START + number * 5 * SECOND for number in range(1, 5)}, "what the wrong clock hid has rows too"
    ahead = [row for row in rows(world, "five") if row.scheduled_for > right + HOUR]
    assert {row.state for row in ahead} <= {OccurrenceState.SUCCEEDED}, "only what ran keeps its row"
    assert all("while the clock was 24 h" in row.reason or "1 day" in row.reason for row in ahead)
    assert [line.split(" by ")[0] for line in said(world)] == ["the clock was set ahead", "the clock was set back"]
    assert "1 schedules go on from now" in said(world)[1]
    assert said(world) == mails(world)[:2]
    with world.store.read() as session:
        order = [record.execution_id for record in history.recent(session, 100)]
        assert order == sorted(order, reverse=True), "the history is sorted as it happened"
        coming = schedule_service.coming_fires(
            schedules.upcoming(session, world.clock.now(), 5),
            world.clock.now(),
            20_000,
            clock_changes.recorded_ahead(session, world.clock.now()),
        )
    assert not {instant for instant, _ in coming} & set(instants), "`next` lists only what will come"


def test_the_times_that_come_when_the_clock_reaches_them_again_fire_once(world):
    world.save(schedule("hourly", "0 * * * *"))
    world.start()
    world.clock.step(3 * HOUR)
    live(world, 65 * MINUTE, 5 * MINUTE)  # 15:00 (caught up), 16:00
    world.clock.step(-3 * HOUR)
    live(world, 8 * HOUR, 10 * MINUTE)
    assert sorted(ran(world, "hourly")) == [START + number * HOUR for number in range(2, 10)]
    (hidden,) = [row for row in rows(world, "hourly") if row.scheduled_for == START + HOUR]
    assert hidden.state is OccurrenceState.COALESCED, (
        "it came while the clock said 16:00: the run of 15:00 stood for it"
    )


def test_a_clock_set_back_repeats_nothing_and_goes_on_from_there(world):
    world.save(schedule("hourly", "0 * * * *"))
    world.start()
    live(world, 3 * HOUR, 10 * MINUTE)
    world.clock.step(-2 * HOUR)
    live(world, 4 * HOUR, 10 * MINUTE)
    assert sorted(ran(world, "hourly")) == [START + number * HOUR for number in range(1, 6)]
    assert said(world)[0].startswith("the clock was set back by 2 h")


def test_what_waits_keeps_the_time_it_had_left(world):
    """A deadline and a retry's pause are durations: a clock that is set neither ends nor prolongs them."""
    world.start()
    with world.store.write() as session:
        waiting = schedule_service.enqueue_run(
            session, schedule("by_hand", "", start_deadline_hours=1), TriggerType.MANUAL, world.clock.now(), 10
        )
        queue.defer(session, waiting.occurrence_id, "a retry's pause", world.clock.now() + 10 * MINUTE)
    for step in (5 * DAY, -5 * DAY):
        world.clock.step(step)
        turn(world)
        with world.store.read() as session:
            row = occurrences.get(session, waiting.occurrence_id)
        assert row.state is OccurrenceState.QUEUED
        assert row.not_before - world.clock.now() == 10 * MINUTE
        assert row.start_deadline - world.clock.now() == HOUR


def test_a_database_from_a_machine_whose_clock_was_ahead(tmp_path):
    with World(tmp_path / "ahead", START + 30 * DAY) as opened:
        world = nothing_starts(opened)
        world.save(schedule("hourly", "0 * * * *"))
        world.start()
        live(world, 2 * HOUR, 10 * MINUTE)
        world.daemon._end(world.clock.now())
    shutil.copytree(tmp_path / "ahead", tmp_path / "home")
    (tmp_path / "home" / "simulated_now").unlink()
    with World(tmp_path / "home", START) as opened:
        world = nothing_starts(opened)
        world.start()
        live(world, 2 * HOUR, 10 * MINUTE)
        assert [instant for instant in ran(world, "hourly") if instant < START + DAY] == [
            START + HOUR,
            START + 2 * HOUR,
        ]
        assert "in the future, by a clock that was ahead: 1 schedules go on from now" in said(world)[0]
        assert said(world)[0] in mails(world)


def test_a_machine_that_slept_is_told_and_caught_up_as_after_a_downtime(world):
    world.save(schedule("hourly", "0 * * * *"))
    world.start()
    live(world, HOUR, 10 * MINUTE)
    world.clock.slept += 7 * 3600
    world.clock.advance(7 * HOUR)
    live(world, HOUR, 10 * MINUTE)
    assert said(world) == ["the machine slept for 7 h 00 min."]
    states = [(row.scheduled_for - START) // HOUR for row in rows(world, "hourly")]
    assert sorted(states) == list(range(1, 10))
    assert len(ran(world, "hourly")) == 3, "one of those that fell due while it slept stands for the others"


def test_a_change_that_cannot_be_written_down_holds_back_every_other_step(world):
    world.save(schedule("hourly", "0 * * * *"))
    world.start()
    turn(world)
    follow = world.daemon.steps.clock
    world.clock.step(-DAY)
    real, follow._put_right = follow._put_right, None  # a database that takes nothing: whatever it raises
    turn(world)
    assert rows(world, "hourly") == [] and said(world) == []
    follow._put_right = real
    live(world, HOUR, 10 * MINUTE)
    assert ran(world, "hourly") == [START - DAY + HOUR]
    assert len(said(world)) == 1


def test_why_and_next_say_that_the_clock_was_set(tmp_path, monkeypatch, capsys):
    home = tmp_path / "home"
    with World(home, datetime.now(UTC)) as world:
        world.save(schedule("hourly", "0 * * * *"))
        world.start()
        turn(world)
        world.clock.step(-HOUR)
        turn(world)
    monkeypatch.setenv("OUROBOROS_HOME", str(home))
    for words in (["why", "hourly"], ["next"], ["status"]):
        assert cli.run(words) == 0
        assert "the clock was set back by 1 h 00 min" in capsys.readouterr().out.replace("\n", " ")


def test_a_cooldown_and_the_hourly_limit_of_mails_do_not_wait_for_an_instant_that_a_wrong_clock_wrote(world):
    world.start()
    with world.store.write() as session:
        schedule_service.seed_triggers(session, START)
        (name, *_) = [record.name for record in triggers.list_active(session)]
        triggers.checked(session, name, "found", START + DAY, fired=True)
        clock_changes.bring_back(session, START + MINUTE, -DAY)
        assert triggers.get(session, name).last_triggered == START
