"""The files that people and their scripts read: `training_log.jsonl` and `checkpoint.json`. The ledger is the truth."""

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from schemas.errors import MachineError
from schemas.files import write_atomic
from schemas.tuning_run import Checkpoint, IterationRecord, TuningState

LOG_NAME = "training_log.jsonl"
CHECKPOINT_NAME = "checkpoint.json"
REFERENCE_NAME = "reference_config.yaml"


class GuideFiles:
    """Writes them in one folder.

    Args:
        tell: told, in words, what was repaired.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self._folder, self._log, self._tell = folder, folder / LOG_NAME, tell
        self._repair()

    def save_checkpoint(self, state: TuningState, opponents: list[str], begun_at: datetime, now: datetime) -> None:
        """Write `checkpoint.json` and the weights that the run started from.

        Raises:
            MachineError: the disk is full or not writable; the file before is whole.
        """
        from pipeline.tuner.weights import hash_of

        checkpoint = Checkpoint(
            campaign=state.campaign,
            seed=state.seed,
            started_at=begun_at,
            updated_at=now,
            snake=state.snake,
            iteration=state.iteration,
            total_games=state.total_games,
            accepted=state.accepted,
            since_improvement=state.since_improvement,
            best_config=state.champion,
            best_hash=hash_of(state.champion),
            reference_config=state.reference,
            opponents=opponents,
            best=state.best,
            best_win_rate=state.best.win_rate if state.best else 0.0,
            search=state.strategy,
        )
        path = self._folder / CHECKPOINT_NAME
        try:
            write_atomic(path, checkpoint.model_dump_json(indent=2) + "\n")
            if not (self._folder / REFERENCE_NAME).exists() or state.iteration == 0:
                write_atomic(self._folder / REFERENCE_NAME, state.reference)
        except OSError as error:
            raise MachineError(
                f"the checkpoint cannot be saved: {error.strerror}",
                where=str(path),
                remedy="Free some space and start again: the ledger has all that was done.",
            ) from error

    def append(self, record: IterationRecord) -> None:
        """Add a line to the log, unless it stands there: one write with O_APPEND, then fsync, so that a kill leaves it
        whole, absent, or torn at the very end, which the next start mends.

        Raises:
            MachineError: the disk is full or not writable.
        """
        if self._logged(record):
            return
        self.append_line(record.model_dump_json())

    def append_line(self, text: str) -> None:
        """Add a line as it is; see `append`."""
        line = (text + "\n").encode()
        try:
            descriptor = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
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
                where=str(self._log),
                remedy="Free some space and start again: the ledger has all that was done.",
            ) from error

    def last_iteration(self, campaign: str) -> int:
        """The campaign's last line's iteration; 0 without any."""
        last = 0
        if self._log.exists():
            with self._log.open("rb") as handle:
                for line in handle:
                    found = _parsed(line)
                    if found is not None and found.get("campaign") == campaign:
                        last = max(last, int(found.get("iteration", 0)))
        return last

    def _logged(self, record: IterationRecord) -> bool:
        """Whether the line stands at the log's end already; only a start after a kill asks for one that does."""
        if not self._log.exists():
            return False
        with self._log.open("rb") as handle:
            handle.seek(0, os.SEEK_END)
            handle.seek(max(0, handle.tell() - (1 << 20)))
            lines = handle.read().splitlines()
        found = next((parsed for line in reversed(lines) if (parsed := _parsed(line)) is not None), {})
        return found.get("campaign") == record.campaign and found.get("iteration", 0) >= record.iteration

    def _repair(self) -> None:
        """Mend the end of the log: a last line without its newline is completed if it is whole, else cut off."""
        if not self._log.exists():
            return
        with self._log.open("r+b") as handle:
            content = handle.read()
            if not content or content.endswith(b"\n"):
                return
            start = content.rfind(b"\n") + 1
            if _parsed(content[start:]) is not None:
                handle.write(b"\n")
            else:
                self._tell(f"⚠ {LOG_NAME} ended in a torn line, which was cut off: {content[start:][:80]!r}")
                handle.truncate(start)
            handle.flush()
            os.fsync(handle.fileno())


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("iteration"), int) else None
