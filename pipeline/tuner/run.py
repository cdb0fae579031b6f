"""One start of the tuner: play what is wanted, take the step, commit it, let the world see it; until something ends it.

The order is the whole point. A step is in the ledger before its consequences (the user's weights file, the log line,
the checkpoint) are written, and a start after a kill writes them again where they are missing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pipeline.console import Tell
from pipeline.stopping import Stopping
from pipeline.tuner import fronts, interactions, progress, screen
from pipeline.tuner.guide_files import GuideFiles
from pipeline.tuner.jobs import GameResult, JobFailure, MatchJob, SourceKind
from pipeline.tuner.ledger import Ledger, LedgerStep
from pipeline.tuner.noise import NoiseWatch
from pipeline.tuner.progress import TuningProgress
from pipeline.tuner.scheduler import Scheduler
from pipeline.tuner.setup import Setup
from pipeline.tuner.tuning import Tuning
from pipeline.tuner.weights import WeightFile, hash_of
from pipeline.tuner.weights_on_disk import WeightsOnDisk
from schemas.times import to_text
from schemas.tuning_run import CandidateDecision, IterationFacts, IterationRecord, TuningPhase, TuningState


class EndReason(StrEnum):
    """Why a run ended."""

    ITERATIONS = "iterations"
    """`max_iterations` are done."""
    NOTHING_LEFT = "nothing_left"
    """They were done before this start."""
    TIME = "time"
    """The time budget is used up."""
    REQUEST = "request"
    """A signal, or the caller's flag."""


@dataclass
class LedgerRecords:
    """The scheduler's games in the ledger; see `scheduler.Records`."""

    ledger: Ledger
    run: str

    def known(self, job: MatchJob) -> Mapping[int, GameResult]:
        return self.ledger.games(self.run, job.id)

    def queued(self, jobs: Sequence[MatchJob]) -> None:
        texts = {who.text for job in jobs for who in job.participants if who.source is SourceKind.WEIGHTS}
        self.ledger.add_jobs(self.run, jobs, {text: hash_of(text) for text in texts})

    def keep(self, games: Sequence[tuple[str, int, GameResult]]) -> None:
        self.ledger.add_games(self.run, games)

    def keep_failure(self, failure: JobFailure) -> None:
        self.ledger.fail_job(self.run, failure)


def finish_interrupted(book: Ledger, state: TuningState, disk: WeightsOnDisk, files: GuideFiles, tell: Tell) -> None:
    """Give the world what the last step before a kill still owes it: the promoted weights, the log's line."""
    if state.promoted is not None and disk.hash() == hash_of(state.promoted.former):
        tell(f"Finishing what was interrupted: the accepted candidate of iteration {state.iteration}.")
        disk.replace(state.champion)
    last = book.last_record(state.campaign)
    if last is not None:
        facts = IterationFacts.model_validate(last.body["record"])
        files.append(IterationRecord(**facts.model_dump(), timestamp=last.at, duration_s=0.0))


class TuningRun:
    """See the module's text.

    Args:
        tuning: the run's state, opened.
        setup_for: what a start with other weights as its reference would be told.
        passing: called with the name of each point at which a kill would be most awkward; tests kill there.
    """

    def __init__(
        self,
        ledger: Ledger,
        tuning: Tuning,
        scheduler: Scheduler,
        disk: WeightsOnDisk,
        files: GuideFiles,
        stopping: Stopping,
        progress: TuningProgress,
        noise: NoiseWatch,
        tell: Tell,
        now: Callable[[], datetime],
        setup_for: Callable[[WeightFile], Setup],
        passing: Callable[[str], None],
    ) -> None:
        self._ledger, self._tuning, self._scheduler = ledger, tuning, scheduler
        self._disk, self._files, self._stopping = disk, files, stopping
        self._progress, self._noise = progress, noise
        self._tell, self._now, self._setup_for, self._passing = tell, now, setup_for, passing
        self._begun_at = self._iteration_begun_at = now()
        self._unsaved = 0

    @property
    def _state(self) -> TuningState:
        return self._tuning.state

    def go(self) -> EndReason:
        """Run until an end; all that was played is kept in every case.

        Raises:
            SnakeError, EvaluationError: the snakes cannot be played, or fail to answer too often.
            MachineError, StateError: no toolchain, no disk.
        """
        self._save_checkpoint()  # without it the next start would not know of this run
        try:
            return self._loop()
        finally:
            self._save_checkpoint()

    def take(self, step: LedgerStep) -> None:
        """Commit a step that comes from outside (a start, an edit), and what follows from it."""
        self._commit(step)
        self._consequences(step)

    def _loop(self) -> EndReason:
        most = self._tuning.setup.settings.max_iterations
        while True:
            self._progress.enter(self._state)
            if most is not None and self._state.iteration >= most and self._state.phase is not TuningPhase.MEASURE:
                self._tell(f"All {most} iterations are done.")
                return EndReason.ITERATIONS
            if not self._notice_edit() and not self._play_and_step():
                return EndReason.REQUEST if self._stopping.by_request else EndReason.TIME

    def _play_and_step(self) -> bool:
        """One step further; False: a stop came first."""
        self._scheduler.want(self._tuning.jobs())
        due = self._tuning.due()
        while self._stopping.requested or not self._scheduler.wait_for(due, self._stop):
            if self._stopping.requested:
                return False
            self._noise.pause(lambda: self._stopping.requested)
        outcomes = {job: found for job in due if (found := self._scheduler.outcome(job)) is not None}
        step = self._tuning.advance(outcomes)
        self._commit(step)
        self._consequences(step)
        self._tuning.check()
        return True

    def _stop(self) -> bool:
        self._passing("game")
        return self._stopping.requested or self._noise.noisy

    def _commit(self, step: LedgerStep) -> None:
        self._passing("before_step")
        self._ledger.add_step(step, self._state, self._tuning.state_hash(), self._now())
        self._passing("step_committed")

    def _consequences(self, step: LedgerStep) -> None:
        if "failure" in step.body:
            self._progress.failed(str(step.body["failure"]))
            self._tell(f"⚠ {self._skipped(step)}: {step.body['failure']}")
        if step.kind == "judged" and self._state.promoted is not None:
            self._promote()
        if "record" in step.body:
            self._log_line(IterationFacts.model_validate(step.body["record"]))
        if "deeper" in step.body:
            self._tell(progress.deeper(step.body))
        if step.kind == "front":
            self._tell(fronts.words(step.body))
            self._save_checkpoint()
        if step.kind == "crossed" and "found" in step.body:
            self._tell(interactions.words(step.body))
        if step.kind == "screened":
            self._tell(screen.words(step.body))
        if step.kind == "measured" and "best" in step.body and "record" not in step.body:
            best = self._state.best
            itself = not self._tuning.setup.opponents and self._state.champion == self._state.reference
            self._tell("The snake plays." if itself else f"Win rate {progress.words(best)}.")

    def _skipped(self, step: LedgerStep) -> str:
        what = {"skipped": "Candidate skipped", "measured": "Not measured, which is tried again"} | {
            "crossed": "It is not asked which weights matter together"
        }
        return f"{what.get(step.kind, 'Question dropped')} ({self._state.failures} in a row)"

    def _promote(self) -> None:
        promoted = self._state.promoted
        assert promoted is not None
        if self._disk.hash() not in (hash_of(promoted.former), hash_of(self._state.champion), None):
            kept = self._disk.keep(self._state.champion, f"candidate_iteration_{self._state.iteration:06d}")
            self._tell(f"⚠ {self._disk.path} was edited meanwhile: the accepted candidate is kept as {kept}.")
            self._take_edit(self._disk.read(), conflict=True)
            return
        self._disk.replace(self._state.champion)
        self._passing("weights_replaced")
        self._save_checkpoint()

    def _log_line(self, facts: IterationFacts) -> None:
        now = self._now()
        duration_s = round((now - self._iteration_begun_at).total_seconds(), 3)
        self._iteration_begun_at = now
        self._files.append(IterationRecord(**facts.model_dump(), timestamp=to_text(now), duration_s=duration_s))
        self._passing("line_appended")
        self._tell(progress.line(facts))
        if facts.decision is CandidateDecision.ACCEPTED and (circles := progress.in_circles(self._promotions())):
            self._tell(f"⚠ {circles}")
        self._unsaved += 1
        if facts.decision is CandidateDecision.ACCEPTED or self._unsaved >= self._interval:
            self._save_checkpoint()
        self._warn_of_stagnation()

    def _promotions(self) -> list[IterationFacts]:
        """The log lines of all promotions so far."""
        steps = self._ledger.steps(self._state.campaign, "measured")
        told = [IterationFacts.model_validate(step.body["record"]) for step in steps if "record" in step.body]
        return [facts for facts in told if facts.decision is CandidateDecision.ACCEPTED]

    @property
    def _interval(self) -> int:
        return self._tuning.setup.settings.checkpoint_interval

    def _warn_of_stagnation(self) -> None:
        since, after = self._state.since_improvement, self._tuning.setup.settings.stagnation_warning_after
        if since and since % after == 0:
            self._tell(
                f"⚠ No improvement for {since} iterations. This may be a local optimum: stop here, change the search "
                "or its conditions, or look for smaller gains with a smaller `target_improvement` (more games each)."
            )

    def _notice_edit(self) -> bool:
        """Look whether somebody edited the weights file; if so, go on from the edit, and say so."""
        state, present = self._state, self._disk.hash()
        if present == hash_of(state.champion):
            return False
        if present is None:
            self._tell(f"⚠ {self._disk.path} is missing; the best configuration is written back.")
            self._disk.replace(state.champion)
            return False
        edited = self._disk.read()
        kept = self._disk.keep(state.champion, f"best_before_edit_iteration_{state.iteration:06d}")
        self._tell(
            f"⚠ {self._disk.path} was changed by hand. Going on from the edited weights, which are measured anew; "
            f"the former best is kept as {kept}."
        )
        self._take_edit(edited)
        return True

    def _take_edit(self, edited: WeightFile, *, conflict: bool = False) -> None:
        """Go on from the edit; where it changed the weights' kinds or bounds, with the rules that follow from it."""
        if not self._tuning.is_other_space(edited.text):
            self.take(self._tuning.edited(edited.text, conflict=conflict))
            return
        setup = self._setup_for(edited)
        self._tell("Its weights, their kinds or bounds are others now: the run is measured against the edited file.")
        self.take(self._tuning.edited(edited.text, conflict=conflict, setup=setup))
        self.take(self._tuning.started(setup))

    def _save_checkpoint(self) -> None:
        opponents = self._tuning.setup.settings.opponents
        self._files.save_checkpoint(self._state, opponents, self._begun_at, self._now())
        self._passing("checkpoint_saved")
        self._unsaved = 0
