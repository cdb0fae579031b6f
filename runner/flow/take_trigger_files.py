"""Take what people put into the triggers folder: claim, record with its run, and archive it with the outcome.

A file is claimed by rename before its row is written, and moved on only after: whatever is killed when, the next
daemon finds the file or its row, and never both a lost file and no run. Each file is treated alone: one that cannot
be claimed, recorded or moved on says so, and stops no other.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from runner.flow.enqueue import NO_CRON, enqueue_run
from runner.flow.runtime import Runtime
from runner.store import schedules, trigger_files
from runner.store.states import TriggerFileState
from runner.triggers.trigger_files import (
    ClaimedFile,
    IgnoredFile,
    archive,
    finish_claims_of_folder,
    reject,
    scan,
    unrecorded,
)
from schemas.automation import FileRequest, TrainingSchedule, TriggerType
from schemas.errors import ScheduleError, StateError
from schemas.outside_text import REASON_LIMIT, error_line, line

FILES_PER_TURN = 500
AD_HOC = "file_drop"
"""Under this name run files that name no schedule."""
UNSETTLED_LOOK_S = 0.25
SAID_AT_MOST = 1_000
"""So many different things left alone are told of; a folder with more is no triggers folder."""
_log = logging.getLogger("ouroboros.trigger_files")


class TakeTriggerFiles:
    """One turn takes up to 500 files; a start takes up what an earlier daemon had claimed."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._recovered = False
        self._claimed: list[ClaimedFile] = []
        """Moved out of the folder, and not in the database yet."""
        self._to_reject: dict[Path, str] = {}
        """Rejected in the database, and not moved on yet."""
        self._said: set[str] = set()
        self.patience_s = float("inf")
        """How long the loop may sleep because of the folder: short while a file is still being written."""

    def __call__(self, now: datetime) -> None:
        """Claim and record new files; archive those whose runs have ended."""
        folder = self._runtime.settings.triggers_dir
        if not self._recovered:
            self._recover(folder)
        found = scan(folder, now, FILES_PER_TURN)
        self._tell_of(found.ignored_files)
        self.patience_s = 0.0 if found.more else UNSETTLED_LOOK_S if found.unsettled else float("inf")
        self._runtime.reach("trigger_file.claimed")
        self._claimed += found.claimed
        self._record(now)
        self._move_rejected()
        self._archive_finished()
        if found.failure is not None:
            raise found.failure

    def _recover(self, folder: Path) -> None:
        """What an earlier daemon was killed over: claimed without a row, or rejected without being moved."""
        finish_claims_of_folder(folder)
        with self._runtime.store.read() as session:
            known = trigger_files.claimed_paths(session)
            left = trigger_files.in_state(session, TriggerFileState.REJECTED)
        self._claimed += unrecorded(folder, known)
        self._to_reject = {file.claimed_path: file.reason for file in left if file.claimed_path.exists()}
        self._recovered = True

    def _tell_of(self, ignored_files: Sequence[IgnoredFile]) -> None:
        """Once each, for as long as this daemon lives; `doctor` lists them at any time."""
        for item in ignored_files:
            self._say_once(f"Left alone in the triggers folder: {item}")

    def _say_once(self, text: str) -> None:
        if text not in self._said and len(self._said) < SAID_AT_MOST:
            self._said.add(text)
            _log.warning("%s", text)

    def _record(self, now: datetime) -> None:
        """All that is claimed, in one transaction, each in a part of its own.

        Raises:
            StateError: the database takes nothing now; all of it is tried again.
        """
        claimed = list(self._claimed)
        if not claimed:
            return
        with self._runtime.store.write() as session:
            refused = {file.path: self._record_alone(session, file, now) for file in claimed}
        self._claimed = []
        self._runtime.reach("trigger_file.recorded")
        self._to_reject |= {path: problem for path, problem in refused.items() if problem}
        _log.info("%s trigger files taken, %s refused", len(claimed), sum(map(bool, refused.values())))

    def _record_alone(self, session: Session, file: ClaimedFile, now: datetime) -> str:
        """Record the file, whatever it holds; why it is refused, or ""."""
        try:
            with session.begin_nested():
                return self._record_one(session, file, now)
        except (OperationalError, StateError):
            raise  # of the database, not of this file
        except Exception as error:  # noqa: BLE001 - one file that cannot be recorded must not stop the others
            _log.exception("The trigger file %s", file.path)
            problem = f"it cannot be recorded: {error_line(error)}"
        with session.begin_nested():
            number = trigger_files.claim(session, file.original_name, file.path, file.sha256, file.received_at)
            trigger_files.mark_rejected(session, number, problem)
        return problem

    def _record_one(self, session: Session, file: ClaimedFile, now: datetime) -> str:
        number = trigger_files.claim(session, file.original_name, file.path, file.sha256, file.received_at)
        problem = file.problem
        if file.request is not None:
            try:
                occurrence_id = self._ask(session, file.request, file.original_name, now)
            except ScheduleError as error:
                problem = line(str(error), REASON_LIMIT)
            else:
                trigger_files.mark_queued(session, number, occurrence_id)
                return ""
        trigger_files.mark_rejected(session, number, problem)
        return problem

    def _ask(self, session: Session, request: FileRequest, name: str, now: datetime) -> int:
        schedule = _schedule_of(session, request)
        recorded = enqueue_run(
            session,
            schedule.model_copy(update={"training_config": request.training_over(schedule.training_config)}),
            TriggerType.EMERGENCY if request.emergency else TriggerType.MANUAL,
            now,
            self._runtime.settings.scheduler.max_queue_length,
            priority=request.priority,
            note=request.note or f"asked for by the file {name}",
        )
        return recorded.occurrence_id

    def _move_rejected(self) -> None:
        for path, problem in list(self._to_reject.items()):
            try:
                reject(path, problem)
            except OSError as error:
                self._say_once(f"{path.name} cannot be moved to rejected/ yet: {error.strerror}")
            else:
                del self._to_reject[path]

    def _archive_finished(self) -> None:
        if self._runtime.idle.nothing_new:
            return
        with self._runtime.store.read() as session:
            finished = trigger_files.finished(session, FILES_PER_TURN)
        told = [(file.file_id, self._archived(file.claimed_path, outcome)) for file, outcome in finished]
        done = [(file_id, outcome) for file_id, outcome in told if outcome]
        if done:
            self._runtime.reach("trigger_file.archived")
            with self._runtime.store.write() as session:
                for file_id, outcome in done:
                    trigger_files.mark_archived(session, file_id, outcome)

    def _archived(self, path: Path, outcome: str) -> str:
        """Move the file on and return what its row is to say; "": it could not be moved, and is tried again."""
        try:
            archive(path, outcome)
        except FileNotFoundError:
            self._say_once(f"{path.name} was removed from claimed/ by somebody before its run ended")
            return f"{outcome} (its file was removed from {path.parent.name}/ before)"
        except OSError as error:
            self._say_once(f"{path.name} cannot be moved to archived/ yet: {error.strerror}")
            return ""
        return outcome


def _schedule_of(session: Session, request: FileRequest) -> TrainingSchedule:
    if request.schedule is None:
        return TrainingSchedule(name=AD_HOC, cron_expression=NO_CRON)
    found = schedules.get(session, request.schedule)
    if found is None:
        raise ScheduleError(
            "no such schedule",
            where=request.schedule,
            remedy="`ouroboros schedules` lists them; put the file in again.",
        )
    return found.schedule
