"""A daemon that lives and does nothing: everybody who asks is told for how long, and where it stands."""

import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest
from daemon_world import DEADLINE_S, LOOK_S, World

from runner import cli, status
from runner.commands import doctor
from runner.store import heartbeat, outbox

START = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def world(tmp_path):
    with World(tmp_path / "home", START) as opened:
        opened.start()
        opened.daemon.tick(START)
        yield opened


@pytest.fixture
def standing(world):
    """Its loop stands in the step `schedules`, as in a call that does not return."""
    release = threading.Event()
    world.daemon.steps.fire = lambda _now: release.wait(DEADLINE_S)
    loop = threading.Thread(target=world.daemon.tick, args=(START,))
    loop.start()
    pause = threading.Event()
    while (found := world.daemon.progress.stalled_step()) is None or found.step != "schedules":
        pause.wait(LOOK_S)
    yield lambda: (release.set(), loop.join())
    release.set()
    loop.join()


def row(world: World) -> heartbeat.DaemonRecord:
    with world.store.read() as session:
        return heartbeat.get(session)


def alerts(world: World) -> list[str]:
    with world.store.read() as session:
        due = outbox.take_due(session, START + timedelta(days=1), 10)
    return [item.message.subject for item in due]


def look(world: World, silent_s: float) -> status.StatusReport:
    return status.read_status(world.store, world.home, row(world).heartbeat_at + timedelta(seconds=silent_s))


def test_a_step_that_does_not_end_is_named_and_told_once(world, standing, caplog):
    watch, said = world.service.loop_watch, []
    watch.say = said.append
    watch.turn()
    assert (row(world).step, said) == ("", [])
    world.clock.waited_s += 20
    watch.turn()
    assert (row(world).step, alerts(world)) == ("schedules", [])
    assert said[-1].endswith("it stands in the step schedules")
    world.clock.waited_s += 60
    with caplog.at_level(logging.ERROR, "ouroboros"):
        for _ in range(3):
            watch.turn()
    assert alerts(world) == ["the daemon lives and does nothing"]
    assert "release.wait(DEADLINE_S)" in caplog.text, "the log shows the line where it stands"
    seen = look(world, 83)
    assert seen.silence == "no sign of life for 1 min; it stands in the step schedules"
    assert seen.status.value == "error"
    assert look(world, 20).silence == ""
    end = standing
    end()
    world.daemon.beat_soon()
    world.daemon.steps.fire = lambda _now: None
    world.daemon.tick(START)
    assert (row(world).step, look(world, 1).status.value) == ("", "monitoring")


def test_a_loop_that_turns_is_left_alone(world):
    world.clock.waited_s += 3600
    world.service.loop_watch.turn()
    assert (row(world).step, alerts(world)) == ("", [])


def test_a_daemon_that_is_asked_to_stop_and_stands_leaves_all_the_same(world, standing):
    watch, left = world.service.loop_watch, []
    watch.leave = lambda: left.append(None)
    world.clock.waited_s += 200
    watch.turn()
    assert left == []
    world.daemon.request_stop()
    watch.turn()
    assert left == [None]


def test_status_and_doctor_say_so(world, monkeypatch, capsys):
    monkeypatch.setenv("OUROBOROS_HOME", str(world.home))
    with world.store.write() as session:
        heartbeat.beat(session, row(world).status, datetime.now(UTC) - timedelta(minutes=3, seconds=20))
        heartbeat.record_stalled_step(session, "runs", datetime.now(UTC) - timedelta(minutes=3))
    assert cli.run(["status"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "lives, but gave no sign of life for 3 min; it stands in the step runs" in told
    for other in ("_machine", "_worker", "_go", "_mail"):  # what this machine lacks is another story
        monkeypatch.setattr(doctor, other, lambda _settings: "fine")
    assert cli.run(["doctor"]) == 1
    said = capsys.readouterr()
    (line,) = [line for line in said.out.splitlines() if line.startswith("FAIL")]
    assert "gives no sign of life for 3 min; it stands in the step runs" in line
    assert "the daemon lives and does nothing" in said.err
