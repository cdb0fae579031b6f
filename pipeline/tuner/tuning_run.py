"""One run of the tuner: baseline, then iteration after iteration until something ends it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from random import Random

from pipeline.console import Tell
from pipeline.snakes.abandoned import Abandoned
from pipeline.stopping import Stopping
from pipeline.tuner.arena import Arena, Player
from pipeline.tuner.campaign import Campaign
from pipeline.tuner.iteration_report import Played, changed, iteration_record, line, measured_rate, words
from pipeline.tuner.progress import Progress
from pipeline.tuner.promises import promise
from pipeline.tuner.search import Proposal, Search, Values
from pipeline.tuner.seeds import Stage, pair_seeds
from pipeline.tuner.specification import Specification
from pipeline.tuner.trial import Games, Judge, Trial
from pipeline.tuner.weights import WeightFile
from schemas.campaign import (
    CandidateDecision,
    IterationRecord,
    MeasuredRate,
    SkippedCandidate,
)
from schemas.errors import EvaluationError, MachineError, OuroborosError, SnakeError
from schemas.tuning import TunerSettings

EMPTY_PROPOSALS = 20
"""So often in a row a search may propose no change at all."""


class EndReason(StrEnum):
    """Why a run ended."""

    ITERATIONS = "iterations"
    """`max_iterations` are done."""
    TIME = "time"
    """The time budget is used up."""
    REQUEST = "request"
    """A signal, or the caller's flag."""


@dataclass(frozen=True)
class _Candidate:
    """A candidate that has been judged, still running."""

    weights: WeightFile
    proposal: Proposal
    player: Player
    trial: Trial


class TuningRun:
    """Drives a campaign with an arena and a search.

    Args:
        rules: what may be done to each weight.
        max_consecutive_failures: so many candidates in a row that cannot be measured end the run.
    """

    def __init__(
        self,
        campaign: Campaign,
        arena: Arena,
        search: Search,
        rules: Specification,
        settings: TunerSettings,
        stopping: Stopping,
        progress: Progress,
        tell: Tell,
        max_consecutive_failures: int,
    ) -> None:
        self._campaign, self._arena, self._search = campaign, arena, search
        self._rules, self._settings, self._stopping = rules, settings, stopping
        self._progress, self._tell = progress, tell
        self._max_failures = max_consecutive_failures
        self._failures = 0
        self._serial = 0
        self._best_player: Player | None = None
        self._opponents: list[Player] = []
        self._judge: Judge

    def go(self) -> EndReason:
        """Run until an end; the checkpoint is saved in every case.

        Raises:
            SnakeError, EvaluationError: the best snake or the opponents cannot be played, or too many candidates in a
                row cannot.
            MachineError: no toolchain, no disk.
        """
        self._search.restore(self._campaign.state.search_state)
        self._tell(promise(self._settings))
        try:
            reason = self._loop()
        except Abandoned:
            self._tell(f"Iteration {self._campaign.state.iteration + 1} was dropped half-way; it is played anew later.")
            reason = EndReason.TIME if not self._stopping.by_request else EndReason.REQUEST
        except OuroborosError as error:
            self._save_after(error)
            self._tell(f"✗ {error}")
            raise
        self._remember()
        self._campaign.save()
        state = self._campaign.state
        self._tell(f"Checkpoint saved: iteration {state.iteration}, best win rate {words(state.best)}.")
        return reason

    def _loop(self) -> EndReason:
        settings = self._settings
        self._opponents = [self._arena.opponent(where, self._stopping.overdue) for where in settings.opponents]
        self._judge = Judge(self._arena, settings, self._opponents, self._stopping.overdue, self._progress.count)
        while True:
            state = self._campaign.state
            if settings.max_iterations is not None and state.iteration >= settings.max_iterations:
                self._tell(f"All {settings.max_iterations} iterations are done.")
                return EndReason.ITERATIONS
            if self._stopping.requested:
                return EndReason.REQUEST if self._stopping.by_request else EndReason.TIME
            if self._campaign.notice_edit():
                self._drop_best_player()
                self._search.restore({})  # what it learned was about other weights
            if self._campaign.state.measurement_due:
                self._measure_best()
            else:
                self._iterate()

    def _iterate(self) -> None:
        started, games, failed = time.monotonic(), self._progress.games, self._progress.failed_games
        best = self._campaign.best
        candidate, skipped = self._next_judged(best)
        rate = None
        if candidate.trial.decision is CandidateDecision.ACCEPTED:
            rate = self._measure_accepted(candidate)
        self._search.learn(best.values, candidate.proposal, candidate.trial)
        self._remember()
        record = iteration_record(
            self._campaign.state,
            best,
            candidate.weights,
            candidate.proposal,
            candidate.trial,
            Played(
                timestamp=self._campaign.timestamp(),
                duration_s=time.monotonic() - started,
                games=self._progress.games - games,
                failed_games=self._progress.failed_games - failed,
                serial=self._serial,
                best_after=rate,
                skipped=skipped,
                against_opponents=bool(self._opponents),
            ),
        )
        self._close(record, candidate)

    def _close(self, record: IterationRecord, candidate: _Candidate) -> None:
        if record.decision is CandidateDecision.ACCEPTED:
            record = self._campaign.accepted(record, candidate.weights)
        else:
            self._campaign.rejected(record, self._settings.checkpoint_interval)
        if record.improved:
            self._drop_best_player()
            self._best_player = candidate.player
        else:
            candidate.player.close()
        self._tell(line(record))
        since = self._campaign.state.since_improvement
        if since and since % self._settings.stagnation_warning_after == 0:
            self._tell(
                f"⚠ No improvement for {since} iterations. This may be a local optimum: stop here, change "
                "`perturbation`, or look for smaller gains with a smaller `target_improvement` (more games each)."
            )

    def _next_judged(self, best: WeightFile) -> tuple[_Candidate, list[SkippedCandidate]]:
        """Draw candidates until one can be judged; those that cannot are told and listed."""
        skipped: list[SkippedCandidate] = []
        while True:
            player: Player | None = None
            proposal = Proposal({}, "none")
            best_player = self._best()
            try:
                proposal = self._propose(best)
                weights = best.changed(proposal.changes)
                self._serial += 1
                self._progress.enter("tuning", self._campaign.state)
                player = self._arena.player("candidate", weights.text, self._stopping.overdue)
                trial = self._judged(player, best_player)
            except (SnakeError, EvaluationError) as error:
                self._skip(error, player)
                skipped.append(SkippedCandidate(changed=changed(best, proposal), reason=str(error)))
            except BaseException:
                if player is not None:
                    player.close()
                raise
            else:
                self._failures = self._progress.consecutive_failures = 0
                return _Candidate(weights, proposal, player, trial), skipped

    def _judged(self, player: Player, best_player: Player) -> Trial:
        return self._judge.judge(
            player,
            best_player,
            self._seeds(Stage.DECISION, self._settings.max_games),
            self._seeds(Stage.CONFIRMATION, self._settings.confirm_games),
            on_confirming=lambda: self._progress.enter("confirming", self._campaign.state),
        )

    def _skip(self, error: OuroborosError, player: Player | None) -> None:
        if player is not None:
            player.close()
        self._drop_best_player()  # it may have been the one that failed: started anew for the next candidate
        self._failures += 1
        self._progress.failed(str(error), self._failures)
        self._tell(f"⚠ Candidate skipped ({self._failures} in a row): {error}")
        if self._failures >= self._max_failures:
            self._remember()
            kind = type(error)
            raise kind(
                f"{self._failures} candidates in a row could not be measured; the last one: {error.what}",
                where=error.where,
                remedy=error.remedy,
            )

    def _propose(self, best: WeightFile) -> Proposal:
        state = self._campaign.state
        self._serial += 1
        random = Random(f"{state.seed} {state.epoch} {self._serial}")
        for _ in range(EMPTY_PROPOSALS):
            proposal = self._search.propose(best.values, self._rules, random, self._contest)
            if proposal.changes:
                return proposal
        raise SnakeError(
            f"the search found no change of any weight in {EMPTY_PROPOSALS} attempts",
            where=best.where,
            remedy="Look at the bounds and steps of the weight specification.",
        )

    def _contest(self, first: Values, second: Values, pairs: int) -> float:
        """A short match for a search's own use, on seeds that no decision ever sees."""
        self._serial += 1
        best = self._campaign.best
        self._progress.enter("exploring", self._campaign.state)
        one = self._arena.player("explorer one", best.changed(first).text, self._stopping.overdue)
        try:
            two = self._arena.player("explorer two", best.changed(second).text, self._stopping.overdue)
            try:
                return self._judge.measure(one, two, self._seeds(Stage.EXPLORATION, 2 * pairs)).rate.win_rate
            finally:
                two.close()
        finally:
            one.close()

    def _measure_best(self) -> None:
        self._serial += 1
        state = self._campaign.state
        games = self._settings.baseline_games if state.best is None else self._settings.measure_games
        against = "the opponents" if self._opponents else "the weights the campaign started from"
        self._tell(f"Measuring the {'baseline' if state.best is None else 'best'} on {games} games against {against} …")
        self._progress.enter("baseline", state)
        played = self._measure(self._best(), games)
        rate = measured_rate(played)
        self._campaign.measured(rate)
        self._tell(f"Win rate {words(rate)}.")

    def _measure_accepted(self, candidate: _Candidate) -> MeasuredRate | None:
        """Games for the figure only; a failure or a stop here does not cost the accepted candidate."""
        self._progress.enter("measuring", self._campaign.state)
        try:
            played = self._measure(candidate.player, self._settings.measure_games)
        except Abandoned:
            self._tell("Stopped while measuring the new best: it is kept, and measured at the next start.")
            return None
        except (SnakeError, EvaluationError) as error:
            self._tell(f"⚠ The new best could not be measured, which is tried again next: {error}")
            return None
        return measured_rate(played)

    def _measure(self, player: Player, games: int) -> Games:
        seeds = self._seeds(Stage.MEASUREMENT, games)
        if self._opponents:
            return self._judge.measure(player, None, seeds)
        reference = self._arena.player("reference", self._campaign.state.reference_config, self._stopping.overdue)
        try:
            return self._judge.measure(player, reference, seeds)
        finally:
            reference.close()

    def _seeds(self, stage: Stage, games: int) -> Sequence[int]:
        state = self._campaign.state
        return pair_seeds(state.seed, stage, state.epoch, self._serial, ceil(games / 2))

    def _best(self) -> Player:
        if self._best_player is None:
            self._best_player = self._arena.player("best", self._campaign.state.best_config, self._stopping.overdue)
        return self._best_player

    def _drop_best_player(self) -> None:
        if self._best_player is not None:
            self._best_player.close()
            self._best_player = None

    def _remember(self) -> None:
        self._campaign.remember(search_state=self._search.state(), consecutive_failures=self._failures)

    def _save_after(self, error: OuroborosError) -> None:
        self._progress.last_error = str(error)
        try:
            self._campaign.save()
        except MachineError as second:
            raise second from error
