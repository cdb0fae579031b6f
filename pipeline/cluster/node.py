"""What a node's own process and its players say to each other: files in one folder, which the environment names. And
how one of several is told from the others."""

import hashlib
import os
import platform
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.bundled import DEPLOY
from schemas.cluster import (
    ANSWER_GOOD_S,
    ANSWER_NAME,
    DRAIN_NAME,
    NODE_FOLDER_VARIABLE,
    NOTE_NAME,
    PLAYING_NAME,
    NodeAnswer,
    NodeIdentity,
    NodeNote,
    NodeRole,
    cluster_dir,
    process_began,
    token_path,
)
from schemas.errors import BadInputError, MachineError
from schemas.files import write_atomic
from schemas.machine import GuardDecision

_PLAYS = ("engine", "referee", "snakes", "tuner", "cluster", "simulator", "evolution", "environment")
"""The rooms of this package that decide a game's moves."""


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


@cache
def own_identity() -> NodeIdentity:
    """Of this machine and this installation."""
    try:
        release = version("ouroboros")
    except PackageNotFoundError:
        release = "unknown"
    return NodeIdentity(
        version=f"{release}+{_code_digest()}",
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        machine=platform.machine(),
        cpu=_cpu_model(),
    )


def _code_digest() -> str:
    """Of all that plays: the same release edited is another one."""
    home = Path(__file__).parents[1]
    files = [path for room in _PLAYS for path in sorted((home / room).rglob("*.py"))]
    files += sorted(path for path in (DEPLOY / "go-snake" / "arena").rglob("*.go") if path.is_file())
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def _cpu_model(info: Path = Path("/proc/cpuinfo")) -> str:
    try:
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "CPU part"))]
    return names[0] if names else platform.processor() or "unknown"


@dataclass(frozen=True, slots=True)
class Head:
    """A head that runs."""

    address: str
    """`HOST:PORT`"""
    host: str
    """This machine, as Ray knows it."""
    token: Path


def find_head(home: Path) -> Head | None:
    """The head that was started in this state folder and has not ended; None: there is none."""
    try:
        note = NodeNote.model_validate_json((cluster_dir(home) / NOTE_NAME).read_bytes())
    except (OSError, ValidationError):
        return None
    lives = process_began(note.pid) == note.began != ""
    return Head(note.head, note.host, token_path(home)) if lives and note.role is NodeRole.MASTER else None


def name_of(facts: dict[str, Any]) -> str:
    """What people call a node: the name that it was started with."""
    return str(facts.get("NodeName") or facts.get("NodeManagerAddress") or facts["NodeID"][:8])


def the_node(present: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    """The one node of this name or address.

    Raises:
        BadInputError: there is none, or several.
    """
    found = [node for node in present if name in (name_of(node), node["NodeManagerAddress"])]
    if len(found) == 1:
        return found[0]
    if not found:
        known = ", ".join(sorted(map(name_of, present)))
        raise BadInputError("there is no node of that name", where=name[:100], remedy=f"There are: {known}.")
    addresses = ", ".join(sorted(str(node["NodeManagerAddress"]) for node in found))
    raise BadInputError(
        f"{len(found)} nodes have that name", where=name[:100], remedy=f"Say which one by its address: {addresses}."
    )
