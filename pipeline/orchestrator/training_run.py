"""One run: phase after phase, each trained, registered and judged, until all are done, time is up or somebody stops it.

What makes it survive a kill at any moment: the record is written when anything in it changes and every few seconds;
inside a phase the phase's own checkpoints hold everything; a model is registered under a name made of run and phase, so
that a second registration finds the first; once registered it is not trained on, whatever time is left, only judged;
and the run is finished only after its conclusion (the export), so that a kill there brings it back.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pipeline.orchestrator.phase_runner import PhaseRunner
from pipeline.orchestrator.plan import phase_budget_s, training_budget_s
from pipeline.orchestrator.progress import RunProgress
from pipeline.orchestrator.run_record import PhaseRecord, RunRecord
from pipeline.phases.context import PhaseContext, PhaseResult
from pipeline.stopping import Stopping
from schemas.errors import ModelError, NothingLearnedError, OutOfTimeError, StoppedError, TrainingError
from schemas.model import ModelCard, PipelineState, PipelineStatus
from schemas.phases import DataSource
from schemas.settings import Settings
from schemas.training import TrainingPhase

SAVE_EVERY_S = 10.0
_STATUS = {
    TrainingPhase.BOOTSTRAP.value: PipelineStatus.BOOTSTRAP_TRAINING,
    TrainingPhase.HYBRID.value: PipelineStatus.HYBRID_TRAINING,
    TrainingPhase.SELF_PLAY.value: PipelineStatus.SELF_PLAY_TRAINING,
    TrainingPhase.CONTINUOUS.value: PipelineStatus.CONTINUOUS_TRAINING,
}


class Ended(StrEnum):
    """Why a run returned."""

    DONE = "done"
    """All phases are done."""
    TIME = "time"
    """Its time is used up, or a phase's was before that had learned anything; what it had reached is registered and
    judged."""
    REQUEST = "request"
    """Somebody asked; it goes on from here at the next call."""


@dataclass(frozen=True)
class RunSummary:
    """How a run ended."""

    ended: Ended
    state: PipelineState
    record: RunRecord


class TrainingRun:
    """Drives one record to its end.

    Args:
        folder: the run's own: its record is in the pipeline's folder above, its phases' checkpoints below.
        runner: trains phases, registers and judges what they make.
        tell: told every message, for a person.
        conclude: what remains to be done at an end, other than by request, before the run counts as finished.
    """

    def __init__(
        self,
        record: RunRecord,
        settings: Settings,
        folder: Path,
        runner: PhaseRunner,
        progress: RunProgress,
        stopping: Stopping,
        now: Callable[[], datetime],
        tell: Callable[[str], None],
        conclude: Callable[[], None] = lambda: None,
    ) -> None:
        self.record, self._conclude = record, conclude
        self._settings, self._folder, self._runner = settings, folder, runner
        self._progress, self._stopping, self._now, self._tell = progress, stopping, now, tell
        self._limit_s = record.configuration.max_training_time_hours * 3600
        self._clock = time.monotonic()
        self._saved_at = -SAVE_EVERY_S

    def go(self) -> RunSummary:
        """Run until an end.

        Raises:
            TrainingError: too many failures followed one another; the last one is its cause.
            NothingLearnedError: it came to its end without a model, or a phase had nothing to learn from.
            OuroborosError: bad input or the machine; the record says where it stands.
        """
        self._progress.change(
            seed=self.record.seed,
            phases_completed=self._completed(),
            progress_percentage=100 * self.record.progress,
            **self._totals(),
        )
        self._tell_champion(self._runner.champion())
        try:
            ended, finished = self._phases()
        except StoppedError:
            ended, finished = self._interrupted(), False
        self._keep(finished=finished and self.record.models_trained == 0)
        if self.record.finished:
            raise self._nothing_made()
        if ended is not Ended.REQUEST:
            self._conclude()
        self._keep(finished=finished)
        status = PipelineStatus.COMPLETED if finished else PipelineStatus.PAUSED
        share = {"progress_percentage": 100.0} if finished else {}
        state = self._progress.change(status=status, current_phase=None, **share, **self._totals())
        self._progress.write()
        return RunSummary(ended, state, self.record)

    def _phases(self) -> tuple[Ended, bool]:
        """Do what is left; return why it ended, and whether the run is over (else a later call goes on with it)."""
        while (phase := self._next_phase()) is not None:
            if self._left_s() <= 0 and phase.model_id is None:  # what is registered is still judged
                return Ended.TIME, True
            if self._stopping.requested:
                return self._interrupted(), False
            try:
                if not self._phase(phase):
                    return self._interrupted(), False
            except OutOfTimeError as error:
                self._give_up(phase, error)
                if self.record.latest_model() is None:
                    break  # there is nothing that the phases after it could go on from
            except NothingLearnedError:
                raise  # the same again would come to the same
            except (TrainingError, ModelError) as error:
                self._failed(phase, error)
        return Ended.TIME if any(item.given_up for item in self.record.phases) else Ended.DONE, True

    def _next_phase(self) -> PhaseRecord | None:
        """The phase to do. A model to go on from that cannot be used any more is set aside first: the phase that made
        it makes it again (from its checkpoints that takes no time); without one, the champion takes its place."""
        while (base := self.record.latest_model()) is not None:
            reason = self._runner.why_unusable(base)
            if reason is None:
                break
            self._tell(f"⚠ {base} is set aside: {reason}")
            makers = [item.name for item in self.record.phases if item.done and item.model_id == base]
            for name in makers:
                self._change_phase(name, done=False, model_id=None)
            if not makers:
                self.record = self.record.model_copy(update={"base_model": self._runner.champion_id()})
        return self.record.next_phase()

    def _interrupted(self) -> Ended:
        """Whose wish it was: a person's, or this process's time is up (its parent's deadline)."""
        return Ended.REQUEST if self._stopping.by_request else Ended.TIME

    def _phase(self, phase: PhaseRecord) -> bool:
        """Train, register and judge one phase; False: it was stopped before its end."""
        budget_s = self._budget_s(phase)
        base = self.record.latest_model()
        self._tell(f"Phase {phase.name}: {budget_s / 60:.1f} minutes, from {base or 'nothing'}.")
        self._progress.change(
            status=_STATUS.get(phase.name, PipelineStatus.SELF_PLAY_TRAINING),
            current_phase=phase.name,
            current_model=base,
        )
        if phase.model_id is not None:  # an earlier part of the run was ended while it was judged
            self._judge(phase.name, self._runner.card(phase.model_id))
            return True
        result = self._runner.train(self._context(phase, base, self._training_s(phase, budget_s)))
        self._count(phase.name, result)
        if result.stopped:
            return False
        card = self._runner.register(result, self.record, phase.name)
        self._change_phase(phase.name, model_id=card.id)
        self._judge(phase.name, card)
        return True

    def _give_up(self, phase: PhaseRecord, error: OutOfTimeError) -> None:
        """Leave a phase whose time was used up before it had learned anything: no model is registered for it."""
        self.record = self.record.model_copy(
            update={"error_count": self.record.error_count + 1, "last_error": str(error)}
        )
        self._change_phase(phase.name, given_up=str(error))
        self._progress.change(last_error=str(error), **self._totals())
        self._tell(f"✗ Phase {phase.name} is given up: {error}")

    def _nothing_made(self) -> NothingLearnedError:
        given_up = [f"{item.name}: {item.given_up}" for item in self.record.phases if item.given_up]
        return OutOfTimeError(
            "the run ended without having learned anything: "
            + ("; ".join(given_up).rstrip(".") or "its time is used up"),
            where=self.record.run_id,
            remedy="No model was registered and the champion is what it was; give the next run more hours.",
        )

    def _judge(self, name: str, card: ModelCard) -> None:
        self._progress.change(status=PipelineStatus.EVALUATING, operation_details=f"judging what {name} made")
        champion = self._runner.judge(card, self.record, self._stopping_now, self._judging_s(name))
        trained = self.record.models_trained + 1
        changes = {"models_trained": trained, "consecutive_failures": 0, "last_error": None}
        self.record = self.record.model_copy(update=changes)
        self._change_phase(name, done=True)
        self._progress.change(phases_completed=self._completed(), last_error=None, **self._totals())
        self._tell_champion(champion)
        self._tell(f"Phase {name} is done: {card.notes}")

    def _change_phase(self, name: str, **changes: bool | int | str | None) -> None:
        """Change a phase's record, and write all; the seconds until now are the phase's that was under way."""
        self._charge()
        self.record = self.record.with_phase(self._phase_record(name).model_copy(update=changes))
        self._keep()

    def _completed(self) -> list[str]:
        return [item.name for item in self.record.phases if item.done]

    def _tell_champion(self, champion: ModelCard | None) -> None:
        if champion is None:
            return
        rate = champion.win_rate
        measured = (
            {
                "best_win_rate": rate.value,
                "best_win_rate_low": rate.low,
                "best_win_rate_high": rate.high,
                "best_win_rate_games": rate.games,
            }
            if rate is not None
            else {}
        )
        version = f"{champion.name} v{champion.version}"
        self._progress.change(champion_model=champion.id, best_model_version=version, **measured)

    def _failed(self, phase: PhaseRecord, error: TrainingError | ModelError) -> None:
        """Count a failure; go back a checkpoint if that is wished, or give up."""
        configuration = self.record.configuration
        failures = self.record.consecutive_failures + 1
        changes = {
            "consecutive_failures": failures,
            "error_count": self.record.error_count + 1,
            "last_error": str(error),
        }
        self.record = self.record.model_copy(update=changes)
        self._change_phase(phase.name, failures=phase.failures + 1, model_id=None)
        self._progress.change(last_error=str(error), **self._totals())
        self._tell(f"✗ {phase.name}: {error}")
        if failures >= configuration.max_consecutive_failures:
            raise TrainingError(
                f"{failures} failures in a row; the last: {error.what}",
                where=error.where or phase.name,
                remedy="`attempt_recovery()` looks at what is left, `resume_training()` goes on from there.",
            ) from error
        if configuration.rollback_on_failure:
            self._tell(self._runner.roll_back_checkpoint(self._phase_folder(phase.name)))

    def _context(self, phase: PhaseRecord, base: str | None, budget_s: float) -> PhaseContext:
        return PhaseContext(
            name=phase.name,
            phase=self._settings.training_phases[phase.name],
            settings=self._settings,
            configuration=self.record.configuration,
            folder=self._phase_folder(phase.name),
            run_id=self.record.run_id,
            run_started_at=self.record.started_at,
            champion=self._runner.champion_id,
            base_model=base,
            seed=self.record.seed,
            budget_s=budget_s,
            report=self._report,
            stop=self._stopping_now,
            now=self._now,
            tell=self._tell,
        )

    def _report(self, done: float, details: str, numbers: Mapping[str, float]) -> None:
        """Take a phase's word on how far it is; keeps the record's seconds as fresh as `SAVE_EVERY_S`."""
        phases = [item.name for item in self.record.phases]
        finished = sum(item.done for item in self.record.phases)
        share = max(self.record.progress, (finished + min(max(done, 0.0), 1.0)) / len(phases))
        self.record = self.record.model_copy(update={"progress": share})
        known = {"games_per_second": numbers["games_per_s"]} if "games_per_s" in numbers else {}
        if time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            self._keep()
        self._progress.change(
            progress_percentage=100 * share,
            operation_details=details,
            total_training_time_hours=self._spent_s() / 3600,
            **known,
        )

    def _stopping_now(self) -> bool:
        return self._stopping.requested

    def _budget_s(self, phase: PhaseRecord) -> float:
        """What this phase may still take: its share of all that was left when it began."""
        remaining = [item.name for item in self.record.phases if not item.done and item.given_up is None]
        whole = phase_budget_s(self._left_s() + phase.spent_s, remaining, self._settings.training_phases)
        return max(whole - phase.spent_s, 0.0)

    def _training_s(self, phase: PhaseRecord, budget_s: float) -> float:
        """The part of that which is for learning; a continuous phase judges its cycles by itself."""
        if self._settings.training_phases[phase.name].data_source is DataSource.CONTINUOUS:
            return budget_s
        return training_budget_s(budget_s, self._settings.tournament.judging_share)

    def _judging_s(self, name: str) -> float:
        """What judging a phase's model may take: its share of the phase's time, or what is left of that."""
        phase = self._phase_record(name)
        left_s = self._budget_s(phase)
        return min(left_s, (left_s + phase.spent_s) * self._settings.tournament.judging_share)

    def _left_s(self) -> float:
        return self._limit_s - self._spent_s()

    def _spent_s(self) -> float:
        return self.record.spent_s + time.monotonic() - self._clock

    def _count(self, name: str, result: PhaseResult) -> None:
        self.record = self.record.with_phase(self._phase_record(name).model_copy(update={"games": result.games}))
        games = sum(phase.games for phase in self.record.phases)
        self.record = self.record.model_copy(update={"games": games})
        self._keep()
        self._progress.change(**self._totals())

    def _keep(self, *, finished: bool = False) -> None:
        """Write the record, with the seconds since it was last written charged to the phase under way."""
        self._charge()
        self._saved_at = self._clock
        self.record = self.record.model_copy(update={"finished": finished})
        self.record.save(self._folder.parent)

    def _charge(self) -> None:
        """Count the seconds since this was last done, for the run and for the phase under way."""
        now = time.monotonic()
        passed, self._clock = now - self._clock, now
        current = self.record.next_phase()
        if current is not None:
            self.record = self.record.with_phase(current.model_copy(update={"spent_s": current.spent_s + passed}))
        self.record = self.record.model_copy(update={"spent_s": self.record.spent_s + passed})

    def _totals(self) -> dict[str, float | int]:
        return {
            "total_training_time_hours": self._spent_s() / 3600,
            "total_games_processed": self.record.games,
            "total_models_trained": self.record.models_trained,
            "error_count": self.record.error_count,
            "consecutive_failures": self.record.consecutive_failures,
        }

    def _phase_record(self, name: str) -> PhaseRecord:
        return next(item for item in self.record.phases if item.name == name)

    def _phase_folder(self, name: str) -> Path:
        return self._folder / name
