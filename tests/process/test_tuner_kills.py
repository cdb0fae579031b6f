"""kill -9 at the awkward points, then again and again: the end is the one of a run that nobody disturbed."""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

VICTIM = Path(__file__).with_name("tuner_victim.py")
SUPPORT = Path(__file__).parents[1] / "support"
CONFIG = "body:\n  strength: 0.0  # [-4, 4] points\nother:\n  idle: 3\n"
ITERATIONS = {"own": 4, "spsa": 1}


def run(
    folder: Path, search: str, point: str, visit: int, largest_file: int | None = None
) -> "subprocess.CompletedProcess[str]":
    if not (folder / "snake").exists():
        (folder / "snake").mkdir(parents=True)
        (folder / "snake" / "config.yaml").write_text(CONFIG)
    command = [sys.executable, str(VICTIM), str(folder), search, point, str(visit), str(ITERATIONS[search])]

    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    environment = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=250, check=False, preexec_fn=limit, env=environment
    )


def decisions(folder: Path) -> list[Any]:
    """What the ledger says, without clocks and names that every run draws anew: steps but starts, and counted games."""
    book = sqlite3.connect(folder / "home" / "nn_training_results" / "ledger.db")
    steps = book.execute("SELECT kind, body FROM steps WHERE kind <> 'started' ORDER BY serial").fetchall()
    games = book.execute(
        "SELECT g.job, g.number, g.seed, g.rotation, g.scores, g.turns, g.died_on, g.transcript FROM games g "
        "JOIN jobs j ON j.run = g.run AND j.job = g.job WHERE j.closed_by IS NOT NULL ORDER BY 1, 2"
    ).fetchall()
    book.close()
    bodies = [(kind, json.loads(body)) for kind, body in steps]
    for _, body in bodies:
        body.get("record", {}).pop("campaign", None)
    return [bodies, games]


def lines(folder: Path) -> list[dict[str, Any]]:
    """The log, without what a clock or a name puts in."""
    path = folder / "home" / "nn_training_results" / "training_log.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [{k: v for k, v in line.items() if k not in ("timestamp", "duration_s", "campaign")} for line in found]


def outcome(folder: Path) -> tuple[str, list[Any], list[dict[str, Any]]]:
    """All that must not depend on kills."""
    assert not list(folder.glob("snake/.*.tmp"))
    return (folder / "snake" / "config.yaml").read_text(), decisions(folder), lines(folder)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, list[Any], list[dict[str, Any]]]]:
    found = {}
    for search in ITERATIONS:
        folder = tmp_path_factory.mktemp(search)
        ended = run(folder, search, "never", 1)
        assert ended.returncode == 0, ended.stderr
        found[search] = outcome(folder)
    assert any(line["improved"] for line in found["own"][2])
    assert found["spsa"][0] != CONFIG
    return found


@pytest.mark.parametrize(
    ("point", "visit"),
    [("game", 60), ("weights_replaced", 1), ("line_appended", 1), ("checkpoint_saved", 2), ("step_committed", 4)],
)
def test_a_kill_at_a_named_point_changes_nothing(tmp_path: Path, undisturbed: Any, point: str, visit: int) -> None:
    killed = run(tmp_path, "own", point, visit)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    ended = run(tmp_path, "own", "never", 1)
    assert ended.returncode == 0, ended.stderr
    assert outcome(tmp_path) == undisturbed["own"]


@pytest.mark.parametrize("search", list(ITERATIONS))
def test_kill_after_kill_after_kill(tmp_path: Path, undisturbed: Any, search: str) -> None:
    """Every start is killed a little later than the one before, all of them in the middle of something."""
    for point, visit in (("game", 5), ("game", 90), ("before_step", 3), ("step_committed", 6), ("game", 120)):
        run(tmp_path, search, point, visit)
    ended = run(tmp_path, search, "never", 1)
    assert ended.returncode == 0, ended.stderr
    assert outcome(tmp_path) == undisturbed[search]


@pytest.mark.parametrize("largest_file", [30_000, 120_000])
def test_files_that_cannot_grow_end_the_run_with_an_error_and_nothing_is_lost(
    tmp_path: Path, undisturbed: Any, largest_file: int
) -> None:
    """A limit on file sizes stands in for a full disk: writes fail half-way, wherever they happen to."""
    stopped = run(tmp_path, "own", "never", 1, largest_file)
    assert stopped.returncode == 1
    assert "Free some space" in stopped.stderr
    ended = run(tmp_path, "own", "never", 1)
    assert ended.returncode == 0, ended.stderr
    assert outcome(tmp_path) == undisturbed["own"]
