"""A daemon's life in a terminal: refused on bad settings, up, drained by a signal, up again, stopped by a command."""

import signal

from tests.runner.commands.conftest import Terminals, settings_without_runs, until
from tests.runner.commands.test_second_terminal import add, run_of


def test_before_anything_ran_commands_say_so_and_bad_settings_stop_the_start(alone: Terminals):
    told = alone.say("status")
    assert (told.code, "nothing has run here yet" in told.err) == (2, True)
    alone.write_settings({"notifications": {"smtp": {"hosst": "x"}}})
    told = alone.say("up")
    assert told.code == 2
    assert "notifications.smtp.hosst" in told.err
    alone.write_settings({"guards": {"allowed_hours": "25-26"}})
    told = alone.say("up")
    assert told.code == 2
    assert "allowed_hours" in told.err
    assert not (alone.home / "automation_tracking.db").exists()


def test_sigterm_drains_the_run_goes_on_at_the_next_start_and_stop_ends_it(alone: Terminals):
    alone.write_settings(settings_without_runs())
    alone.up()
    add(alone, "endless", "until_stopped")
    alone.say("trigger", "endless", "--emergency")
    until((alone.home / "ledger.txt").exists, alone.shown)
    assert alone.signalled(signal.SIGTERM) == 0, alone.shown()
    assert alone.was_notified("STOPPING=1")
    assert "Stopped in good order" in alone.shown()
    assert run_of(alone, "endless")["status"] == "cancelled"
    told = alone.say("trigger", "endless", "--emergency", "--note", "while nobody serves")
    assert (told.code, "No daemon is running: it will be done" in told.out) == (0, True)
    stopped = alone.say("stop")
    assert (stopped.code, "no daemon is running" in stopped.err) == (2, True)
    (alone.home / "let_it_end").touch()
    alone.up()
    until(lambda: [run["status"] for run in alone.runs()].count("succeeded") == 2, alone.shown)
    told = alone.ouroboros("stop")
    assert (told.code, told.out.startswith("stopping")) == (0, True), told
    assert alone.process.wait(60) == 0
    assert "Traceback" not in alone.shown()
