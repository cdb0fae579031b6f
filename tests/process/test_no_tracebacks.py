"""No command ends in a traceback, whatever it finds: every command of the program is typed under each odd condition."""

import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cradle import Cradle, cradle
from left_out import OWN_MOUNTS, own_mounts

SWEEP = Path(__file__).with_name("command_sweep.py")
OUROBOROS = Path(sys.executable).with_name("ouroboros")
KNOWN_CODES = {0, 1, 2, 75}


@pytest.fixture(scope="module")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder as `ouroboros init` leaves it; for tests that only read it."""
    home = tmp_path_factory.mktemp("made") / "home"
    subprocess.run([OUROBOROS, "init"], env={**os.environ, "OUROBOROS_HOME": str(home)}, check=True, timeout=60)
    return home


def judge(code: int, told: str) -> list[list[Any]]:
    """Every line that was typed: it ended by itself, with a code that means something, and without a traceback."""
    assert code == 0, told[-3000:]
    answers: list[list[Any]] = json.loads(told.splitlines()[-1])
    assert len(answers) > 40
    wrong = [
        (line, code, said[-400:])
        for line, code, _, said in answers
        if code not in KNOWN_CODES or "Traceback" in said or "unforeseen" in said or "\x1b[31m" in said
    ]
    assert wrong == []
    silent = [line for line, code, _, said in answers if code and not said.strip()]
    assert silent == []
    return answers


def sweep(condition: str, folder: Path, *prefix: str) -> list[list[Any]]:
    """In a process of its own that has imported nothing yet."""
    command = [*prefix, sys.executable, str(SWEEP), condition, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    return judge(done.returncode, done.stderr + done.stdout)


@pytest.fixture(scope="module")
def sweeps() -> Iterator[Cradle]:
    with cradle(SWEEP) as made:
        yield made


@pytest.mark.parametrize("condition", ["nothing", "odd", "damaged", "settings", "file", "name"])
def test_every_command_answers(condition: str, tmp_path: Path, sweeps: Cradle) -> None:
    (tmp_path / "folder").mkdir()
    answers = judge(*sweeps.bear(tmp_path / "told.json", condition, str(tmp_path / "folder")))
    if condition == "odd":
        assert not any(code == 0 for line, code, _, _ in answers if line[-1] == "--no-such-option")


def test_every_command_answers_without_the_extras(tmp_path: Path) -> None:
    told = {line[0]: said for line, _, _, said in sweep("extras", tmp_path)}
    assert "pip install 'ouroboros[train]'" in told["train"]
    assert "pip install 'ouroboros[" in told["serve"]


def test_every_command_answers_on_a_read_only_disk(made_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(made_home, home)
    folder = shlex.quote(str(home))
    mount = f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}"
    own_mounts(mount)
    sweep("read-only", home, *OWN_MOUNTS, "sh", "-c", f'{mount} && exec "$@"', "sh")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-", "| true", "> /dev/full"])
def test_output_that_nobody_takes(closed: str, made_home: Path) -> None:
    for words in ("status", "completion --help"):  # a table of Rich, a text of click
        done = subprocess.run(
            ["bash", "-c", f"{shlex.quote(str(OUROBOROS))} {words} {closed}"],
            env={**os.environ, "OUROBOROS_HOME": str(made_home)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode in KNOWN_CODES, (words, done.returncode, done.stderr)
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        assert "Exception ignored" not in done.stderr, done.stderr


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", "2>&1 | true"])
def test_a_daemon_without_anybody_to_print_for_serves_and_stops_in_good_order(closed: str, tmp_path: Path) -> None:
    words = f"exec {shlex.quote(str(OUROBOROS))} up --no-first-run --no-web"
    told = tmp_path / "code"
    environment = {**os.environ, "OUROBOROS_HOME": str(tmp_path / "home")}
    shell = subprocess.Popen(
        ["bash", "-c", f"( ( {words} ); echo $? > {shlex.quote(str(told))} ) {closed}"], env=environment
    )
    stopped = "no daemon"
    deadline = time.monotonic() + 90
    while "stopping" not in stopped:
        assert time.monotonic() < deadline, stopped
        stopped = subprocess.run(
            [OUROBOROS, "stop"], env=environment, capture_output=True, text=True, check=False
        ).stdout
    shell.wait(60)
    while not told.exists() or not told.read_text():
        assert time.monotonic() < deadline, "it does not end"
    assert told.read_text() == "0\n"
    with closing(sqlite3.connect(tmp_path / "home" / "automation_tracking.db")) as history:
        assert history.execute("SELECT stopped_cleanly FROM daemon").fetchall() == [(1,)]
        assert history.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
