"""The tuner as the daemon's worker: a request in, a result out."""

import logging
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from pipeline.stopping import Stopping, time_budget_s
from pipeline.tuner import ledger
from pipeline.tuner.continuous import ContinuousTrainer, TrainingSummary, with_changes
from pipeline.tuner.ledger import Ledger
from pipeline.tuner.report import from_ledger
from pipeline.tuner.report.picture import png
from pipeline.tuner.run import EndReason
from schemas.errors import (
    BadInputError,
    EvaluationError,
    FolderInUseError,
    MachineError,
    OuroborosError,
)
from schemas.execution import PICTURE_NAME, FailureClass, JobContext, Outcome, RunFailure, RunRequest, RunResult
from schemas.files import write_atomic
from schemas.model import PipelineState, PipelineStatus

_LOGGER = logging.getLogger("ouroboros.tuner")
_CLASSES = {
    FolderInUseError: FailureClass.RESOURCE,  # a bad input by its class, but a later run finds the folder free again
    BadInputError: FailureClass.BAD_INPUT,
    MachineError: FailureClass.RESOURCE,
    EvaluationError: FailureClass.ERROR,
}


def tune(request: RunRequest, context: JobContext) -> RunResult:
    """Go on with the tuner's campaign in the state folder, for as long as the request allows.

    SUCCEEDED once its time is used up or its iterations are done, CANCELLED if it was asked to stop earlier; in both
    cases every finished game is kept. FAILED, with the reason, if the snake or the machine cannot be used.
    """
    training = request.training_config
    tuner = request.settings.tuner
    if tuner.seed is None:
        tuner = with_changes(tuner, {"seed": request.seed})
    last = _Last(context)
    trainer = ContinuousTrainer(
        settings=request.settings.model_copy(update={"tuner": tuner}),
        remeasure=training.force_retrain,
        max_consecutive_failures=training.max_consecutive_failures,
        stopping=Stopping(context.stop_requested, time_budget_s(request, datetime.now(UTC))),
        report=last.report,
        now=lambda: datetime.now(UTC),
    )
    try:
        summary = trainer.train()
    except OuroborosError as error:
        return _failed(error, last.state)
    _leave_picture(request.settings.tuner_dir, summary, context.run_dir)
    return _result(summary)


def _leave_picture(folder: Path, summary: TrainingSummary, run_dir: Path) -> None:
    """For the mail; a run that went well does not fail for want of it."""
    try:
        with closing(Ledger(folder / ledger.NAME, read_only=True)) as book:
            picture = png(from_ledger.report_of(book, summary.tuning.campaign, datetime.now(UTC)))
        if picture is not None:
            write_atomic(run_dir / PICTURE_NAME, picture)
    except (OuroborosError, OSError) as error:
        _LOGGER.warning("The run has no picture: %s", error)


class _Last:
    """Passes states on and keeps the last one, for the result of a run that fails."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self.state = PipelineState(status=PipelineStatus.INITIALIZING)

    def report(self, state: PipelineState) -> None:
        self.state = state
        self._context.report(state)


def _result(summary: TrainingSummary) -> RunResult:
    cancelled = summary.reason is EndReason.REQUEST
    return RunResult(
        outcome=Outcome.CANCELLED if cancelled else Outcome.SUCCEEDED,
        state=summary.state,
        stagnated=summary.stagnated,
        added=summary.added,
    )


def _failed(error: OuroborosError, state: PipelineState) -> RunResult:
    failure_class = next((found for kind, found in _CLASSES.items() if isinstance(error, kind)), FailureClass.CRASH)
    failed = state.model_copy(update={"status": PipelineStatus.ERROR, "last_error": str(error)})
    return RunResult(
        outcome=Outcome.FAILED, state=failed, failure=RunFailure(failure_class=failure_class, message=str(error))
    )
