"""What may start beside what, and why the rest waits."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from daemon_world import World, schedule, settings_for

from runner.flow.command_arguments import TriggerArguments, Verb
from runner.store import commands, occurrences, queue, schedules
from runner.store.occurrences import NewOccurrence
from runner.store.states import OccurrenceState
from schemas.automation import OverlapPolicy
from schemas.errors import WorkerError
from schemas.machine import ResourceRequirements

START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
GREEDY = ResourceRequirements(min_free_memory_gb=10**6, min_free_disk_gb=0, max_cpu_usage_percent=100)


def wide(home: Path, slots: int):
    settings = settings_for(home)
    return settings.model_copy(update={"scheduler": settings.scheduler.model_copy(update={"slots": slots})})


def last(world: World, name: str) -> tuple[OccurrenceState, str]:
    with world.store.read() as session:
        found = occurrences.recent(session, name, 1)
    return (found[0].state, found[0].reason) if found else (OccurrenceState.SKIPPED, "nothing fell due yet")


@pytest.fixture
def world(tmp_path):
    with World(tmp_path / "home", START) as opened:
        yield opened


def test_what_waits_of_a_paused_schedule_goes_on_waiting_with_the_note(world):
    world.save(schedule("hourly", "0 * * * *"))
    world.start()
    world.clock.advance(HOUR)
    world.daemon.steps.fire(world.clock.now())
    with world.store.write() as session:
        schedules.pause(session, "hourly", "holidays", world.clock.now())
    world.turn()
    world.turn()
    assert last(world, "hourly") == (OccurrenceState.QUEUED, "its schedule is paused: holidays")
    world.clock.advance(timedelta(seconds=1))
    with world.store.write() as session:
        commands.enqueue(session, Verb.TRIGGER.value, TriggerArguments(name="hourly"), "a test", world.clock.now())
    world.turn_until(lambda: len(world.lines("pigeon.txt")) == 1, "the run asked for by hand")
    with world.store.write() as session:
        schedules.unpause(session, "hourly", world.clock.now())
    world.turn_until(lambda: len(world.lines("pigeon.txt")) == 2, "the one that waited")


def test_workers_of_ones_own_run_side_by_side_as_far_as_there_are_slots(tmp_path):
    with World(tmp_path / "home", START, settings=wide(tmp_path / "home", 2)) as world:
        world.save(*(schedule(name, "0 * * * *", job="until_stopped") for name in ("a", "b", "c")))
        world.start()
        world.clock.advance(HOUR)
        world.turn_until(lambda: len(world.lines("ledger.txt")) == 2, "two at a time")
        assert last(world, "c") == (OccurrenceState.QUEUED, "2 of 2 slots are taken, by a, b")
        (world.home / "let_it_end").touch()
        world.daemon.steps.watch.cancel_occurrence(1)
        world.turn_until(lambda: last(world, "c")[0] is OccurrenceState.SUCCEEDED, "c after a")
        world.daemon.steps.watch.cancel_occurrence(2)
        world.turn_until(world.is_quiet, "the end")


def test_a_run_whose_fate_is_not_known_yet_takes_its_slot_its_worker_and_its_schedule(tmp_path, monkeypatch):
    with World(tmp_path / "home", START, settings=wide(tmp_path / "home", 2)) as world:
        undecided = schedule("undecided", "0 0 1 1 *", worker="tuner")
        world.save(undecided)
        with world.store.write() as session:
            taken = queue.record(session, NewOccurrence(undecided, START), START, 10)
            queue.begin(
                session,
                taken.occurrence_id,
                START,
                worker="tuner",
                worker_reason="no GPU",
                seed=1,
                run_dir=lambda number: tmp_path / "home" / "runs" / str(number),
            )

        def cannot_tell(*_: object) -> None:
            raise WorkerError("the run folder cannot be read")

        monkeypatch.setattr("runner.worker.launch.Launcher.recover", cannot_tell)
        world.start()
        later = START + timedelta(minutes=1)
        with world.store.write() as session:
            queue.record(session, NewOccurrence(undecided, later), START, 10)
            queue.record(session, NewOccurrence(schedule("other", "0 0 1 1 *", worker="tuner"), later), START, 10)
            for name in ("beside", "behind"):
                job = schedule(name, "0 0 1 1 *", job="until_stopped")
                queue.record(session, NewOccurrence(job, later), START, 10)
        world.clock.advance(timedelta(minutes=2))
        world.turn_until(lambda: world.lines("ledger.txt"), "the one that may run beside it")
        assert last(world, "undecided")[1] == "run 1 of the same schedule is under way"
        assert last(world, "other")[1] == "run 1 (undecided) uses the tuner"
        assert last(world, "behind")[1] == "2 of 2 slots are taken, by beside, undecided"
        (world.home / "let_it_end").touch()  # the one behind ends at once
        world.daemon.steps.watch.cancel_occurrence(4)
        world.turn_until(lambda: last(world, "behind")[0] is OccurrenceState.SUCCEEDED, "the one behind")


def test_cancel_running_gives_up_nothing_for_a_run_that_may_not_start(world):
    cancelling = schedule("hourly", "0 * * * *", job="until_stopped", overlap=OverlapPolicy.CANCEL_RUNNING)
    world.save(cancelling)
    world.start()
    world.clock.advance(HOUR)
    world.turn_until(lambda: world.lines("ledger.txt"), "the first run")
    world.save(cancelling.model_copy(update={"resource_requirements": GREEDY}))
    world.clock.advance(HOUR)
    for _ in range(3):
        world.turn()
    state, reason = last(world, "hourly")
    assert state is OccurrenceState.QUEUED
    assert "GiB of memory are free" in reason
    (run,) = world.daemon.steps.watch.runs.values()
    assert not run.cancelled
    world.daemon.steps.watch.cancel_occurrence(1)
    world.turn_until(lambda: not world.daemon.steps.watch.runs, "the end")


def test_one_that_can_run_is_found_behind_many_that_cannot(world):
    world.save(
        *(schedule(f"greedy{n:02}", "0 * * * *", priority=9, resource_requirements=GREEDY) for n in range(45)),
        schedule("modest", "0 * * * *"),
    )
    world.start()
    world.clock.advance(HOUR)
    world.turn_until(lambda: last(world, "modest")[0] is OccurrenceState.SUCCEEDED, "the one at the end of the queue")
    assert "GiB of memory are free" in last(world, "greedy44")[1]


def no_such_thing(*_arguments):
    raise OSError(5, "Input/output error")


def test_a_machine_that_cannot_be_measured_holds_up_who_asks_for_a_while_and_nobody_else(tmp_path, monkeypatch):
    """Every look but that at the memory fails. One run asks for disk: it waits, with the reason, until the time for
    that is over; the other asks for nothing."""
    for module, name in ((psutil, "sensors_battery"), (psutil, "sensors_temperatures"), (os, "statvfs"),
                         (os, "getloadavg")):  # fmt: skip
        monkeypatch.setattr(module, name, no_such_thing)
    asks = ResourceRequirements(min_free_memory_gb=0, min_free_disk_gb=1, max_cpu_usage_percent=100)
    settings = wide(tmp_path / "home", 2)
    with World(tmp_path / "home", START, settings=settings) as world:
        world.save(schedule("asks", "0 * * * *", resource_requirements=asks), schedule("asks_nothing", "0 * * * *"))
        world.start()
        world.clock.advance(HOUR)
        world.turn_until(lambda: last(world, "asks_nothing")[0] is OccurrenceState.SUCCEEDED, "who asks for nothing")
        state, reason = last(world, "asks")
        assert state is OccurrenceState.QUEUED
        assert "The free disk cannot be measured: OSError: [Errno 5] Input/output error" in reason
        assert "The run waits for it at most 120 s." in reason
        world.service.runtime.settings = settings.model_copy(
            update={"guards": settings.guards.model_copy(update={"measure_timeout_s": 0.0})}
        )
        world.turn_until(lambda: last(world, "asks")[0] is OccurrenceState.SUCCEEDED, "who has waited long enough")
