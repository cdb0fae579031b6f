"""Whether this state folder has a head."""

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from schemas.cluster import NOTE_NAME, NodeNote, NodeRole, cluster_dir, token_path


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
        os.kill(note.pid, 0)
    except (OSError, ValidationError):
        return None
    return Head(note.head, note.host, token_path(home)) if note.role is NodeRole.MASTER else None
