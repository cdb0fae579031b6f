"""The daemon's flow from due to told, with real workers and a clock of our own."""

import json
import os
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from daemon_world import World, schedule

from runner import schedule_service
from runner.flow.command_arguments import CancelArguments, NoArguments, PauseArguments, TriggerArguments, Verb
from runner.store import commands, decisions, history, occurrences
from runner.store.history import ExecutionRecord
from runner.store.states import ExecutionStatus, OccurrenceState
from runner.triggers.trigger_files import claim_trigger_file
from schemas.automation import OverlapPolicy, TriggerType, create_default_triggers
from schemas.execution import DecisionKind
from schemas.machine import ResourceRequirements

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def world(tmp_path):
    with World(tmp_path / "home", START) as opened:
        yield opened


def runs_of(world: World, name: str) -> list[ExecutionRecord]:
    with world.store.read() as session:
        return history.recent(session, 100, name)[::-1]


def fates(world: World, name: str) -> list[OccurrenceState]:
    with world.store.read() as session:
        return [record.state for record in occurrences.recent(session, name, 100)][::-1]


def ask(world: World, verb: Verb, arguments) -> commands.Command:
    with world.store.write() as session:
        number = commands.enqueue(session, verb.value, arguments, "a test", world.clock.now())
    world.turn()
    with world.store.read() as session:
        answered = commands.get(session, number)
    assert answered is not None
    return answered


@pytest.mark.sqlite_files
def test_every_fire_runs_once_and_the_guides_queries_answer(world):
    world.save(schedule("hourly", "0 * * * *"))
    world.start()
    world.live_until(START + 4 * HOUR, timedelta(minutes=20))
    assert [line[2] for line in world.lines("ledger.txt")] == [(START + n * HOUR).isoformat() for n in range(1, 5)]
    assert fates(world, "hourly") == [OccurrenceState.SUCCEEDED] * 4
    assert len(world.lines("pigeon.txt")) == 4
    with closing(sqlite3.connect(world.home / "automation_tracking.db")) as connection, connection:
        rows = connection.execute(
            """
            SELECT schedule_name, started_at, completed_at, success,
                   json_extract(pipeline_state_json, '$.best_win_rate') as win_rate
            FROM executions
            ORDER BY started_at DESC
            LIMIT 10
        """
        ).fetchall()
        stats = connection.execute(
            """
            SELECT schedule_name, run_count, success_count,
                   CAST(success_count AS FLOAT) / run_count as success_rate
            FROM schedule_runs
            ORDER BY run_count DESC
        """
        ).fetchall()
    connection.close()
    assert [f"Schedule: {row[0]}, Success: {row[3]}, Win Rate: {row[4]:.3f}" for row in rows] == [
        "Schedule: hourly, Success: 1, Win Rate: 0.550"
    ] * 4
    assert [f"Schedule: {row[0]}, Runs: {row[1]}, Success Rate: {row[3]:.3f}" for row in stats] == [
        "Schedule: hourly, Runs: 4, Success Rate: 1.000"
    ]


def test_a_pause_holds_launches_back_with_its_note_and_a_resume_lets_them_go(world):
    world.save(schedule("hourly", "0 * * * *"))
    world.start()
    assert ask(world, Verb.PAUSE, PauseArguments(note="holidays")).ok
    world.clock.advance(HOUR)
    world.turn()
    world.turn()
    (due,) = _occurrences(world, "hourly")
    assert due.state is OccurrenceState.QUEUED
    assert due.reason == "the daemon is paused: holidays"
    assert ask(world, Verb.RESUME, NoArguments()).ok
    world.turn_until(lambda: fates(world, "hourly") == [OccurrenceState.SUCCEEDED], "the run after the pause")


def test_a_guard_holds_a_run_back_until_the_machine_allows_it_and_one_row_counts_the_looks(world):
    greedy = ResourceRequirements(min_free_memory_gb=10**6, min_free_disk_gb=0, max_cpu_usage_percent=100)
    world.save(schedule("hourly", "0 * * * *", resource_requirements=greedy, start_deadline_hours=2))
    world.start()
    world.clock.advance(HOUR)
    world.turn_until(lambda: _waits(world, "hourly") >= 3, "three looks")
    (due,) = _occurrences(world, "hourly")
    with world.store.read() as session:
        (wait,) = decisions.of_occurrence(session, due.occurrence_id)
    assert (wait.decision.kind, wait.decision.code) == (DecisionKind.WAIT, "memory")
    assert "1e+06" in wait.decision.reason or "1000000" in wait.decision.reason
    world.clock.advance(2.5 * HOUR)
    world.turn()
    states = {record.scheduled_for: record.state for record in _occurrences(world, "hourly")}
    assert states[START + HOUR] is OccurrenceState.MISSED
    assert world.lines("ledger.txt") == []
    missed = f"occurrence-{due.occurrence_id}-missed@custom"
    assert (missed, "failure") in _messages(world)


def test_a_failed_run_is_tried_again_after_its_backoff(world):
    world.save(schedule("hourly", "0 * * * *", job="fails_at_first", retry_backoff_s=600))
    world.start()
    world.clock.advance(HOUR)
    world.turn_until(lambda: len(_finished(world, "hourly")) == 1, "the failure")
    assert fates(world, "hourly") == [OccurrenceState.QUEUED]
    for _ in range(3):
        world.turn()
    assert len(world.lines("ledger.txt")) == 1
    world.clock.advance(timedelta(minutes=11))
    world.turn_until(lambda: fates(world, "hourly") == [OccurrenceState.SUCCEEDED], "the retry")
    first, second = runs_of(world, "hourly")
    assert (first.status, first.attempt) == (ExecutionStatus.FAILED, 1)
    assert first.error_message == "the first attempt fails"
    assert (second.status, second.attempt) == (ExecutionStatus.SUCCEEDED, 2)
    assert [line[1] for line in world.lines("pigeon.txt")] == ["failed", "succeeded"]


def test_bad_input_is_never_retried(world):
    world.save(schedule("hourly", "0 * * * *", job="refuses"))
    world.start()
    world.clock.advance(HOUR)
    world.turn_until(lambda: fates(world, "hourly") == [OccurrenceState.FAILED], "the failure")
    assert len(world.lines("ledger.txt")) == 1
    (run,) = runs_of(world, "hourly")
    assert run.error_message == "this cannot work (here). Ask for something else."


def test_a_run_past_its_longest_duration_is_stopped_and_told(world):
    world.save(schedule("hourly", "0 * * * *", job="until_stopped", max_duration_hours=0.5 / 3600, max_retries=0))
    world.start()
    world.clock.advance(HOUR)
    world.turn_until(lambda: len(_finished(world, "hourly")) == 1, "the end")
    (run,) = runs_of(world, "hourly")
    assert run.status is ExecutionStatus.TIMED_OUT
    assert "max_duration_hours" in (run.error_message or "")


def test_a_run_is_cancelled_by_name_and_is_no_failure(world):
    world.save(schedule("hourly", "0 * * * *", job="until_stopped"))
    world.start()
    world.clock.advance(HOUR)
    world.turn_until(lambda: world.lines("ledger.txt"), "the run under way")
    assert ask(world, Verb.CANCEL, CancelArguments(schedule_name="hourly")).ok
    world.turn_until(lambda: fates(world, "hourly") == [OccurrenceState.CANCELLED], "the end")
    assert [line[1] for line in world.lines("pigeon.txt")] == ["cancelled"]


def test_a_shutdown_saves_the_run_which_goes_on_without_using_up_a_retry(tmp_path):
    home = tmp_path / "home"
    with World(home, START) as world:
        world.save(schedule("hourly", "0 * * * *", job="until_stopped", max_retries=0))
        world.start()
        world.clock.advance(HOUR)
        world.turn_until(lambda: world.lines("ledger.txt"), "the run under way")
        world.daemon.request_stop()
        world.turn_until(lambda: not world.daemon.steps.watch.runs, "the drain")
        assert fates(world, "hourly") == [OccurrenceState.QUEUED]
    (home / "let_it_end").touch()
    with World(home, START) as world:
        world.clock.advance(timedelta(days=3))
        world.start()
        world.turn_until(lambda: fates(world, "hourly")[0] is OccurrenceState.SUCCEEDED, "the run going on, days later")
        assert [run.attempt for run in runs_of(world, "hourly") if run.occurrence_id == 1] == [1, 1]
        world.turn_until(world.is_quiet, "the end")


def test_a_worker_outlives_its_daemon_and_is_adopted_by_the_next(tmp_path):
    home = tmp_path / "home"
    with World(home, START) as world:
        world.save(schedule("hourly", "0 * * * *", job="until_stopped"))
        world.start()
        world.clock.advance(HOUR)
        world.turn_until(lambda: world.lines("ledger.txt"), "the run under way")
    with World(home, START) as world:  # the first one did not stop in good order
        world.start()
        assert len(world.daemon.steps.watch.runs) == 1
        ask(world, Verb.CANCEL, CancelArguments(execution_id=1))
        world.turn_until(lambda: fates(world, "hourly") == [OccurrenceState.CANCELLED], "the end")
        assert len(world.lines("ledger.txt")) == 1
        assert [kind for _, kind in _messages(world)].count("crash_recovery") == 1


def test_cancel_running_makes_room_for_the_newer_occurrence(world):
    world.save(schedule("hourly", "0 * * * *", job="until_stopped", overlap=OverlapPolicy.CANCEL_RUNNING))
    world.start()
    world.clock.advance(HOUR)
    world.turn_until(lambda: len(world.lines("ledger.txt")) == 1, "the first run")
    (world.home / "let_it_end").touch()
    world.clock.advance(HOUR)
    world.turn_until(
        lambda: fates(world, "hourly") == [OccurrenceState.CANCELLED, OccurrenceState.SUCCEEDED], "the newer one"
    )


def test_a_dropped_file_runs_at_once_and_is_archived_with_its_outcome(world):
    world.save(schedule("hourly", "0 * * * *"))
    world.start()
    folder = world.service.settings.triggers_dir
    (folder / "now.json").write_text(json.dumps({"schedule": "hourly", "note": "please"}))
    (folder / "broken.json").write_text('{"schedule": "nosuch"}')
    world.turn_until(lambda: list(folder.glob("archived/*.outcome.txt")), "the archive")
    (outcome,) = folder.glob("archived/*.outcome.txt")
    assert "succeeded" in outcome.read_text()
    (reason,) = folder.glob("rejected/*.reason.txt")
    assert "no such schedule" in reason.read_text()
    (run,) = runs_of(world, "hourly")
    assert run.trigger_type is TriggerType.MANUAL
    assert not list(folder.glob("*.json"))


def test_the_manual_trigger_file_fires_once_per_cooldown(world):
    world.save(schedule("hourly", "0 * * * *"))
    manual = create_default_triggers()[-1].model_copy(update={"schedule": "hourly", "check_interval_s": 0.05})
    schedule_service.save_trigger(world.store, manual, world.clock.now())
    file = world.daemon.steps.triggers.working_dir / manual.parameters["trigger_file"]
    world.start()
    _drop(file)
    world.turn_until(lambda: fates(world, "hourly") == [OccurrenceState.SUCCEEDED], "the run")
    assert not file.exists()
    _drop(file)
    for _ in range(30):
        world.turn()
    assert len(world.lines("ledger.txt")) == 1
    world.clock.advance(2 * HOUR)
    world.turn_until(lambda: len(world.lines("ledger.txt")) >= 2, "the second run, after the cooldown")
    assert not file.exists()


def test_a_trigger_file_claimed_by_a_killed_daemon_is_its_triggers_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    manual = create_default_triggers()[-1].model_copy(update={"schedule": "hourly"})
    with World(tmp_path / "home", START) as world:
        world.save(schedule("hourly", "0 * * * *"))
        schedule_service.save_trigger(world.store, manual, world.clock.now())
        _drop(tmp_path / "trigger_training.txt")
        claimed = claim_trigger_file(
            tmp_path / "trigger_training.txt", world.service.settings.triggers_dir, world.clock.now()
        )
        assert claimed is not None
    with World(tmp_path / "home", START) as world:
        world.start()
        world.turn_until(lambda: fates(world, "hourly") == [OccurrenceState.SUCCEEDED], "the run")
        (run,) = runs_of(world, "hourly")
        assert run.trigger_name == "manual_trigger_file"


def test_trigger_by_hand_answers_and_an_unknown_name_is_refused(world):
    world.save(schedule("hourly", "0 * * * *"))
    world.start()
    assert ask(world, Verb.TRIGGER, TriggerArguments(name="hourly")).ok
    refused = ask(world, Verb.TRIGGER, TriggerArguments(name="nosuch"))
    assert not refused.ok
    assert "no schedule or trigger of that name" in (refused.answer or "")
    world.turn_until(lambda: fates(world, "hourly") == [OccurrenceState.SUCCEEDED], "the run")


def test_a_step_that_fails_costs_a_row_and_a_message_and_nothing_else(world):
    world.save(schedule("hourly", "0 * * * *"))
    world.start()

    def broken(now: datetime) -> None:
        raise RuntimeError("a bug in this step")

    healthy = world.daemon.steps.trigger_files
    world.daemon.steps.trigger_files = broken
    broken.patience_s = 1.0
    world.clock.advance(HOUR)
    world.turn_until(lambda: fates(world, "hourly") == [OccurrenceState.SUCCEEDED], "the run all the same")
    assert world.daemon.status.value == "error"
    (row,) = world.rows("SELECT last_error FROM loops WHERE name = 'trigger files'")
    keys = world.rows("SELECT dedup_key FROM outbox WHERE kind = 'alert'")
    assert "a bug in this step" in row[0]
    assert len(keys) == 1
    world.daemon.steps.trigger_files = healthy
    world.turn()
    world.turn()
    assert world.daemon.status.value == "monitoring"


def _drop(file) -> None:
    file.touch()
    long_ago = time.time() - 10
    os.utime(file, (long_ago, long_ago))


def _occurrences(world: World, name: str):
    with world.store.read() as session:
        return occurrences.recent(session, name, 100)[::-1]


def _finished(world: World, name: str) -> list[ExecutionRecord]:
    return [run for run in runs_of(world, name) if run.completed_at is not None]


def _messages(world: World) -> list[tuple[str, str]]:
    return world.rows("SELECT dedup_key, kind FROM outbox")


def _waits(world: World, name: str) -> int:
    with world.store.read() as session:
        return sum(
            record.count
            for record in decisions.of_schedule(session, name, 10)
            if record.decision.kind is DecisionKind.WAIT
        )
