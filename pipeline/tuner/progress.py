"""How a run stands: the state that the daemon and the command line show."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import hypot
from statistics import NormalDist

import psutil

from pipeline.evaluation.intervals import chance_of_higher_mean, power_of_fixed_games
from pipeline.machine_figures import measured
from pipeline.tuner.jobs import GameResult, MatchJob
from pipeline.tuner.setup import Setup
from pipeline.tuner.weights import hash_of
from schemas.model import PipelineState, PipelineStatus
from schemas.tuning import AcceptRule
from schemas.tuning_run import CandidateDecision, IterationFacts, MeasuredRate, TuningPhase, TuningState

REPORT_EVERY_S = 0.25
SAY_EVERY_S = 300.0
_PHASES = {
    TuningPhase.BASELINE: "baseline",
    TuningPhase.SCREEN: "screening",
    TuningPhase.SEARCH: "tuning",
    TuningPhase.CROSSING: "screening",
    TuningPhase.GATE: "confirming",
    TuningPhase.FRONT: "measuring",
    TuningPhase.MEASURE: "measuring",
}
CHANGES_SHOWN = 5
"""So many changed weights a message names; the log has them all."""
_95_PERCENT, _ONE_SIDED = (NormalDist().inv_cdf(share) for share in (0.975, 0.95))
SHOWN_GAIN = 0.03
"""The gain for which a plain comparison's power is stated."""


class TuningProgress:
    """Counts games and reports the state, not oftener than every quarter of a second unless something changed.

    Args:
        share_done: 0..1, for the progress bar; by time or by iterations.
        say: told every few minutes how far the run is: a search that goes well has nothing else to say for long.
    """

    def __init__(
        self,
        report: Callable[[PipelineState], None],
        now: Callable[[], datetime],
        share_done: Callable[[], float],
        say: Callable[[str], None],
        say_every_s: float = SAY_EVERY_S,
    ) -> None:
        self._report, self._now, self._share_done = report, now, share_done
        self._say, self._say_every_s, self._said_at = say, say_every_s, time.monotonic()
        self._started = time.monotonic()
        measured(psutil.cpu_percent)  # the first call only sets the mark that the next one counts from
        self._last_report = 0.0
        self._state: TuningState | None = None
        self.games = 0
        """Games of this start, dropped ones included."""
        self.failed_games = 0
        self.last_error: str | None = None
        self.errors = 0

    def enter(self, state: TuningState) -> None:
        """A step was taken."""
        changed = self._state is None or (self._state.phase, self._state.iteration) != (state.phase, state.iteration)
        self._state = state
        if changed:
            self.tell()
        if time.monotonic() - self._said_at >= self._say_every_s:
            self._said_at = time.monotonic()
            self._say(f"… {details(state)}; {self.games:,} games in this run, {self.games_per_second:.1f} a second")

    def count(self, games: Sequence[tuple[MatchJob, GameResult]]) -> None:
        """Games ended."""
        self.games += len(games)
        self.failed_games += sum(any(game.failures) for _, game in games)
        if time.monotonic() - self._last_report >= REPORT_EVERY_S:
            self.tell()

    def failed(self, message: str) -> None:
        """Something could not be played."""
        self.last_error, self.errors = message, self.errors + 1
        self.tell()

    @property
    def games_per_second(self) -> float:
        """Games of this start over its whole duration, builds included."""
        return self.games / max(time.monotonic() - self._started, 1e-9)

    def tell(self) -> None:
        """Report now."""
        self._last_report = time.monotonic()
        self._report(self.state(PipelineStatus.CONTINUOUS_TRAINING))

    def state(self, status: PipelineStatus) -> PipelineState:
        """The state as it stands."""
        own = self._state
        best = own.best if own else None
        champion = hash_of(own.champion)[:12] if own else None
        baseline = own is not None and own.phase is TuningPhase.BASELINE
        return PipelineState(
            status=PipelineStatus.EVALUATING if baseline and status is PipelineStatus.CONTINUOUS_TRAINING else status,
            current_phase=_PHASES[own.phase] if own else "starting",
            champion_model=champion,
            best_model_version=champion,
            progress_percentage=100 * min(max(self._share_done(), 0.0), 1.0),
            total_training_time_hours=round((time.monotonic() - self._started) / 3600, 5),
            total_games_processed=self.games,
            total_models_trained=own.accepted if own else 0,
            best_win_rate=best.win_rate if best else 0,
            best_win_rate_low=best.low if best else None,
            best_win_rate_high=best.high if best else None,
            best_win_rate_games=best.games if best else 0,
            operation_details=details(own),
            iteration=own.iteration if own else 0,
            games_per_second=round(self.games_per_second, 3) if self.games else None,
            seed=own.seed if own else None,
            last_error=self.last_error,
            error_count=self.errors,
            consecutive_failures=own.failures if own else 0,
            cpu_usage_percent=self._cpu_percent(),
            memory_usage_percent=measured(lambda: psutil.virtual_memory().percent),
            updated_at=self._now(),
        )

    def _cpu_percent(self) -> float | None:
        """Since the state before; None at first, when there is nothing to compare with."""
        if time.monotonic() - self._started < REPORT_EVERY_S:
            return None
        return measured(psutil.cpu_percent)


def details(state: TuningState | None) -> str:
    """What the run is at, in words."""
    if state is None:
        return "starting"
    if state.phase is TuningPhase.BASELINE:
        return "baseline"
    if state.phase is TuningPhase.GATE and state.gate is not None:
        gains = state.gate.gains
        score = f", {0.5 + sum(gains) / len(gains):.1%} of {2 * len(gains)} games" if gains else ""
        return f"iteration {state.iteration + 1}, candidate at the gate{score}"
    if state.phase is TuningPhase.FRONT:
        return f"iteration {state.iteration + 1}, measuring {len(state.contenders)} contenders of the front"
    if state.phase is TuningPhase.MEASURE:
        return f"iteration {state.iteration}, measuring the new best"
    told = max((question.id for question in state.questions), default=0)
    return f"iteration {state.iteration + 1}, {state.strategy}" + (f", question {told}" if told else "")


def promise(setup: Setup) -> str:
    """The rule of acceptance in one or two sentences, with its error rates."""
    settings = setup.settings
    if len(setup.aims) > 1:
        wanted = "; ".join(f"{aim.name} ({aim.meaning})" for aim in setup.aims)
        return (
            f"{len(setup.aims)} objectives: {wanted}. NSGA-II looks for configurations of which none beats another in "
            "everything; they are measured on fresh seeds, and you choose: nothing is promoted by itself."
        )
    if settings.accept is not AcceptRule.MEAN:
        start = (
            f" After the first promotion it must not lose ground against the weights that the run began from either "
            f"({settings.measure_games} games of each)."
        )
        return setup.gate_rules.promise() + (start if settings.pool_start and not setup.opponents else "")
    power = power_of_fixed_games(settings.games, SHOWN_GAIN)
    kept = 100 * chance_of_higher_mean(settings.games, 0.0, settings.min_improvement)
    return (
        f"⚠ accept=mean: a candidate is kept if it scores better on {settings.games} games. So few games cannot "
        f"tell: a test of this size at the usual 5 % level finds a real gain of {SHOWN_GAIN:.0%} with a power of "
        f"{power:.1%}, and of 100 candidates that change nothing, about {kept:.0f} will be kept as improvements. "
        "Use accept=sprt."
    )


def words(rate: MeasuredRate | None) -> str:
    """A win rate with its interval and games."""
    if rate is None:
        return "not measured yet"
    return f"{rate.win_rate:.1%} ({rate.low:.1%} to {rate.high:.1%}, {rate.games} games)"


def line(facts: IterationFacts) -> str:
    """The iteration in one line for people."""
    against = "the opponents" if facts.win_rate_against == "opponents" else "the best"
    head = (
        f"[{facts.iteration}] {facts.win_rate:.1%} ({facts.win_rate_low:.1%} to {facts.win_rate_high:.1%}, "
        f"{facts.gate_games} games) against {against}: "
        f"{facts.decision.value.replace('_', ' ')}"
    )
    if facts.decision is not CandidateDecision.ACCEPTED:
        return f"{head} ({facts.reason})" if facts.reason else head
    shown = [f"{path} {old} → {new}" for path, (old, new) in list(facts.changed.items())[:CHANGES_SHOWN]]
    rest = len(facts.changed) - len(shown)
    changes = ", ".join([*shown, f"and {rest} more"] if rest else shown)
    return (
        f"{head} ✓ gain on unseen games {facts.improvement:+.1%} ({facts.improvement_low:+.1%} to "
        f"{facts.improvement_high:+.1%}){_carried(facts)}; best win rate {facts.best_win_rate:.1%} "
        f"({facts.best_win_rate_low:.1%} to {facts.best_win_rate_high:.1%}). {changes}"
    )


def deeper(body: Mapping[str, object]) -> str:
    """A ledger's row of a search that found nothing in its cheap games, in words."""
    return (
        f"The search found no candidate in {body['without']:,} games; it begins again from the best with dearer ones: "
        f"{body['deeper']}."
    )


def in_circles(promotions: Sequence[IterationFacts]) -> str:
    """A sentence where the last promotion fares worse against the weights that the run began from than the best that it
    beat, beyond chance (one-sided, 95 %); else empty.

    Args:
        promotions: the log lines of the run's promotions, in their order.
    """
    if len(promotions) < 2 or promotions[-1].best_win_rate_against != "reference":
        return ""
    before, now = promotions[-2:]
    spread = hypot(
        *((facts.best_win_rate_high - facts.best_win_rate_low) / (2 * _95_PERCENT) for facts in (before, now))
    )
    if now.best_win_rate >= before.best_win_rate - _ONE_SIDED * spread:
        return ""
    return (
        f"The best has {now.best_win_rate:.1%} of {now.best_win_rate_games} games against the weights that the run "
        f"began from, the one before it had {before.best_win_rate:.1%} of {before.best_win_rate_games}: what beats the "
        "best need not be stronger against others. `--pool FILE` names weights that a candidate must not get worse "
        "against, `tuner.pool_games` in how many games."
    )


def _carried(facts: IterationFacts) -> str:
    if facts.probe_improvement is None:
        return ""
    return f", {facts.probe_improvement:+.1%} at the cheap conditions that it was found at"
