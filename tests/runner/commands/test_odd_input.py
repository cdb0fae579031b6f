"""What a person types, pipes, installs or writes into a row, and what a command makes of it."""

import io
import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from rich.console import Console

from migrations.upgrade import upgrade
from runner import cli, crash_report
from runner.commands import cluster, completion, doctor, output, top, up
from runner.guards.probe import Probe
from runner.store.engine import Store
from schemas.errors import MachineError
from schemas.machine import GpuFinding, GpuState, GuardSettings
from schemas.settings import Settings

DATABASE = "automation_tracking.db"
TRIGGER = {"name": "many", "trigger_type": "data_driven", "condition_function": "check_new_data_threshold"}


class NoGpu:
    def look(self, own_pids: object = ()) -> GpuState:
        return GpuState(finding=GpuFinding.ABSENT, detail="none")

    def use_of(self, pids: set[int]) -> None:
        return None


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    monkeypatch.setattr(output.console, "width", output.PLAIN_WIDTH)
    opened = Store(f"sqlite:///{tmp_path / DATABASE}", 5)
    upgrade(opened, 1, datetime.now(UTC))
    opened.close()
    return tmp_path


@pytest.fixture
def by_hand(home: Path):
    def change(statement: str) -> None:
        with closing(sqlite3.connect(home / DATABASE)) as connection, connection:
            connection.execute(statement)

    return change


def add(*options: str) -> None:
    assert cli.run(["schedules", "add", "--name", "far", "--cron", "0 2 * * *", *options]) == 0


def add_trigger(home: Path, **fields: object) -> int:
    (home / "trigger.json").write_text(json.dumps(TRIGGER | fields))
    return cli.run(["triggers", "add", str(home / "trigger.json")])


@pytest.mark.parametrize(
    ("zone", "instant"),
    [("Pacific/Kiritimati", "9999-12-31T23:59:59.000000Z"), ("America/New_York", "0001-01-01T00:00:00.000000Z")],
)
def test_an_instant_at_the_end_of_the_calendar_ends_no_listing(home, by_hand, capsys, zone, instant):
    """Somebody put a fire off for good, in SQL."""
    add("--set", f"timezone={zone}")
    assert add_trigger(home, cooldown_hours=80_000) == 0
    by_hand(f"UPDATE schedules SET next_run = '{instant}'")
    by_hand(f"UPDATE triggers SET last_triggered = '{instant}', last_checked = '{instant}'")
    for line in ("schedules", "status", "why far", "triggers", "why many", "next"):
        assert cli.run(line.split()) == 0, (line, capsys.readouterr().err)
    told = capsys.readouterr().out
    assert f"{instant[:10]} " in told


def test_a_trigger_s_last_firing_without_an_offset_is_utc_and_one_before_all_years_is_refused(home, capsys):
    assert add_trigger(home, last_triggered="0001-01-01T00:00:00+14:00") == 2
    assert "outside the years" in capsys.readouterr().err
    assert add_trigger(home, last_triggered="2026-01-02T03:04:05") == 0
    capsys.readouterr()
    assert cli.run(["triggers", "show", "many"]) == 0
    assert json.loads(capsys.readouterr().out)["last_triggered"] == "2026-01-02T03:04:05Z"


@pytest.mark.parametrize("options", [("--name", "weekly"), ("--cron", "0 4 * * *"), ("--set", "priority=7")])
def test_options_beside_a_file_are_not_passed_over(home, capsys, options):
    add()
    (home / "far.json").write_text('{"name": "far", "cron_expression": "0 3 * * *"}')
    assert cli.run(["schedules", "add", str(home / "far.json"), *options]) == 2
    capsys.readouterr()
    cli.run(["schedules", "show", "far"])
    assert json.loads(capsys.readouterr().out)["cron_expression"] == "0 2 * * *"


def test_settings_are_saved_over_nothing_and_only_where_they_can_be_read_again(home, capsys):
    (home / "mine.json").write_text("{}")
    (home / "link.json").symlink_to(home / "mine.json")
    os.mkfifo(home / "pipe.json")
    for name in ("mine.json", "link.json", "pipe.json", "new.toml"):
        assert cli.run(["config", "--save", str(home / name)]) == 2
        assert name in capsys.readouterr().err
    assert (home / "mine.json").read_text() == "{}"
    assert (home / "link.json").is_symlink()
    assert (home / "pipe.json").is_fifo()
    assert not (home / "new.toml").exists()
    assert cli.run(["config", "--save", str(home / "a b.json")]) == 0
    assert f"OUROBOROS_CONFIG='{home / 'a b.json'}' ouroboros up" in capsys.readouterr().out


def test_bytes_in_a_row_of_text_are_shown(home, by_hand, capsys):
    add()
    add_trigger(home)
    by_hand("UPDATE schedules SET paused_note = x'ff41'")
    by_hand("UPDATE triggers SET last_verdict = x'ff41'")
    capsys.readouterr()
    for words in ("schedules", "triggers"):
        assert cli.run([words]) == 0
        assert "xff" in capsys.readouterr().out
        assert cli.run([words, "--json"]) == 0
        assert "\\xffA" in json.dumps(json.loads(capsys.readouterr().out)).replace("\\\\", "\\")


def test_a_completion_of_what_is_no_text_or_has_no_folder_is_empty(home, monkeypatch):
    context, parameter = click.Context(cli.cli), click.Argument(["name"])
    assert completion.names(context, parameter, os.fsdecode(b"n\xff")) == []
    monkeypatch.setenv("OUROBOROS_HOME", "x" * 300)
    assert completion.names(context, parameter, "n") == []


@pytest.mark.parametrize("where", ["no_such_module_at_all:command", "os.path:join"])
def test_a_command_of_another_package_that_cannot_be_loaded_hides_no_other(monkeypatch, capsys, where):
    broken = EntryPoint("extra", where, cli.COMMAND_GROUP)
    monkeypatch.setattr(cli, "entry_points", lambda **_: [broken])
    assert cli.run(["--help"]) == 0
    told = capsys.readouterr().out
    assert "  status " in told
    assert "(Cannot be loaded: " in told
    assert cli.run(["extra", "--option", "x"]) == 2
    assert f"this command cannot be loaded: {'ModuleNotFound' if 'no_such' in where else 'Type'}Error" in (
        capsys.readouterr().err
    )


def test_a_reader_that_has_gone_is_no_failure(home, monkeypatch):
    """`set -o pipefail; ouroboros explain ... | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    with io.TextIOWrapper(os.fdopen(writer, "wb")) as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        assert cli.run(["explain", "0 9 * * *"]) == 0
        assert sys.stdout is gone


def test_what_the_system_refuses_is_told_where_no_command_was_typed():
    told = crash_report.refused_by_system(OSError(28, "No space left on device"), [])
    assert str(told).startswith("No space left on device (ouroboros")


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def says(words: str) -> str:
        (tmp_path / "go").write_text(f"#!/bin/sh\n{words}\n")
        (tmp_path / "go").chmod(0o755)
        monkeypatch.setattr(shutil, "which", lambda _name: str(tmp_path / "go"))
        return doctor._go(Settings())

    return says


def test_a_go_that_cannot_build_our_snakes_is_not_well(go):
    assert go("echo go version go1.24.3 linux/amd64").startswith("go1.24.3, ")
    assert go("echo go version devel go1.27-0a1b linux/amd64").startswith("go1.27-0a1b, ")
    with pytest.raises(MachineError, match=r"go1\.19\.8 is too old"):
        go("echo go version go1.19.8 linux/amd64")
    with pytest.raises(MachineError, match="does not tell its version: no toolchain"):
        go("echo no toolchain >&2; exit 3")


def test_top_looks_at_the_database_that_lies_there_now(home):
    shown = Console(file=io.StringIO(), width=200)
    probe = Probe(GuardSettings(), [home], NoGpu())
    shown.print(top._looked(probe))
    (home / DATABASE).rename(home / "kept")
    for log in home.glob(f"{DATABASE}-*"):
        log.unlink()
    shown.print(top._looked(probe))
    (home / "kept").rename(home / DATABASE)
    shown.print(top._looked(probe))
    told = shown.file.getvalue()
    assert told.count("No daemon is running") == 2
    assert told.count("nothing has run here yet") == 1


def test_a_node_that_has_ended_takes_no_other_process_with_it(monkeypatch):
    ended, handlers = [], {}
    monkeypatch.setattr(cluster.signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(cluster.os, "kill", lambda *asked: ended.append(asked))
    monkeypatch.setattr(cluster, "process_began", lambda _pid: "later")
    cluster._stay(SimpleNamespace(pid=4_000_000, began="then"), foreground=True)
    for handler in handlers.values():
        handler()
    assert (len(handlers), ended) == (2, [])


def test_a_folder_that_is_closed_to_a_reload_is_told(monkeypatch):
    def closed() -> None:
        raise PermissionError(13, "Permission denied")

    notified: list[str] = []
    said: list[str] = []
    monkeypatch.setattr(up, "get_config", closed)
    monkeypatch.setattr(up, "say", said.append)
    up._reload(SimpleNamespace(reload=None), SimpleNamespace(ready=lambda: notified.append("READY")), None)
    assert notified == ["READY"]
    assert "Permission denied" in said[0]
