"""Housekeeping beside the loop, or by hand: what is too old goes, space comes back; a batch at a time."""

import contextlib
import logging
import shutil
from dataclasses import dataclass
from datetime import datetime

from runner.flow.runtime import Runtime
from runner.store import retention

BATCH = 500
FIRST_TURN_AFTER_S = 120.0
"""Not while a start is busy with what is due."""
_log = logging.getLogger("ouroboros.maintenance")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a cleaning removed."""

    rows: int
    run_folders: int


class Maintenance:
    """One `turn` removes everything that is too old at that moment."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._first = True

    def turn(self) -> float:
        """Clean up, unless this is the first turn; seconds until the next one."""
        if self._first:
            self._first = False
            return FIRST_TURN_AFTER_S
        self.clean_up(self._runtime.clock.now())
        return self._runtime.settings.storage.maintenance_interval_hours * 3600

    def clean_up(self, now: datetime) -> Cleaned:
        """Remove run folders, then rows, then give space back. Several may do so at once: each finds what is left.

        Raises:
            StateError: the database cannot be used.
            OSError: a run folder cannot be removed.
        """
        folders = self._remove_run_folders(now)
        rows = 0
        while True:
            with self._runtime.store.write() as session:
                batch = retention.prune(session, self._runtime.settings.storage, now, BATCH).total
            rows += batch
            if batch == 0:
                break
        retention.give_back_space(self._runtime.store)
        _log.info("Housekeeping: %s rows and %s run folders removed", rows, folders)
        return Cleaned(rows, folders)

    def _remove_run_folders(self, now: datetime) -> int:
        removed = 0
        while True:
            with self._runtime.store.read() as session:
                folders = retention.expired_run_folders(session, self._runtime.settings.storage, now, BATCH)
            for folder in folders:
                if folder.path.exists():
                    with contextlib.suppress(FileNotFoundError):  # another one cleans up at this moment
                        shutil.rmtree(folder.path)
                    removed += 1
            if not folders:
                return removed
            with self._runtime.store.write() as session:
                retention.mark_run_folders_removed(session, [folder.execution_id for folder in folders], now)
