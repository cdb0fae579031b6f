"""What a node's own process and its players say to each other: files in one folder, which the environment names."""

import os
import time
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from schemas.cluster import ANSWER_GOOD_S, ANSWER_NAME, DRAIN_NAME, NODE_FOLDER_VARIABLE, PLAYING_NAME, NodeAnswer
from schemas.errors import MachineError
from schemas.files import write_atomic
from schemas.machine import GuardDecision


def node_folder() -> Path:
    """The folder.

    Raises:
        MachineError: this is no node of ours: Ray was started by something else.
    """
    named = os.environ.get(NODE_FOLDER_VARIABLE)
    if not named:
        raise MachineError(
            "this node was not started by `ouroboros cluster`, so nobody can say whether it may take work",
            remedy="Start it with `ouroboros cluster join`.",
        )
    return Path(named)


def node_says(folder: Path) -> NodeAnswer:
    """The guards' last word; a refusal where there is none, or it is too old. By the monotonic clock: a node whose wall
    clock is wrong is as good as any other."""
    try:
        answer = NodeAnswer.model_validate_json((folder / ANSWER_NAME).read_bytes())
    except (OSError, ValidationError):
        return _refusal("Its own process has said nothing yet.", 1)
    if time.monotonic() - answer.said_at_s > ANSWER_GOOD_S:
        return _refusal(f"Its own process has said nothing for {ANSWER_GOOD_S:g} s.", answer.cores)
    return answer


def mark_playing(folder: Path, busy: bool) -> None:
    """Let the node's own process know whether this one plays: it leaves no game half done if it can."""
    mark = folder / PLAYING_NAME / str(os.getpid())
    with suppress(OSError):
        if busy and not mark.exists():
            mark.parent.mkdir(exist_ok=True)
            mark.touch()
        elif not busy:
            mark.unlink(missing_ok=True)


def ask_to_drain(folder: Path) -> None:
    """Let the node's own process take nothing new, and end once nothing is played.

    Raises:
        OSError: the file cannot be written.
    """
    write_atomic(folder / DRAIN_NAME, "")


def _refusal(reason: str, cores: int) -> NodeAnswer:
    decision = GuardDecision(allowed=False, code="pending", reason=reason)
    return NodeAnswer(decision=decision, said_at_s=time.monotonic(), cores=cores)
