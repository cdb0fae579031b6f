"""deploy/start_training.sh: restarts on a crash, stops when done or told to."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from left_out import needed_program

DEPLOY = Path(__file__).parents[2] / "deploy"
ENVIRONMENT = {**os.environ, "RESTART_DELAY_S": "0", "RESTART_DELAY_MAX_S": "0"}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A checkout with the script and a stand-in for the command, which notes its arguments."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(DEPLOY / "start_training.sh", tmp_path / "deploy")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    return tmp_path


def stand_in(folder: Path, body: str) -> None:
    command = folder / ".venv" / "bin" / "ouroboros"
    command.write_text(f'#!/bin/bash\necho "$@" >> calls\ncalls=$(wc -l < calls)\n{body}\n')  # where the caller stands
    command.chmod(0o755)


def start(folder: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [folder / "deploy" / "start_training.sh", *arguments],
        cwd=folder,
        env=ENVIRONMENT | environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(("codes", "ended"), [("1 137 0", 0), ("1 2", 2), ("0", 0)])
def test_a_crash_is_restarted_and_an_end_is_an_end(installed: Path, codes: str, ended: int) -> None:
    stand_in(installed, f"codes=(- {codes}); exit ${{codes[$calls]}}")
    process = start(installed, "--games", "50", "--opponent", "a b")
    _, err = process.communicate(timeout=60)
    assert process.returncode == ended
    runs = len(codes.split())
    assert (installed / "calls").read_text() == "tune --games 50 --opponent a b\n" * runs
    assert err.count("starting it again") == runs - 1


@pytest.mark.parametrize(("mode", "command"), [("automated", "up"), ("pipeline", "train"), ("tuner", "tune")])
def test_the_mode_of_the_guide_says_what_is_run(installed: Path, mode: str, command: str) -> None:
    stand_in(installed, "exit 0")
    process = start(installed, "-h", TRAINING_MODE=mode)
    process.communicate(timeout=60)
    assert (process.returncode, (installed / "calls").read_text()) == (0, f"{command} -h\n")


def test_another_mode_is_refused_in_one_sentence(installed: Path) -> None:
    stand_in(installed, "exit 0")
    process = start(installed, TRAINING_MODE="manual")
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.count("\n")) == (2, 1)
    assert "TRAINING_MODE is manual" in err
    assert not (installed / "calls").exists()


@pytest.mark.parametrize("whole_group", [False, True])
def test_a_stop_reaches_the_tuner_and_is_waited_for(installed: Path, whole_group: bool) -> None:
    stand_in(installed, "trap 'sleep 0.3; echo saved > saved; exit 0' TERM INT; touch up; while :; do sleep 0.02; done")
    process = start(installed)
    deadline = time.monotonic() + 60
    while not (installed / "up").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    if whole_group:
        os.killpg(process.pid, signal.SIGTERM)
    else:
        process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert (installed / "saved").exists()
    assert (installed / "calls").read_text().count("\n") == 1


@pytest.mark.parametrize("number", ["abc", "1.5", "-1", "08", "99999999999999999999", "5 6"])
@pytest.mark.parametrize("name", ["RESTART_DELAY_S", "RESTART_DELAY_MAX_S"])
def test_a_delay_that_is_no_number_is_refused_before_anything_runs(installed: Path, name: str, number: str) -> None:
    """The script ended with 1 after the first crash, or started a crashing tuner again without a pause."""
    stand_in(installed, "exit 1")
    process = start(installed, **{name: number})
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.count("\n")) == (2, 1)
    assert f"{name} is {number}" in err
    assert not (installed / "calls").exists()


def test_a_command_that_cannot_be_run_is_not_started_again(installed: Path) -> None:
    """A checkout that was moved: the first line of its command names a Python that is gone."""
    command = installed / ".venv" / "bin" / "ouroboros"
    command.write_text("#!/nowhere/bin/python\n")
    command.chmod(0o755)
    process = start(installed)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.rstrip().endswith("cannot be run; was the checkout moved? Run deploy/quick_setup.sh")


def test_paths_are_meant_from_where_one_stands_and_the_state_is_the_checkout_s(installed: Path, tmp_path: Path) -> None:
    stand_in(installed, 'echo "$PWD:$OUROBOROS_HOME" > told')
    here = tmp_path / "my folder"
    (here / "deploy").mkdir(parents=True)
    given = {name: value for name, value in ENVIRONMENT.items() if name != "OUROBOROS_HOME"}
    given["CDPATH"] = str(here)  # where a relative `cd deploy/..` would have led
    subprocess.run(["../deploy/start_training.sh"], cwd=here, env=given, check=True, timeout=60)
    assert (here / "told").read_text() == f"{here}:{installed}/automation\n"


def test_without_the_command_it_says_what_to_run(installed: Path) -> None:
    process = subprocess.run(
        [installed / "deploy" / "start_training.sh"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    assert "quick_setup.sh" in process.stderr


def test_the_scripts_are_clean() -> None:
    subprocess.run([needed_program("shellcheck"), DEPLOY / "start_training.sh", DEPLOY / "quick_setup.sh"], check=True)


def test_quick_setup_looks_at_the_snake_that_is_meant(tmp_path: Path) -> None:
    checkout, here = tmp_path / "checkout", tmp_path / "here"
    (checkout / "deploy").mkdir(parents=True)
    shutil.copy(DEPLOY / "quick_setup.sh", checkout / "deploy")
    for folder in (checkout / ".venv" / "bin", tmp_path / "bin", here):
        folder.mkdir(parents=True)
    for command in (checkout / ".venv" / "bin" / "python", *(tmp_path / "bin" / name for name in ("make", "git"))):
        command.write_text('#!/bin/sh\necho "$@"\n')
        command.chmod(0o755)
    ran = subprocess.run(
        ["../checkout/deploy/quick_setup.sh", "my-snake"],
        cwd=here,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert f"{here}/my-snake/config.yaml: " in ran.stdout, ran.stderr


def test_quick_setup_names_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    shutil.copy(DEPLOY / "quick_setup.sh", tmp_path / "deploy")
    (tmp_path / "bin").mkdir()
    for name in ("bash", "dirname", "python3"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    ran = subprocess.run(
        ["bash", tmp_path / "deploy" / "quick_setup.sh"],
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "make is needed" in ran.stderr
    assert "git is needed" in ran.stderr
