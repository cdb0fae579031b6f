"""Take what people dropped into the triggers folder: claim, record with its run, and archive it with the outcome.

A file is claimed by rename before its row is written, and moved on only after: whatever is killed when, the next
daemon finds the file or its row, and never both a lost file and no run.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from runner.flow.asking import NO_CRON, ask
from runner.flow.runtime import Runtime
from runner.store import drops, schedules
from runner.store.states import DropState
from runner.triggers.drops import ClaimedDrop, archive, reject, scan, unrecorded
from schemas.automation import Drop, TrainingSchedule, TriggerType
from schemas.errors import ScheduleError

FILES_PER_TURN = 500
AD_HOC = "file_drop"
"""Under this name run drops that name no schedule."""
UNSETTLED_LOOK_S = 0.25
_log = logging.getLogger("ouroboros.drops")


class TakeDrops:
    """One turn takes up to 500 files; a start takes up what an earlier daemon had claimed."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._recovered = False
        self._claimed: list[ClaimedDrop] = []
        """Moved out of the folder, and not in the database yet."""
        self.patience_s = float("inf")
        """How long the loop may sleep because of drops: short while a file is still being written."""

    def __call__(self, now: datetime) -> None:
        """Claim and record new files; archive those whose runs have ended."""
        folder = self._runtime.settings.triggers_dir
        if not self._recovered:
            with self._runtime.store.read() as session:
                known = drops.claimed_paths(session)
            self._record(unrecorded(folder, known), now)
            self._move_on_left_ones()
            self._recovered = True
        found = scan(folder, now, FILES_PER_TURN)
        self.patience_s = 0.0 if found.more else UNSETTLED_LOOK_S if found.unsettled else float("inf")
        self._runtime.reach("drop.claimed")
        self._claimed += found.claimed
        self._record(self._claimed, now)
        self._claimed = []
        self._archive_finished()

    def _record(self, claimed: Sequence[ClaimedDrop], now: datetime) -> None:
        if not claimed:
            return
        with self._runtime.store.write() as session:
            refused = [(drop, self._record_one(session, drop, now)) for drop in claimed]
        self._runtime.reach("drop.recorded")
        for drop, problem in refused:
            if problem:
                reject(drop.path, problem)
        _log.info("%s dropped files taken, %s refused", len(claimed), sum(bool(problem) for _, problem in refused))

    def _record_one(self, session: Session, drop: ClaimedDrop, now: datetime) -> str:
        """Record the file and its run; why it is refused, or ""."""
        number = drops.claim(session, drop.original_name, drop.path, drop.sha256, drop.received_at)
        problem = drop.problem
        if drop.request is not None:
            try:
                occurrence_id = self._ask(session, drop.request, drop.original_name, now)
            except ScheduleError as error:
                problem = str(error)
            else:
                drops.mark_queued(session, number, occurrence_id)
                return ""
        drops.mark_rejected(session, number, problem)
        return problem

    def _ask(self, session: Session, request: Drop, name: str, now: datetime) -> int:
        schedule = _schedule_of(session, request)
        recorded = ask(
            session,
            schedule.model_copy(update={"training_config": request.training_over(schedule.training_config)}),
            TriggerType.EMERGENCY if request.emergency else TriggerType.MANUAL,
            now,
            self._runtime.settings.scheduler.max_queue_length,
            priority=request.priority,
            note=request.note or f"asked for by the file {name}",
        )
        return recorded.occurrence_id

    def _archive_finished(self) -> None:
        if self._runtime.idle.nothing_new:
            return
        with self._runtime.store.read() as session:
            finished = drops.finished(session, FILES_PER_TURN)
        for drop, outcome in finished:
            archive(drop.claimed_path, outcome)
        if finished:
            self._runtime.reach("drop.archived")
            with self._runtime.store.write() as session:
                for drop, outcome in finished:
                    drops.mark_archived(session, drop.drop_id, outcome)

    def _move_on_left_ones(self) -> None:
        """Rejected in the database, but killed before the file was moved."""
        with self._runtime.store.read() as session:
            left = drops.in_state(session, DropState.REJECTED)
        for drop in left:
            if drop.claimed_path.exists():
                reject(drop.claimed_path, drop.reason)


def _schedule_of(session: Session, request: Drop) -> TrainingSchedule:
    if request.schedule is None:
        return TrainingSchedule(name=AD_HOC, cron_expression=NO_CRON)
    found = schedules.get(session, request.schedule)
    if found is None:
        raise ScheduleError(
            "no such schedule", where=request.schedule, remedy="`ouroboros schedules` lists them; drop the file again."
        )
    return found.schedule
