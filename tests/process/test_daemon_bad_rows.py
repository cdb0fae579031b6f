"""One bad row costs its own schedule, trigger or run; the others go on. And a step in trouble does not make the loop
spin."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from daemon_world import World, schedule

from runner import schedule_service
from runner.clock import WakeEvent
from runner.store import decisions, history, occurrences, schedules, triggers
from runner.store.states import ExecutionStatus, OccurrenceState
from runner.triggers.evaluation import Evaluator
from runner.worker.launch import Launcher
from schemas.automation import create_default_triggers
from schemas.errors import WorkerError
from schemas.execution import RunRequest

pytestmark = pytest.mark.sqlite_files
START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONCE = {"retry_on_failure": False}


@pytest.fixture
def world(tmp_path):
    with World(tmp_path / "home", START) as opened:
        yield opened


def damage(world: World, statement: str) -> None:
    """As somebody would with the sqlite3 shell."""
    connection = sqlite3.connect(world.home / "automation_tracking.db")
    with connection:
        assert connection.execute(statement).rowcount == 1
    connection.close()


def fates(world: World, name: str) -> list[OccurrenceState]:
    with world.store.read() as session:
        return [record.state for record in occurrences.recent(session, name, 100)][::-1]


def alerts(world: World) -> list[str]:
    connection = sqlite3.connect(world.home / "automation_tracking.db")
    rows = connection.execute("SELECT payload_json FROM outbox WHERE kind = 'alert'").fetchall()
    connection.close()
    return [row[0] for row in rows]


@pytest.mark.parametrize(
    "damaged",
    [
        "'no JSON at all'",
        "json_set(definition_json, '$.start_deadline_hours', 1e12)",
        "json_set(definition_json, '$.timezone', 'Mars/Olympus')",
    ],
)
def test_a_schedule_that_cannot_be_used_is_disabled_and_the_others_fire(world, damaged):
    world.save(schedule("bad", "0 * * * *"), schedule("good", "0 * * * *"))
    damage(world, f"UPDATE schedules SET definition_json = {damaged} WHERE name = 'bad'")
    world.start()
    world.clock.advance(HOUR)
    world.turn_until(lambda: fates(world, "good") == [OccurrenceState.SUCCEEDED], "the good one")
    with world.store.read() as session:
        bad = schedules.get(session, "bad")
        assert bad is not None
        assert (bad.enabled, bad.next_run) == (False, None)
        assert (bad.paused_note or "").startswith("stopped by the daemon: ScheduleError")
        coming = schedule_service.coming_fires(schedules.list_active(session), world.clock.now(), 5)
    assert {name for _, name in coming} == {"good"}
    assert sum("schedule bad is disabled" in alert for alert in alerts(world)) == 1
    world.save(schedule("bad", "0 * * * *"))
    world.clock.advance(HOUR)
    world.turn_until(lambda: fates(world, "bad") == [OccurrenceState.SUCCEEDED], "the bad one, mended")


def test_a_trigger_that_cannot_be_read_is_disabled_and_the_others_are_looked_at(world):
    bad, good = (create_default_triggers()[0].model_copy(update={"name": name}) for name in ("bad", "good"))
    for trigger in (bad, good):
        schedule_service.save_trigger(world.store, trigger, world.clock.now())
    damage(world, "UPDATE triggers SET definition_json = '{}' WHERE name = 'bad'")
    world.start()
    world.turn_until(lambda: looked_at(world, "good"), "a look at the good one")
    with world.store.read() as session:
        known, (unreadable,) = triggers.look_up(session)
    assert [record.name for record in known] == ["good"]
    assert (unreadable.name, unreadable.enabled) == ("bad", False)
    assert sum("trigger bad is disabled" in alert for alert in alerts(world)) == 1
    schedule_service.save_trigger(world.store, bad, world.clock.now())
    world.turn_until(lambda: looked_at(world, "bad"), "a look at the bad one, mended")


def test_a_waiting_run_that_cannot_be_read_holds_up_no_other_and_says_so_in_the_end(world):
    world.save(schedule("bad", "0 * * * *", priority=9), schedule("good", "0 * * * *"))
    world.start()
    world.clock.advance(HOUR)
    world.daemon.steps.fire(world.clock.now())
    damage(
        world,
        "UPDATE definitions SET definition_json = '[]' WHERE id IN (SELECT definition_id FROM occurrence_rows"
        " WHERE schedule_name = 'bad')",
    )
    world.turn_until(lambda: fates(world, "good") == [OccurrenceState.SUCCEEDED], "the good one")
    world.clock.advance(13 * HOUR)
    world.turn()
    with world.store.read() as session:
        oldest = occurrences.recent(session, "bad", 100)[-1]
    assert oldest.state is OccurrenceState.MISSED
    assert "its definition in the database cannot be read" in oldest.reason


def test_waiting_runs_whose_rows_were_damaged_hold_up_no_other_however_many_they_are(world, monkeypatch):
    def refuses(*_arguments: object) -> None:
        raise WorkerError("no worker is wanted in this test")

    monkeypatch.setattr(Launcher, "launch", refuses)
    monkeypatch.setattr("runner.flow.launch.PAGE", 2)
    damages = {
        "word": "trigger_type = 'schedulled'",
        "number": "attempt = 'twice'",
        "priority": "priority = 'high'",
        "bytes": "reason = x'ff00'",
        "encoding": "note = CAST(x'66fc72' AS TEXT)",
        "never_to_run": "definition_id = NULL",
    }
    world.save(
        *(schedule(name, "0 * * * *", priority=9, **ONCE) for name in damages), schedule("good", "0 * * * *", **ONCE)
    )
    world.start()
    world.clock.advance(HOUR)
    world.daemon.steps.fire(world.clock.now())
    for name, damaged in damages.items():
        damage(world, f"UPDATE occurrence_rows SET {damaged} WHERE schedule_name = '{name}'")
    damage(world, "UPDATE daemon SET status = 'runnig'")
    world.turn_until(lambda: fates(world, "good") != [OccurrenceState.QUEUED], "the good one")
    assert fates(world, "word") == fates(world, "encoding") == [OccurrenceState.FAILED]  # enough of them can be read
    world.clock.advance(13 * HOUR)
    world.turn()
    told = {}
    with world.store.read() as session:
        for name in ("number", "priority", "bytes", "never_to_run"):
            oldest = occurrences.recent(session, name, 100)[-1]
            assert oldest.state is OccurrenceState.MISSED
            told[name] = oldest.reason
    assert "it was never to run" in told.pop("never_to_run")
    assert all("its row in the database cannot be read" in reason for reason in told.values())


def test_a_run_under_way_that_lost_its_definition_is_taken_over_and_settled(tmp_path):
    home = tmp_path / "home"
    with World(home, START) as world:
        world.save(schedule("hourly", "0 * * * *", job="until_stopped"))
        world.start()
        world.clock.advance(HOUR)
        world.turn_until(lambda: world.lines("ledger.txt"), "the run under way")
    damage(world, "UPDATE definitions SET definition_json = '[]'")
    with World(home, START) as world:
        world.start()
        assert len(world.daemon.steps.watch.runs) == 1
        world.daemon.steps.watch.cancel_occurrence(1)
        world.turn_until(lambda: fates(world, "hourly") == [OccurrenceState.CANCELLED], "the end")
        with world.store.read() as session:
            (run,) = history.recent(session, 10)
            told = [record.decision.kind.value for record in decisions.of_occurrence(session, 1)]
    assert run.status is ExecutionStatus.CANCELLED
    assert told[-2:] == ["launch", "give_up"]  # before them it may have waited for the first measurement of the CPU


def test_a_step_in_trouble_that_leaves_something_due_does_not_make_the_loop_spin(world):
    world.save(schedule("hourly", "0 * * * *"))

    def broken(now: datetime) -> None:
        raise RuntimeError("a bug in this step")

    class Naps(WakeEvent):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[float] = []

        def sleep(self, timeout_s: float) -> None:
            self.seen.append(timeout_s)
            if len(self.seen) == 3:
                world.daemon.request_stop()

    world.daemon.steps.fire = broken
    world.daemon.wake = naps = Naps()
    world.start()
    world.clock.advance(HOUR)
    world.daemon.run()
    assert naps.seen == [world.service.settings.scheduler.poll_interval_s] * 3


@pytest.mark.parametrize("instant", ["datetime('2026-03-01 00:30:00')", "'soon'", "17", "''"])
def test_an_instant_that_somebody_wrote_by_hand_stops_no_schedule_and_no_trigger(world, monkeypatch, instant):
    def refuses(*_arguments: object) -> None:
        raise WorkerError("no worker is wanted in this test")

    monkeypatch.setattr(Launcher, "launch", refuses)
    world.save(schedule("bad", "0 * * * *", **ONCE), schedule("good", "0 * * * *", **ONCE))
    for name in ("bad", "good"):
        trigger = create_default_triggers()[0].model_copy(update={"name": name})
        schedule_service.save_trigger(world.store, trigger, world.clock.now())
    damage(world, f"UPDATE schedules SET next_run = {instant}, last_run = {instant} WHERE name = 'bad'")
    damage(world, f"UPDATE triggers SET last_triggered = {instant} WHERE name = 'bad'")
    world.start()
    world.clock.advance(HOUR)
    world.turn_until(lambda: fates(world, "good") == [OccurrenceState.FAILED], "the good one")
    world.turn_until(lambda: looked_at(world, "good"), "a look at the good trigger")
    with world.store.read() as session:
        listed = schedules.list_active(session)
    assert {record.name: record.next_run for record in listed} == dict.fromkeys(["bad", "good"], START + 2 * HOUR)
    assert len(fates(world, "bad")) == 1


@pytest.mark.parametrize("file", ["3", "'" + "x" * 300 + "'"])
def test_a_manual_trigger_whose_file_can_be_none_stops_no_start_and_no_other_trigger(tmp_path, file):
    home = tmp_path / "home"
    with World(home, START) as world:
        *_, manual = create_default_triggers()
        fired = manual.model_copy(update={"name": "bad", "last_triggered": START})
        good = create_default_triggers()[0].model_copy(update={"name": "good"})
        for trigger in (fired, good):
            schedule_service.save_trigger(world.store, trigger, world.clock.now())
    damaged = f"json_set(definition_json, '$.parameters.trigger_file', {file})"
    damage(world, f"UPDATE triggers SET definition_json = {damaged} WHERE name = 'bad'")
    with World(home, START) as world:
        world.start()
        world.turn_until(lambda: looked_at(world, "good"), "a look at the good one")
        if file == "3":  # the other's look may simply find nothing, as later Pythons have it
            wait_for_words(world, "bad", "could not look")


def test_a_look_that_fails_the_same_way_each_second_is_written_down_once_a_minute(world, monkeypatch, caplog):
    *_, manual = create_default_triggers()
    schedule_service.save_trigger(world.store, manual.model_copy(update={"name": "bad"}), world.clock.now())

    def closed(_path: Path, _now: datetime) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("runner.triggers.built_in.trigger_file_waits", closed)
    world.start()
    wait_for_words(world, "bad", "could not look: PermissionError")
    looks = []
    start = Evaluator.start
    monkeypatch.setattr(Evaluator, "start", lambda *given: looks.append(given) or start(*given))
    for _ in range(3):
        world.clock.waited_s += 2
        before = len(looks)
        world.turn_until(lambda before=before: len(looks) > before, "another look")
    told = [record for record in caplog.records if record.getMessage().startswith("Trigger bad: ")]
    assert len(told) == 1


def test_a_run_that_cannot_be_launched_for_whatever_reason_ends_as_failed_and_the_next_one_starts(world, monkeypatch):
    def refuses(_launcher: Launcher, request: RunRequest, *_rest: object) -> None:
        if request.schedule_name == "bad":
            raise UnicodeDecodeError("utf-8", b"\xe4", 0, 1, "unexpected end of data")
        raise WorkerError("no worker is wanted in this test")

    monkeypatch.setattr(Launcher, "launch", refuses)
    world.save(schedule("bad", "0 * * * *", priority=9, **ONCE), schedule("good", "0 * * * *", **ONCE))
    world.start()
    world.clock.advance(HOUR)
    world.turn_until(lambda: fates(world, "good") == [OccurrenceState.FAILED], "the good one")
    assert fates(world, "bad") == [OccurrenceState.FAILED]
    with world.store.read() as session:
        (run,) = history.recent(session, 10, "bad")
    assert "UnicodeDecodeError" in (run.error_message or "")


def test_a_run_that_the_database_refuses_holds_up_no_other(world):
    world.save(schedule("bad", "0 * * * *", priority=9), schedule("good", "0 * * * *"))
    connection = sqlite3.connect(world.home / "automation_tracking.db")
    connection.execute(
        "CREATE TRIGGER refusal BEFORE INSERT ON execution_rows WHEN NEW.schedule_name = 'bad'"
        " BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    )
    connection.close()
    world.start()
    world.clock.advance(HOUR)
    world.turn_until(lambda: fates(world, "good") == [OccurrenceState.SUCCEEDED], "the good one")
    with world.store.read() as session:
        (bad,) = occurrences.recent(session, "bad", 10)
    assert bad.state is OccurrenceState.QUEUED
    assert "it cannot be started: IntegrityError" in bad.reason


def wait_for_words(world: World, name: str, words: str) -> None:
    """Until the trigger's last verdict begins so."""

    def told() -> bool:
        with world.store.read() as session:
            record = triggers.get(session, name)
        return record is not None and record.last_verdict.startswith(words)

    world.turn_until(told, words)


def looked_at(world: World, name: str) -> bool:
    with world.store.read() as session:
        record = triggers.get(session, name)
    return record is not None and record.last_checked is not None
