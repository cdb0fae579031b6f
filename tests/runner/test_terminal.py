"""What every command owes whoever types it: an example that works, JSON from every listing, completion, a live view."""

import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from served_site import fill

from runner import cli

OUROBOROS = Path(sys.executable).with_name("ouroboros")
LISTINGS = (
    "status", "history", "schedules", "schedules list", "triggers", "triggers list", "next", "why nightly",
    "explain '0 9 * * *'", "notify waiting", "dashboard token list", "models", "models list",
)  # fmt: skip


def leaves(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command and group with the words that call it."""
    yield words, command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            child = command.get_command(click.Context(command), name)
            assert child is not None
            yield from leaves(child, (*words, name))


ALL = dict(leaves(cli.cli))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from datetime import UTC, datetime

    fill(tmp_path, datetime.now(UTC))
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_has_an_example_that_can_be_typed(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    told = ALL[words].help or ""
    example = re.search(r"Example: (?:[A-Z_]+=\S+ )?(ouroboros .*)", told)
    assert example is not None, told
    line = shlex.split(example[1].partition(" > ")[0])[1:]
    command: click.Command = cli.cli
    name = "ouroboros"
    while isinstance(command, click.Group) and line and not line[0].startswith("-"):
        child = command.get_command(click.Context(command), line[0])
        assert child is not None, line
        name, command, line = line[0], child, line[1:]
    for parameter in command.params:  # a file of the example need not be here
        if isinstance(parameter.type, click.Path):
            monkeypatch.setattr(parameter.type, "exists", False)
    command.make_context(name, line, resilient_parsing=False)


@pytest.mark.parametrize("line", LISTINGS)
def test_listings_are_json_for_programs(home: Path, capsys: pytest.CaptureFixture[str], line: str) -> None:
    assert cli.run([*shlex.split(line), "--format", "json"]) == 0
    told = capsys.readouterr().out
    by_line = line in {"history", "models", "models list"}
    values = [json.loads(each) for each in told.splitlines()] if by_line else json.loads(told)
    assert isinstance(values, list | dict)
    if line == "history":
        assert [value["status"] for value in values] == ["starting", "cancelled", "failed", "succeeded"]
    assert cli.run([*shlex.split(line), "--json"]) == 0
    assert cli.run([*shlex.split(line), "--format", "yaml"]) == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_what_the_shell_takes(shell: str, tmp_path: Path) -> None:
    done = subprocess.run([OUROBOROS, "completion", shell], capture_output=True, text=True, check=True, timeout=60)
    assert "_OUROBOROS_COMPLETE" in done.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n", "/dev/stdin"], input=done.stdout, text=True, check=True, timeout=60)


def test_names_are_completed(home: Path) -> None:
    words = {"COMP_WORDS": "ouroboros why ni", "COMP_CWORD": "2", "_OUROBOROS_COMPLETE": "bash_complete"}
    done = subprocess.run([OUROBOROS], env=os.environ | words, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "plain,nightly\n"
    nowhere = os.environ | words | {"OUROBOROS_HOME": str(home / "nowhere")}
    done = subprocess.run([OUROBOROS], env=nowhere, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_top_shows_once_where_there_is_no_terminal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["top"]) == 0
    told = capsys.readouterr().out
    assert "No daemon is running." in told
    assert "continuous_learning" in told
    assert "\x1b[?1049h" not in told


def test_top_is_live_in_a_terminal_and_leaves_it_as_it_was(home: Path) -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(
        [OUROBOROS, "top", "-i", "0.2"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True
    )
    os.close(theirs)
    told, end_s = b"", time.monotonic() + 120
    while told.count(b"No daemon is running") < 3:
        assert time.monotonic() < end_s, told[-500:]
        if select.select([ours], [], [], 0.2)[0]:
            told += os.read(ours, 65_536)
    process.send_signal(signal.SIGINT)
    end_s = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end_s:  # what nobody reads would hold it up
        if select.select([ours], [], [], 0.1)[0]:
            try:
                told += os.read(ours, 65_536)
            except OSError:
                break
    assert process.wait(60) == 130
    os.close(ours)
    assert told.count(b"\x1b[?1049h") == told.count(b"\x1b[?1049l") == 1, "the other screen, and back"
    assert told.rfind(b"\x1b[?25h") > told.rfind(b"\x1b[?25l"), "the cursor is seen again"
