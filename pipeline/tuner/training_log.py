"""`training_log.jsonl`: one line per iteration, only ever appended to."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError

from schemas.campaign import IterationRecord
from schemas.errors import MachineError

NAME = "training_log.jsonl"


class TrainingLog:
    """The iteration history in one folder. The file is opened anew for every line, so it may be rotated or trimmed.

    Args:
        tell: told, in words, what was repaired.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self._path = folder / NAME
        self._tell = tell

    def append(self, record: IterationRecord) -> None:
        """Add one line: one write with O_APPEND, then fsync, so that a kill leaves it whole, absent, or torn at the
        very end, which `repair` mends.

        Raises:
            MachineError: the disk is full or not writable.
        """
        line = (record.model_dump_json() + "\n").encode()
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                written = os.write(descriptor, line)
                if written != len(line):
                    os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
                    raise OSError(28, "No space left on device")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise MachineError(
                f"the training log cannot be written: {error.strerror}",
                where=str(self._path),
                remedy="Free some space and start again: nothing but the iteration in hand is lost.",
            ) from error

    def repair(self) -> None:
        """Mend the end of the file: a last line without its newline is completed if it is whole, else cut off."""
        if not self._path.exists():
            return
        with self._path.open("r+b") as handle:
            content = handle.read()
            if not content or content.endswith(b"\n"):
                return
            start = content.rfind(b"\n") + 1
            if _parsed(content[start:]) is not None:
                handle.write(b"\n")
            else:
                self._tell(f"⚠ {NAME} ended in a torn line, which was cut off: {content[start:][:80]!r}")
                handle.truncate(start)
            handle.flush()
            os.fsync(handle.fileno())

    def records(self, campaign: str) -> Iterator[IterationRecord]:
        """The campaign's lines in their order; lines of other campaigns, and foreign ones, are passed over."""
        if not self._path.exists():
            return
        with self._path.open("rb") as handle:
            for line in handle:
                record = _parsed(line)
                if record is not None and record.campaign == campaign:
                    yield record


def _parsed(line: bytes) -> IterationRecord | None:
    try:
        return IterationRecord.model_validate_json(line)
    except ValidationError:
        return None
