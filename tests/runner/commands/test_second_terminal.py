"""What can be asked of a living daemon from a second terminal."""

import json
import re
import signal
import subprocess

import pytest
from left_out import needed_program

from tests.runner.commands.conftest import Terminals, settings_without_runs, until

ANY_MACHINE = '{"min_free_memory_gb": 0, "min_free_disk_gb": 0, "max_cpu_usage_percent": 100}'
NEVER_SOON = "0 0 1 1 *"


def add(serving: Terminals, name: str, job: str) -> str:
    added = serving.say(
        *("schedules", "add", "--name", name, "--cron", NEVER_SOON, "--set", f"worker=daemon_jobs:{job}"),
        *("--set", f"resource_requirements={ANY_MACHINE}", "--set", "max_retries=0"),
    )
    assert added.code == 0, added.err
    return added.out


def run_of(serving: Terminals, name: str) -> dict[str, object]:
    (run,) = (run for run in serving.runs() if run["schedule_name"] == name)
    return run


def test_up_says_where_it_stands_and_what_comes_and_the_first_run_waits_with_its_reason(serving):
    shown = serving.shown()
    assert f"Ouroboros serves {serving.home}" in shown
    assert "automation_tracking.db (new)" in shown
    assert len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(in ", shown)) == 5
    assert "manual_trigger_file" in shown
    assert "queued    continuous_learning, asked by manual" in shown
    until(lambda: "runs may start in the hours" in serving.say("why", "continuous_learning").out, serving.shown)
    told = json.loads(serving.ouroboros("status", "--json").out)
    assert told["status"] in ("monitoring", "executing", "paused")
    assert [item["name"] for item in told["schedules"]][:1] == ["continuous_learning"]


def test_the_service_manager_is_told_of_the_state_and_that_the_loop_turns(serving):
    until(lambda: serving.was_notified("WATCHDOG=1") and serving.was_notified("STATUS="), serving.shown)


def test_a_health_check_reads_one_line_and_a_code(serving, alone):
    checked = serving.ouroboros("status", "--check")
    assert (checked.code, len(checked.out.splitlines())) == (0, 1)
    assert "The daemon is" in checked.out
    assert alone.say("init").code == 0
    checked = alone.ouroboros("status", "--check")
    assert (checked.code, checked.out) == (1, "No daemon is running. `ouroboros up` starts one.\n")


def test_a_schedule_is_added_triggered_run_and_explained(serving):
    out = add(serving, "quick", "ledger")
    assert out.startswith("Saved quick. It fires next at:")
    assert len(re.findall(r"\d{4}-01-01 00:00:00", out)) == 5
    asked = serving.say("trigger", "quick", "--emergency", "--note", "for a test")
    assert (asked.code, asked.err) == (0, "")
    assert re.fullmatch(r"quick: occurrence \d+ is queued\n", asked.out)
    until(lambda: any(run["status"] == "succeeded" for run in serving.runs()), serving.shown)
    run = run_of(serving, "quick")
    assert run["worker"] == "daemon_jobs:ledger"
    why = serving.say("why", "quick").out
    assert "succeeded" in why
    assert "launch: daemon_jobs:ledger" in why
    assert "Traceback" not in serving.shown()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("schedules", "add", "--name", "bad", "--cron", "61 * * * *"), "minute"),
        (("schedules", "add", "--name", "bad", "--cron", "0 0 30 2 *"), "never fires"),
        (("schedules", "add", "--name", "bad", "--cron", NEVER_SOON, "--set", "priority=high"), "priority"),
        (("schedules", "add", "--name", "bad", "--cron", NEVER_SOON, "--set", "colour=1"), "colour"),
        (("trigger", "nosuch"), "no schedule or trigger of that name (nosuch)"),
        (("why", "nosuch"), "nosuch"),
        (("cancel", "nosuch"), "nothing of that name runs or waits (nosuch)"),
        (("explain", "* * * *"), "five"),
        (("nonsense",), "No such command"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(serving, words, said):
    told = serving.say(*words)
    assert told.code == 2
    assert said in told.err, told.err
    assert told.out == ""


def test_pause_and_resume_show_in_the_status(serving):
    assert serving.say("pause", "--note", "holidays").out.startswith("paused")
    assert "Paused: holidays." in serving.say("status").out
    assert serving.say("resume").out == "resumed\n"
    assert "Paused" not in serving.say("status").out


def test_a_run_under_way_is_cancelled(serving):
    add(serving, "endless", "until_stopped")
    serving.say("trigger", "endless", "--emergency")
    until(lambda: any(run["schedule_name"] == "endless" for run in serving.runs()), serving.shown)
    told = serving.say("cancel", "endless")
    assert (told.code, "is being stopped" in told.out) == (0, True), told
    until(lambda: run_of(serving, "endless")["status"] == "cancelled", serving.shown)


def test_next_and_explain_tell_times(serving):
    coming = serving.say("next", "-n", "3").out
    assert coming.count("(in ") == 3
    explained = serving.say("explain", "30 2 * * MON", "--timezone", "Europe/Berlin")
    assert explained.code == 0
    assert explained.out.count("(in ") == 5


def test_the_database_is_checked_backed_up_and_exported_beside_a_living_daemon(serving, tmp_path):
    assert serving.say("db", "check").out.endswith("sound\n")
    assert serving.say("db", "backup", str(tmp_path / "copy.db")).code == 0
    assert (tmp_path / "copy.db").stat().st_size > 0
    again = serving.say("db", "backup", str(tmp_path / "copy.db"))
    assert (again.code, "never overwrites" in again.err) == (2, True)
    assert serving.say("db", "export", str(tmp_path / "out")).code == 0
    names = {json.loads(line)["name"] for line in (tmp_path / "out" / "schedules.jsonl").read_text().splitlines()}
    assert "continuous_learning" in names


def test_the_doctor_looks_at_everything_and_a_test_mail_without_a_server_fails_clearly(serving):
    told = serving.say("doctor")
    for check in ("python", "machine", "worker", "go", "settings", "database", "daemon", "mail"):
        assert re.search(rf"^(ok  |FAIL) {check} ", told.out, re.MULTILINE), told.out
    assert f"process {serving.process.pid} is" in told.out
    mail = serving.say("notify", "test")
    assert mail.code == 2
    assert "no mail server is set" in mail.err
    assert "notifications.smtp.host" in mail.err


def test_a_second_daemon_is_told_who_serves(serving):
    told = serving.say("up")
    assert told.code == 2
    assert f"process {serving.process.pid} on" in told.err


def test_settings_are_read_again_and_bad_ones_leave_the_old(serving):
    good = settings_without_runs() | {"logging": {"level": "DEBUG"}}
    serving.write_settings(good)
    serving.process.send_signal(signal.SIGHUP)
    until(lambda: "Settings read again." in serving.shown(), serving.shown)
    serving.write_settings(good | {"scheduler": {"slotz": 3}})
    serving.process.send_signal(signal.SIGHUP)
    until(lambda: "The old settings stay:" in serving.shown(), serving.shown)
    assert "scheduler.slotz" in serving.shown()
    refused = serving.say("status")
    assert (refused.code, "scheduler.slotz" in refused.err) == (2, True)
    serving.write_settings(good)
    assert serving.say("status").code == 0


@pytest.mark.parametrize("columns", [80, 200])
def test_tables_fit_the_terminal_and_lose_no_name(serving, columns, monkeypatch):
    from runner.commands import output

    monkeypatch.setattr(output.console, "width", columns)
    for words in (("status",), ("schedules",), ("triggers",), ("history",), ("next",)):
        out = serving.say(*words).out
        assert max(map(len, out.splitlines())) <= columns, words
    assert "weekly_comprehensive_training" in serving.say("status").out


def test_the_unit_is_what_systemd_accepts(tmp_path):
    from pathlib import Path

    from tests.runner.commands.conftest import OUROBOROS

    unit = (Path(__file__).parents[3] / "deploy" / "systemd" / "ouroboros.service").read_text()
    here = unit.replace("/opt/ouroboros/.venv/bin/ouroboros", str(OUROBOROS)).replace("User=ouroboros", "User=root")
    (tmp_path / "ouroboros.service").write_text(here.replace("/opt/ouroboros", str(tmp_path)))
    done = subprocess.run(
        [needed_program("systemd-analyze", "systemd"), "verify", "--man=no", str(tmp_path / "ouroboros.service")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    # An older systemd passes over what slows down repeated restarts; it restarts at an even pace.
    passed_over = re.compile(r"Unknown key '?(RestartSteps|RestartMaxDelaySec)'? .*ignoring\.$")
    assert [line for line in done.stderr.splitlines() if not passed_over.search(line)] == []
    assert done.returncode == 0
