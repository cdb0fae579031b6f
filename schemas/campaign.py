"""What the Go-weight tuner keeps on disk: its checkpoint and its log's lines."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from schemas.frozen import Frozen

WeightValue = bool | int | float


class CandidateDecision(StrEnum):
    """What became of a candidate, and why."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNDECIDED = "undecided"
    """Neither better nor not better within `max_games`."""
    NOT_CONFIRMED = "not_confirmed"
    """It passed the first test, but not the second one on unseen seeds."""
    CONFLICT = "conflict"
    """It passed, but the weights' file had been edited by hand meanwhile: the edit stays, this is set aside."""


class MeasuredRate(Frozen):
    """A win rate and the games behind it; a draw counts half."""

    win_rate: float = Field(ge=0, le=1)
    low: float
    high: float
    """95 % interval."""
    games: int = Field(ge=2)


class SeedUse(Frozen):
    """Which seeds an iteration used: `pipeline.tuner.seeds.pair_seeds` gives them back one by one."""

    campaign: int
    epoch: int
    """Number of the start of the tuner within its campaign, so that a repeated iteration gets new seeds."""
    serial: int
    """Number of the evaluation within the epoch."""
    decision_pairs: int
    confirmation_pairs: int
    measurement_pairs: int


class SkippedCandidate(Frozen):
    """A candidate that could not be measured; another one was drawn in its place."""

    changed: dict[str, tuple[WeightValue, WeightValue]]
    reason: str


class IterationRecord(Frozen):
    """One line of `training_log.jsonl`."""

    iteration: int = Field(ge=1)
    timestamp: str
    """End of the iteration, ISO 8601 in UTC."""
    win_rate: float
    """The candidate's score in the deciding games, against what `win_rate_against` names."""
    win_rate_low: float
    win_rate_high: float
    win_rate_against: str
    """`best` (a match against the best so far) or `opponents`."""
    best_win_rate: float
    """The best configuration's score in `best_win_rate_games` games played after it was accepted."""
    best_win_rate_low: float
    best_win_rate_high: float
    best_win_rate_games: int
    best_win_rate_against: str
    """`reference` (the weights the campaign started from) or `opponents`."""
    improvement: float
    """Gain in win rate of an accepted candidate, as measured on the confirming games; 0 for all others."""
    improved: bool
    decision: CandidateDecision
    log_likelihood_ratio: float
    games: int
    """All games of this iteration."""
    failed_games: int
    """Games of this iteration in which a snake did not answer properly."""
    seeds: SeedUse
    duration_s: float
    changed: dict[str, tuple[WeightValue, WeightValue]]
    """Weight -> old value, new value."""
    confirmation: MeasuredRate | None
    skipped: list[SkippedCandidate]
    config_hash: str
    """SHA-256 of the candidate's weights file."""
    best_config_hash: str
    search: str
    campaign: str


class PendingReplacement(Frozen):
    """An accepted candidate on its way into the weights' file: the intent, written before the deed."""

    old_hash: str
    new_text: str
    record: IterationRecord


class Checkpoint(Frozen):
    """All that a resumed tuner needs."""

    version: int = 1
    campaign: str
    """Name of the campaign; log lines carry it."""
    seed: int
    epoch: int
    """How often the tuner was started within this campaign."""
    started_at: datetime
    updated_at: datetime
    snake: str
    """Folder of the snake and name of its weights file: a checkpoint belongs to one snake."""
    iteration: int
    total_games: int
    accepted: int
    since_improvement: int
    consecutive_failures: int
    best_config: str
    """The whole text of the best weights' file."""
    best_hash: str
    reference_config: str
    """The weights the campaign started from: what `best_win_rate` is measured against when there are no opponents."""
    opponents: list[str]
    best: MeasuredRate | None
    """None until it has been measured; its games are none of those that decided."""
    measurement_due: bool
    """The best configuration is not the one that `best` was measured on, or `best` is asked for anew."""
    search_state: dict[str, list[float]]
    """What the search has learned, by name."""
    pending: PendingReplacement | None = None

    @property
    def best_win_rate(self) -> float:
        """The measured win rate of the best, 0 when not measured yet."""
        return self.best.win_rate if self.best else 0.0
