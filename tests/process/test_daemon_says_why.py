"""Whoever looks at `up` sees why the first run in the queue does not start."""

from datetime import UTC, datetime, timedelta

from daemon_world import World, schedule, settings_for

from runner.commands.progress import ProgressLine
from runner.store import heartbeat, history, outbox
from schemas.automation import RunnerStatus
from schemas.machine import ResourceRequirements

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
GREEDY = ResourceRequirements(min_free_memory_gb=10**6, min_free_disk_gb=0, max_cpu_usage_percent=100)


def test_the_first_of_the_queue_and_what_it_waits_for_is_told_once_until_that_changes(tmp_path, capsys):
    line = ProgressLine()

    def turn(world: World) -> str:
        world.turn()
        line.show_idle(RunnerStatus.MONITORING, world.daemon.steps.launch.head)
        return capsys.readouterr().out

    with World(tmp_path / "home", START, settings=settings_for(tmp_path / "home")) as world:
        world.save(schedule("hungry", "0 * * * *", resource_requirements=GREEDY, priority=9))
        world.start()
        assert "The daemon is" in turn(world)
        assert turn(world) == ""
        world.clock.advance(HOUR)
        said = turn(world)
        assert said.startswith("hungry waits: ")
        assert "memory" in said
        assert line.text == said.strip()
        for _ in range(3):
            assert turn(world) == ""
        with world.store.write() as session:
            heartbeat.set_paused(session, True, "holidays")
        assert turn(world) == "hungry waits: the daemon is paused: holidays\n"
        with world.store.write() as session:
            heartbeat.set_paused(session, False, "")
        assert "memory" in turn(world)
        world.save(schedule("modest", "0 * * * *"))
        world.clock.advance(HOUR)
        world.turn_until(lambda: world.lines("pigeon.txt"), "the run of the other schedule")
        world.turn_until(lambda: not world.daemon.steps.watch.runs, "its end")
        world.turn()
        assert world.daemon.steps.launch.head is not None
        assert world.daemon.steps.launch.head[0].schedule_name == "hungry"


def test_two_runs_that_know_one_best_say_what_each_added(tmp_path):
    home = tmp_path / "home"
    with World(home, START, settings=settings_for(home), own_notifications=False) as world:
        world.save(schedule("hourly", "0 * * * *", "says_what_it_added"))
        world.start()
        world.live_until(START + 2 * HOUR, HOUR)
        with world.store.read() as session:
            due = outbox.take_due(session, world.clock.now() + 99 * HOUR, 10)
            runs = history.recent(session, 10)
    mails = sorted(due, key=lambda mail: mail.outbox_id)
    assert [mail.message.subject for mail in mails] == [
        "hourly: completed, best win rate 55.0% (95 % interval 50.0% to 60.0%) over 400 games",
        "hourly: completed, nothing better than 55.0% found",
    ]
    assert mails[1].message.headline.endswith("Run 2 judged 3 candidates.")
    assert [run.state.operation_details for run in runs] == [f"Run {n} judged 3 candidates." for n in (2, 1)]
