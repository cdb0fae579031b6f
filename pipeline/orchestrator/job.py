"""The self-play pipeline as the daemon's worker: a request in, a result out."""

from datetime import UTC, datetime

from pipeline.orchestrator.pipeline import SelfPlayTrainingPipeline
from pipeline.orchestrator.training_run import Ended
from pipeline.stopping import time_budget_s
from schemas.execution import JobContext, Outcome, RunRequest, RunResult


def train(request: RunRequest, context: JobContext) -> RunResult:
    """Begin the run that is asked for, or go on with the unfinished one, for as long as the request allows.

    SUCCEEDED once its phases are done or its time is used up and a model came of it, CANCELLED if it was asked to stop
    earlier (the next run goes on from there). Errors are left to the worker, which knows their classes; a run that
    ended without having learned anything is one (`NothingLearnedError`).
    """
    pipeline = SelfPlayTrainingPipeline(
        request.settings,
        seed=request.seed,
        asked_to_stop=context.stop_requested,
        time_budget_s=time_budget_s(request, datetime.now(UTC)),
        report=context.report,
    )
    summary = pipeline.run(request.training_config)
    outcome = Outcome.CANCELLED if summary.ended is Ended.REQUEST else Outcome.SUCCEEDED
    return RunResult(outcome=outcome, state=summary.state)
