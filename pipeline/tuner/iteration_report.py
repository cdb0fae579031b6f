"""What an iteration leaves behind: its line in the log, and its line for people."""

from dataclasses import dataclass

from pipeline.tuner.search import Proposal
from pipeline.tuner.trial import Games, Trial
from pipeline.tuner.weights import WeightFile
from schemas.campaign import (
    CandidateDecision,
    Checkpoint,
    IterationRecord,
    MeasuredRate,
    SeedUse,
    SkippedCandidate,
    WeightValue,
)

CHANGES_SHOWN = 5
"""So many changed weights a message names; the log has them all."""


@dataclass(frozen=True)
class Played:
    """How an iteration went, beyond the verdict."""

    timestamp: str
    duration_s: float
    games: int
    failed_games: int
    serial: int
    """Number of the evaluation within the epoch: which seeds it used."""
    best_after: MeasuredRate | None
    """The accepted candidate's measured win rate; None: not accepted, or not measured yet."""
    skipped: list[SkippedCandidate]
    against_opponents: bool


def iteration_record(
    state: Checkpoint, best: WeightFile, candidate: WeightFile, proposal: Proposal, trial: Trial, played: Played
) -> IterationRecord:
    """The log line of the iteration after `state`."""
    deciding, confirming = trial.deciding, trial.confirming
    measured, best_rate = deciding.rate, played.best_after or state.best
    assert best_rate is not None, "an iteration begins only after the best has been measured"
    accepted = trial.decision is CandidateDecision.ACCEPTED
    return IterationRecord(
        iteration=state.iteration + 1,
        timestamp=played.timestamp,
        win_rate=measured.win_rate,
        win_rate_low=measured.low,
        win_rate_high=measured.high,
        win_rate_against="opponents" if played.against_opponents else "best",
        best_win_rate=best_rate.win_rate,
        best_win_rate_low=best_rate.low,
        best_win_rate_high=best_rate.high,
        best_win_rate_games=best_rate.games,
        best_win_rate_against="opponents" if played.against_opponents else "reference",
        improvement=trial.improvement,
        improved=accepted,
        decision=trial.decision,
        log_likelihood_ratio=trial.log_likelihood_ratio,
        games=played.games,
        failed_games=played.failed_games,
        seeds=SeedUse(
            campaign=state.seed,
            epoch=state.epoch,
            serial=played.serial,
            decision_pairs=len(deciding.own),
            confirmation_pairs=len(confirming.own) if confirming else 0,
            measurement_pairs=played.best_after.games // 2 if played.best_after else 0,
        ),
        duration_s=round(played.duration_s, 3),
        changed=changed(best, proposal),
        confirmation=measured_rate(confirming) if confirming else None,
        skipped=played.skipped,
        config_hash=candidate.hash,
        best_config_hash=candidate.hash if accepted else state.best_hash,
        search=proposal.origin,
        campaign=state.campaign,
    )


def measured_rate(games: Games) -> MeasuredRate:
    """The win rate of some games, as it is kept on disk."""
    rate = games.rate
    return MeasuredRate(win_rate=rate.win_rate, low=rate.low, high=rate.high, games=rate.games)


def changed(best: WeightFile, proposal: Proposal) -> dict[str, tuple[WeightValue, WeightValue]]:
    """Path -> old value, new value."""
    return {path: (best.values[path], value) for path, value in proposal.changes.items()}


def words(rate: MeasuredRate | None) -> str:
    """A win rate with its interval and games."""
    if rate is None:
        return "not measured yet"
    return f"{rate.win_rate:.1%} ({rate.low:.1%} to {rate.high:.1%}, {rate.games} games)"


def line(record: IterationRecord) -> str:
    """The iteration in one line for people."""
    decided = 2 * record.seeds.decision_pairs
    head = (
        f"[{record.iteration}] {record.win_rate:.1%} ({record.win_rate_low:.1%} to {record.win_rate_high:.1%}, "
        f"{decided} games) against {'the opponents' if record.win_rate_against == 'opponents' else 'the best'}: "
        f"{record.decision.value.replace('_', ' ')}"
    )
    if not record.improved:
        return head
    shown = [f"{path} {old} → {new}" for path, (old, new) in list(record.changed.items())[:CHANGES_SHOWN]]
    rest = len(record.changed) - len(shown)
    changes = ", ".join([*shown, f"and {rest} more"] if rest else shown)
    return (
        f"{head} ✓ confirmed gain {record.improvement:+.1%}; best win rate {record.best_win_rate:.1%} "
        f"({record.best_win_rate_low:.1%} to {record.best_win_rate_high:.1%}). {changes}"
    )
