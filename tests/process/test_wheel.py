"""The built wheel, in an environment of its own outside the checkout: every command finds the files that it reads."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from left_out import leave_out

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution, so that both are tried."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([UV, "build", "--quiet", "--out-dir", folder, ROOT], check=True, timeout=280)
    assert len(list(folder.glob("*.tar.gz"))) == 1
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def ouroboros(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    environment = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, environment], check=True, timeout=60)
    wanted = wheel if shutil.which("go") else f"{wheel}[go]"
    install = [UV, "pip", "install", "--quiet", "--python", environment / "bin" / "python", wanted]
    subprocess.run(install, check=True, timeout=280)
    return environment / "bin" / "ouroboros"


def say(ouroboros: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "OUROBOROS_HOME")}
    return subprocess.run(
        [ouroboros, *words], cwd=folder, env=kept, capture_output=True, text=True, check=False, timeout=280
    )


def test_it_holds_all_files_that_git_keeps_for_run_time(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    listing = ["git", "ls-files", "deploy", "runner", "pipeline"]
    kept = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if kept.returncode:
        leave_out("this is not a git checkout")
    expected = {f"pipeline/{name}" if name.startswith("deploy/") else name for name in kept.stdout.splitlines()}
    pages = {
        name for name in expected if name.startswith(("runner/", "pipeline/")) and name.endswith(("README.md", ".png"))
    }
    assert {name for name in expected - inside - pages if "/testdata/" not in name} == set()


def test_commands_work_in_any_folder(ouroboros: Path, tmp_path: Path) -> None:
    assert say(ouroboros, tmp_path, "init").returncode == 0
    doctor = say(ouroboros, tmp_path, "doctor")
    assert "Traceback" not in doctor.stdout + doctor.stderr
    assert "database" in doctor.stdout
    for words, extra in ((("models",), "train"), (("serve",), "serve"), (("train", "--device", "cpu"), "train")):
        told = say(ouroboros, tmp_path, *words)
        assert (told.returncode, f"ouroboros[{extra}]" in told.stderr) == (2, True), told.stderr


def test_the_main_job_plays_the_bundled_snake(ouroboros: Path, tmp_path: Path) -> None:
    (tmp_path / "automation").mkdir()
    settings = {"tuner": {"screen": False, "width": 7, "height": 7, "max_turns": 60}}
    (tmp_path / "automation" / "settings.json").write_text(json.dumps(settings))
    few = ("--baseline-games", "4", "--measure-games", "4", "--max-iterations", "1")
    done = say(
        ouroboros, tmp_path, "tune", "--accept", "mean", "--search", "random", "--games", "4", "--seed", "5", *few
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "automation" / "go-snake" / "config.yaml").is_file()
    log = (tmp_path / "automation" / "nn_training_results" / "training_log.jsonl").read_text()
    assert json.loads(log.splitlines()[0])["iteration"] == 1
