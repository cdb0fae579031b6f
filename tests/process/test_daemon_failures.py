"""The daemon on a machine that fails it: database locked, clock stepped, mail server down, workers that end badly."""

import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from daemon_world import World, free_port, schedule, settings_for

from runner.store import history, occurrences
from runner.store.states import ExecutionStatus, OccurrenceState
from schemas.execution import FailureClass
from schemas.notification import NotificationSettings, SmtpSecurity, SmtpSettings

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(database: Path):
    """Another process holds the database in a write transaction."""
    with subprocess.Popen(
        [sys.executable, "-S", "-c", HOLDER, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            other.stdin.close()
            other.wait(60)


@pytest.fixture
def world(tmp_path):
    with World(tmp_path / "home", START) as opened:
        yield opened


@pytest.fixture
def impatient(tmp_path):
    """A daemon that waits a tenth of a second for a locked database."""
    settings = settings_for(tmp_path / "home")
    settings = settings.model_copy(update={"storage": settings.storage.model_copy(update={"busy_timeout_s": 0.1})})
    with World(tmp_path / "home", START, settings=settings) as opened:
        yield opened


def fates(world: World, name: str = "hourly") -> dict[datetime, OccurrenceState]:
    with world.store.read() as session:
        return {record.scheduled_for: record.state for record in occurrences.recent(session, name, 1000)}


def runs_of(world: World, name: str = "hourly"):
    with world.store.read() as session:
        return history.recent(session, 100, name)[::-1]


@pytest.mark.sqlite_files
def test_a_locked_database_delays_what_is_due_and_loses_nothing(impatient):
    world = impatient
    world.save(schedule("hourly", "0 * * * *"))
    world.start()
    with locked(world.home / "automation_tracking.db"):
        world.clock.advance(HOUR)
        world.turn()
        world.turn()
        assert world.daemon.status.value == "error"
        assert fates(world) == {}
        world.clock.advance(HOUR)
        world.turn()
    world.turn_until(lambda: OccurrenceState.SUCCEEDED in fates(world).values(), "the run after the lock")
    assert fates(world) == {START + HOUR: OccurrenceState.COALESCED, START + 2 * HOUR: OccurrenceState.SUCCEEDED}
    assert world.daemon.status.value != "error"
    ((error,),) = world.rows("SELECT last_error FROM loops WHERE name = 'schedules'")
    assert "held by another process for more than 0.1 s" in error
    assert world.rows("SELECT state FROM outbox WHERE kind = 'alert'") == [("sent",)]


@pytest.mark.sqlite_files
def test_a_run_that_ends_or_must_end_while_the_database_is_locked_is_settled_once(impatient):
    world = impatient
    world.save(
        schedule("hourly", "0 * * * *"),
        schedule("long", "0 * * * *", job="until_stopped", max_duration_hours=1 / 3600, max_retries=0),
    )
    world.start()
    world.clock.advance(HOUR)
    world.turn_until(lambda: len(world.daemon.steps.watch.runs) == 1, "a run under way")
    with locked(world.home / "automation_tracking.db"):
        world.turn_until(_all_dead(world), "the end of the worker, by itself or at its longest duration")
        world.turn()
        assert len(world.daemon.steps.watch.runs) == 1
    world.turn_until(lambda: len(runs_of(world)) == 1 and world.is_quiet(), "all settled")
    assert fates(world) == {START + HOUR: OccurrenceState.SUCCEEDED}
    assert fates(world, "long") == {START + HOUR: OccurrenceState.FAILED}
    assert [run.status for run in runs_of(world, "long")] == [ExecutionStatus.TIMED_OUT]
    assert sorted(line[0] for line in world.lines("pigeon.txt")) == ["1", "2"]


@pytest.mark.sqlite_files
def test_a_run_whose_intent_is_the_last_thing_written_is_settled_once_writing_works_again(impatient):
    world = impatient
    world.save(schedule("hourly", "0 * * * *", retry_backoff_s=1))
    world.start()
    runs_dir = world.service.settings.runs_dir
    runs_dir.rmdir()
    runs_dir.write_text("no folder can be made here")
    lock = sqlite3.connect(world.home / "automation_tracking.db", isolation_level=None)

    def reach(point: str) -> None:
        if point == "launch.intended" and not lock.in_transaction:
            lock.execute("BEGIN IMMEDIATE")

    world.service.runtime.reach = reach
    world.clock.advance(HOUR)
    world.turn_until(lambda: lock.in_transaction, "the launch")
    world.turn()
    assert [run.status for run in runs_of(world)] == [ExecutionStatus.STARTING]
    world.service.runtime.reach = lambda point: None
    lock.execute("ROLLBACK")
    lock.close()
    runs_dir.unlink()
    runs_dir.mkdir()
    world.turn_until(lambda: [run.status for run in runs_of(world)] == [ExecutionStatus.FAILED], "the settlement")
    (failed,) = runs_of(world)
    assert "cannot launch a worker" in (failed.error_message or "")
    world.live_until(world.clock.now() + 30 * timedelta(minutes=1), timedelta(minutes=1))
    assert fates(world) == {START + HOUR: OccurrenceState.SUCCEEDED}
    assert [run.attempt for run in runs_of(world)] == [1, 2]


@pytest.mark.parametrize("step", [DAY, -DAY], ids=["forward", "back"])
def test_a_stepped_clock_neither_ends_a_run_nor_doubles_a_fire(world, step):
    world.save(schedule("hourly", "0 * * * *", job="until_stopped"))
    world.start()
    world.clock.advance(HOUR)
    world.turn_until(lambda: world.lines("ledger.txt"), "the run under way")
    world.clock.advance(step)
    for _ in range(5):
        world.turn()
    assert len(world.daemon.steps.watch.runs) == 1
    assert len(world.lines("ledger.txt")) == 1
    (world.home / "let_it_end").touch()
    world.daemon.steps.watch.cancel_occurrence(1)
    world.turn_until(lambda: not world.daemon.steps.watch.runs, "the end of the first run")
    while world.clock.now() < START + HOUR:  # set back: nothing fires until the clock has passed what has fired
        world.turn()
        assert list(fates(world)) == [START + HOUR]
        world.clock.advance(6 * HOUR)
    world.live_until(world.clock.now() + 2 * HOUR, HOUR)
    found = fates(world)
    assert found.pop(START + HOUR) is OccurrenceState.CANCELLED
    started = [line[2] for line in world.lines("ledger.txt")]
    assert len(started) == len(set(started))
    due = {START + number * HOUR for number in range(2, int((world.clock.now() - START) / HOUR) + 1)}
    assert found.keys() == due
    assert set(found.values()) <= {OccurrenceState.SUCCEEDED, OccurrenceState.COALESCED}
    # The catch-up policy is `latest`: of all that was jumped over only the newest ran.
    ran = sum(state is OccurrenceState.SUCCEEDED for state in found.values())
    assert ran == (3 if step > timedelta(0) else 2)


def test_mail_waits_out_an_hour_without_a_server_and_arrives_once(tmp_path, filed_mail):
    port = free_port()
    smtp = SmtpSettings(host="127.0.0.1", port=port, security=SmtpSecurity.NONE, timeout_s=10)
    settings = settings_for(tmp_path / "home").model_copy(
        update={"notifications": NotificationSettings(emails=["a@example.com"], smtp=smtp)}
    )
    with World(tmp_path / "home", START, settings=settings, own_notifications=False) as world:
        world.save(schedule("hourly", "0 * * * *"), schedule("bad", "30 * * * *", job="refuses"))
        world.start()
        world.live_until(START + HOUR + timedelta(minutes=1), timedelta(minutes=5))
        waiting = world.rows("SELECT state, attempts FROM outbox")
        assert {state for state, _ in waiting} == {"pending"}
        assert max(attempts for _, attempts in waiting) >= 3
        controller = Controller(filed_mail, hostname="127.0.0.1", port=port)
        controller.start()
        try:
            world.live_until(START + 2 * HOUR + timedelta(minutes=1), timedelta(minutes=5))
        finally:
            controller.stop()
        keys = [message_id for (message_id,) in world.rows("SELECT message_id FROM outbox WHERE state = 'sent'")]
        assert len(keys) == len(world.rows("SELECT id FROM outbox")) == 4
    assert sorted(mail["Message-ID"] for mail in filed_mail.mails) == sorted(keys)


@pytest.mark.parametrize(
    ("job", "status", "said"),
    [
        ("tears_its_result", ExecutionStatus.FAILED, "Its result cannot be read"),
        ("is_killed", ExecutionStatus.LOST, "ended by SIGKILL"),
    ],
)
def test_a_worker_that_ends_badly_is_told_and_tried_again(world, job, status, said):
    world.save(schedule("hourly", "0 * * * *", job=job, retry_backoff_s=60))
    world.start()
    world.clock.advance(HOUR)
    world.live_until(START + HOUR + timedelta(minutes=5), timedelta(minutes=1))
    first, second = runs_of(world)
    assert (first.status, first.failure_class, first.attempt) == (status, FailureClass.CRASH, 1)
    assert said in (first.error_message or "")
    assert (second.status, second.attempt) == (ExecutionStatus.SUCCEEDED, 2)
    assert fates(world) == {START + HOUR: OccurrenceState.SUCCEEDED}


def _all_dead(world: World):
    def dead() -> bool:
        return all(run.handle.exit_code is not None for run in world.daemon.steps.watch.runs.values())

    return dead


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("the launcher itself", "Input/output error"),
        ("a file in place of the run folders", "cannot launch a worker"),
        ("links in a circle in place of the run folders", "cannot launch a worker"),
    ],
)
def test_a_run_that_cannot_even_be_tried_ends_as_a_failed_execution(world, monkeypatch, harm, said):
    world.save(schedule("hourly", "0 * * * *", max_retries=0))
    world.start()
    runs = world.service.settings.runs_dir

    def refuse(*_):
        raise OSError(5, "Input/output error")

    world.clock.advance(HOUR)
    with monkeypatch.context() as patch:
        if harm == "the launcher itself":
            patch.setattr("runner.worker.launch.Launcher.launch", refuse)
        else:
            runs.rmdir()
            runs.symlink_to(runs) if harm.startswith("links") else runs.touch()
        world.turn()
    with world.store.read() as session:
        (run,) = history.recent(session, 10, "hourly")
    assert run.status is ExecutionStatus.FAILED
    assert said in run.error_message
    assert run.failure_class is FailureClass.RESOURCE
    assert not world.daemon.steps.watch.under_way
    if harm != "the launcher itself":
        runs.unlink()
    world.clock.advance(HOUR)
    world.turn_until(lambda: world.lines("ledger.txt") and world.is_quiet(), "the next run, as if nothing had been")


def test_a_log_that_cannot_be_read_holds_up_no_settlement(world):
    world.save(schedule("hourly", "0 * * * *", job="until_stopped"))
    world.start()
    world.clock.advance(HOUR)
    world.turn_until(lambda: world.lines("ledger.txt"), "the run")
    (folder,) = world.service.settings.runs_dir.iterdir()
    (folder / "worker.log").unlink()
    (folder / "worker.log").mkdir()
    world.daemon.steps.watch.cancel_occurrence(1)
    world.turn_until(world.is_quiet, "its end")
    with world.store.read() as session:
        (run,) = history.recent(session, 10, "hourly")
    assert run.completed_at is not None
