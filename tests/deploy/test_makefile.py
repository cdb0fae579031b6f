"""The environment that `make` finds: what cannot work is made anew, what works is left."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def environment(checkout: Path, made_at: Path, *, uv: str = "exit 0") -> None:
    """An installed one, as `python3 -m venv` writes it down."""
    folder = checkout / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name, script in (("python", "exit 0"), ("uv", uv)):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    (folder.parent / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ncommand = /usr/bin/python3 -m venv --clear {made_at}/.venv\n"
    )
    (folder.parent / ".run").touch()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "my checkout"
    (folder / "deploy").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copy(ROOT / "deploy/gpu_answers.py", folder / "deploy")
    return folder


def left(checkout: Path) -> dict[str, bool]:
    subprocess.run(["make", "-n", "clean"], cwd=checkout, check=True, capture_output=True, timeout=120)
    return {name: (checkout / ".venv" / name).exists() for name in ("bin/python", "bin/uv", ".run")}


def test_one_that_was_made_here_is_left(checkout: Path) -> None:
    environment(checkout, checkout)
    assert left(checkout) == {"bin/python": True, "bin/uv": True, ".run": True}


def test_one_of_a_moved_or_copied_checkout_is_made_anew(checkout: Path, tmp_path: Path) -> None:
    """`make run` ended in "not found", or ran the program of the folder that it was copied from."""
    environment(checkout, tmp_path / "elsewhere" / checkout.name)
    assert left(checkout) == {"bin/python": False, "bin/uv": False, ".run": False}


def test_one_whose_installer_was_cut_off_is_made_anew(checkout: Path) -> None:
    environment(checkout, checkout, uv="exit 139")
    assert left(checkout) == {"bin/python": True, "bin/uv": False, ".run": False}


def test_one_of_another_tool_is_left(checkout: Path) -> None:
    environment(checkout, checkout)
    (checkout / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.13.9\n")
    assert left(checkout) == {"bin/python": True, "bin/uv": True, ".run": True}
