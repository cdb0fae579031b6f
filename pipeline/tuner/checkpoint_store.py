"""`checkpoint.json` and the good one before it."""

import json
import os
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from schemas.campaign import Checkpoint
from schemas.errors import MachineError, StateError
from schemas.files import write_atomic
from schemas.settings import describe

NAME = "checkpoint.json"
PREVIOUS_NAME = "checkpoint.previous.json"
VERSION = 1


class CheckpointStore:
    """Saves and loads checkpoints in one folder.

    Args:
        tell: told, in words, whenever a damaged file is set aside.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None], now: Callable[[], datetime]) -> None:
        self._path = folder / NAME
        self._previous = folder / PREVIOUS_NAME
        self._tell, self._now = tell, now

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace `checkpoint.json`; the one before stays as `checkpoint.previous.json`.

        Raises:
            MachineError: the disk is full or not writable; the file on disk is still whole.
        """
        try:
            if self._path.exists():
                self._keep_present_one()
            write_atomic(self._path, checkpoint.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise MachineError(
                f"the checkpoint cannot be saved: {error.strerror}",
                where=str(self._path),
                remedy="Free some space and start again: the last saved checkpoint is whole.",
            ) from error

    def _keep_present_one(self) -> None:
        """A second name for the present file; `checkpoint.json` itself is never missing for a moment."""
        link = self._previous.with_name(f".{PREVIOUS_NAME}.{uuid.uuid4().hex}.tmp")
        os.link(self._path, link)
        link.replace(self._previous)

    def load(self) -> Checkpoint | None:
        """The last good checkpoint, None when there is none. A damaged one is set aside and the one before is used.

        A missing `checkpoint.json` means a fresh start even where an earlier one remains: moving it away is how users
        ask for that.

        Raises:
            StateError: it was written by a newer version of this program, or cannot be read at all.
        """
        if not self._path.exists():
            return None
        good = self._read(self._path)
        if good is not None:
            return good
        aside = self._path.with_name(f"{NAME}.corrupt-{self._now():%Y%m%d_%H%M%S_%f}")
        self._path.rename(aside)
        earlier = self._read(self._previous) if self._previous.exists() else None
        if earlier is None:
            self._tell(f"⚠ {NAME} is damaged; it is kept as {aside.name}. There is no earlier one: starting afresh.")
            return None
        write_atomic(self._path, earlier.model_dump_json(indent=2) + "\n")
        self._tell(
            f"⚠ {NAME} is damaged; it is kept as {aside.name}. Going on from the last good one: "
            f"iteration {earlier.iteration}, and what the log says happened since."
        )
        return earlier

    def _read(self, path: Path) -> Checkpoint | None:
        try:
            text = path.read_bytes()
        except OSError as error:
            raise StateError(f"the checkpoint cannot be read: {error.strerror}", where=str(path)) from error
        _refuse_newer(text, path)
        try:
            return Checkpoint.model_validate_json(text)
        except ValidationError as error:
            self._tell(f"{path.name}: {describe(error)}")
            return None


def _refuse_newer(text: bytes, path: Path) -> None:
    try:
        version = json.loads(text)["version"]
    except (ValueError, KeyError, TypeError):
        return
    if isinstance(version, int) and version > VERSION:
        raise StateError(
            f"the checkpoint is of version {version}, this program knows {VERSION}",
            where=str(path),
            remedy="Use the newer program, or move the file away to start afresh.",
        )
