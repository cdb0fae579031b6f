"""Kill -9 at every touch of the file system while checkpoints are saved: the last one that was reported is there."""

import os
import re
import signal
import sys
from pathlib import Path

import torch
from forked import forked

from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.evolution.training_state import TrainingState

TOUCHES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir", "os.listdir", "shutil.rmtree"}
SAVES = 3


def save_until_killed(folder: Path, kill_at: int) -> tuple[int, int]:
    """In a fork: save SAVES checkpoints, killed at touch `kill_at`; return (saves that returned, touches)."""
    reader, writer = os.pipe()
    child = forked(lambda: _save(folder, kill_at, writer))
    os.close(writer)
    with os.fdopen(reader) as lines:
        told = lines.read()
    _, status = os.waitpid(child, 0)
    assert (os.WTERMSIG(status) == signal.SIGKILL) == (kill_at >= 0) or "touched" in told
    touched = re.search(r"touched (\d+)", told)
    return told.count("saved"), int(touched[1]) if touched else -1


def _save(folder: Path, kill_at: int, writer: int) -> None:
    touched = 0

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal touched
        if event not in TOUCHES or not arguments or not str(arguments[0]).startswith(str(folder)):
            return
        if touched == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        touched += 1

    sys.addaudithook(audit)
    checkpoints = CheckpointFolder(folder, keep=1)
    for step in range(1, SAVES + 1):
        checkpoints.save(TrainingState({"weight": torch.full((3,), float(step))}, counters={"step": step}))
        os.write(writer, b"saved\n")
    os.write(writer, f"touched {touched}\n".encode())


def test_no_kill_loses_a_saved_checkpoint_or_leaves_a_torn_one(tmp_path: Path) -> None:
    saved, touches = save_until_killed(tmp_path / "whole", -1)
    assert saved == SAVES and touches > 20
    for kill_at in range(touches):
        folder = tmp_path / str(kill_at)
        saved, _ = save_until_killed(folder, kill_at)
        told: list[str] = []
        checkpoints = CheckpointFolder(folder, keep=1, tell=told.append)
        state = checkpoints.latest()
        # The one being written may be there already: it is whole, only its caller was not told yet.
        step = state.counters["step"] if state else 0
        assert step in {saved, saved + 1} and told == [], f"killed at touch {kill_at}"
        assert state is None or torch.equal(state.network["weight"], torch.full((3,), float(int(str(step)))))
        checkpoints.save(TrainingState({}, counters={"step": 99}))
        assert [entry.name for entry in folder.iterdir()] == checkpoints.names(), "nothing is left lying about"
