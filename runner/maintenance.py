"""Housekeeping beside the loop, or by hand: what is too old goes, disk and memory go back; a batch at a time."""

import contextlib
import errno
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from runner import kept_replays
from runner.flow.runtime import Runtime
from runner.heap import trim_heap
from runner.store import backup, heartbeat, retention

LOOP = "maintenance"
BATCH = 500
BACKUP_LOOK_S = 900.0
"""How often it is looked whether a copy is due."""
FIRST_TURN_AFTER_S = 120.0
"""Not while a start is busy with what is due."""
_log = logging.getLogger("ouroboros.maintenance")


@dataclass(frozen=True, slots=True)
class CleanupReport:
    """What a cleaning removed."""

    rows: int
    run_folders: int
    replays: int
    """Games of `data/replays`."""
    unremovable: tuple[str, ...]
    """Run folders that are too old and could not be removed, with the reason; their rows stay."""
    problem: str = ""
    """Why a game of `data/replays` could not be removed."""


class Maintenance:
    """One `turn` removes everything that is too old at that moment."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._first = True

    def turn(self) -> float:
        """Clean up and make the backup that is due, unless this is the first turn; seconds until the next one."""
        if self._first:
            self._first = False
            return FIRST_TURN_AFTER_S
        now = self._runtime.clock.now()
        storage = self._runtime.settings.storage
        cleaned = self.clean_up(now)
        problem = _told(cleaned.unremovable) if cleaned.unremovable else cleaned.problem
        if problem:
            with self._runtime.store.write() as session:
                heartbeat.loop_error(session, LOOP, problem, now)
        # Last: what was removed makes room for it.
        made = backup.periodic(self._runtime.store, self._runtime.settings.home, storage, now)
        if made is not None:
            _log.info("Backup: %s", made)
        trim_heap()
        return min(storage.maintenance_interval_hours, storage.backup_interval_hours) * 3600

    def clean_up(self, now: datetime) -> CleanupReport:
        """Remove run folders, rows and kept games, then give space back. Several may do so at once: each finds what is
        left of it. A run folder that cannot be removed holds up nothing but its own rows.

        Raises:
            StateError: the database cannot be used.
        """
        folders, unremovable = self._remove_run_folders(now)
        rows = 0
        while True:
            with self._runtime.store.write() as session:
                batch = retention.prune(session, self._runtime.settings.storage, now, BATCH)
            rows += batch.total
            if batch.nothing:
                break
        settings = self._runtime.settings
        replays = kept_replays.remove_old(settings.replays_dir.absolute(), settings.storage, now)
        retention.give_back_space(self._runtime.store)
        _log.info("Housekeeping: %s rows, %s run folders, %s kept games removed", rows, folders, replays.files)
        for problem in (_told(unremovable) if unremovable else "", replays.problem):
            if problem:
                _log.warning("%s", problem)
        return CleanupReport(rows, folders, replays.files, unremovable, replays.problem)

    def _remove_run_folders(self, now: datetime) -> tuple[int, tuple[str, ...]]:
        """How many were removed, and which could not be, in words."""
        removed, left = 0, dict[int, str]()
        while True:
            with self._runtime.store.read() as session:
                storage = self._runtime.settings.storage
                folders = retention.expired_run_folders(session, storage, now, BATCH, passing_over=left)
            if not folders:
                return removed, tuple(left.values())
            gone = []
            for folder in folders:
                try:
                    removed += _remove(folder.path, self._runtime.settings.runs_dir.absolute())
                    gone.append(folder.execution_id)
                except OSError as error:
                    left[folder.execution_id] = f"{error.filename or folder.path}: {error.strerror}"
            if not gone:
                continue
            with self._runtime.store.write() as session:
                retention.mark_run_folders_removed(session, gone, now)


class NightlyBackup:
    """One `turn` makes the copy that is due."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._first = True

    def turn(self) -> float:
        """Copy if a copy is due, unless this is the first turn; seconds until the next look.

        Raises:
            StateError: there is no room, or the copy is not sound.
        """
        if self._first:
            self._first = False
            return FIRST_TURN_AFTER_S
        settings = self._runtime.settings
        made = backup.periodic(self._runtime.store, settings.home, settings.storage, self._runtime.clock.now())
        if made is not None:
            _log.info("Backup: %s", made)
            trim_heap()
        return BACKUP_LOOK_S


def _remove(folder: Path, runs_dir: Path) -> bool:
    """Remove a run folder; False if it is gone already.

    Raises:
        OSError: it cannot be removed, or its row was damaged: it holds more than one run.
    """
    if not folder.is_absolute() or runs_dir.is_relative_to(folder):
        raise OSError(errno.EINVAL, "it is no run's folder", str(folder))
    if not folder.exists():
        return False
    with contextlib.suppress(FileNotFoundError):  # another one cleans up at this moment
        shutil.rmtree(folder)
    return True


def _told(unremovable: Sequence[str]) -> str:
    more = f", and {len(unremovable) - 1} more" if len(unremovable) > 1 else ""
    return f"a run folder is too old and cannot be removed: {unremovable[0]}{more}"
