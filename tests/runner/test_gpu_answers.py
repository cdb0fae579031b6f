"""What `make run` asks the driver before there is an environment: it answers in time, whatever the driver does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("echo 'GPU 0: NVIDIA L4 (UUID: GPU-1)'", 0, ""),
        ("echo 'No devices were found'", 1, ""),
        ("echo 'NVIDIA-SMI has failed' >&2; exit 9", 1, ""),
        ("trap '' TERM; sleep 600", 1, "has not answered within 2 s"),
        (None, 1, ""),
    ],
)
def test_the_answer_of_nvidia_smi(tmp_path, script, code, said):
    if script is not None:
        command = tmp_path / "nvidia-smi"
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin" if script else str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", ROOT / "deploy/gpu_answers.py", "2"],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, said in done.stderr, bool(done.stderr)) == (code, True, bool(said))


@pytest.mark.parametrize(("answer", "taken"), [("GPU 0: made up", True), ("No devices were found", False)])
def test_make_takes_torch_only_where_a_gpu_answers(tmp_path, answer, taken):
    command = tmp_path / "nvidia-smi"
    command.write_text(f"#!/bin/sh\necho '{answer}'\n")
    command.chmod(0o755)
    shown = subprocess.run(
        ["make", "-n", "-B", f"PYTHON={sys.executable}", ".venv/.run"],
        cwd=ROOT,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    assert ("train]" in shown) is taken, shown
