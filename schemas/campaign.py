"""What the Go-weight tuner keeps on disk: its checkpoint and its log's lines."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from schemas.frozen import Frozen

WeightValue = bool | int | float | str
"""A switch, a number, or a word of an enumeration."""


class CandidateDecision(StrEnum):
    """What became of a candidate, and why."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NO_MOVE_CHANGED = "no_move_changed"
    """It plays exactly as the champion does."""
    UNDECIDED = "undecided"
    """Neither better nor not better within `max_games`."""
    REGRESSED = "regressed"
    """Better than the champion, but worse than it against the pool."""
    FAILED = "failed"
    """It failed to answer too often to be judged by its games."""
    CONFLICT = "conflict"
    """It passed, but the weights' file had been edited by hand meanwhile: the edit stays, this is set aside."""


class MeasuredRate(Frozen):
    """A win rate and the games behind it; a draw counts half."""

    win_rate: float = Field(ge=0, le=1)
    low: float
    high: float
    """95 % interval."""
    games: int = Field(ge=2)


class IterationFacts(Frozen):
    """What an iteration (a candidate judged) came to."""

    iteration: int = Field(ge=1)
    win_rate: float
    """The candidate's score in the deciding games, against what `win_rate_against` names."""
    win_rate_low: float
    win_rate_high: float
    win_rate_against: str
    """`best` (a match against the best so far) or `opponents`."""
    best_win_rate: float
    """The best configuration's score in `best_win_rate_games` games that decided nothing."""
    best_win_rate_low: float
    best_win_rate_high: float
    best_win_rate_games: int
    best_win_rate_against: str
    """`reference` (the weights the campaign started from) or `opponents`."""
    improvement: float
    """Gain in win rate of an accepted candidate over the best before it, measured on unseen seeds at the deployed
    conditions, so that its selection does not flatter it; 0 for all others."""
    improvement_low: float
    improvement_high: float
    """95 % interval."""
    probe_improvement: float | None
    """The same gain at the cheap conditions that the candidate was found at: how much of it carried over. None: the
    conditions are the same, or it was not accepted."""
    probe_low: float | None = None
    probe_high: float | None = None
    """95 % interval."""
    improved: bool
    decision: CandidateDecision
    log_likelihood_ratio: float
    gate: int
    """Number of the gate's test: with `seed` and `chapter` it says which seeds were played."""
    gate_games: int
    """Games that decided."""
    games: int
    """All games since the iteration before: the search's, the gate's and the measurement's."""
    failed_games: int
    """Those in which a snake did not answer properly."""
    seed: int
    chapter: int
    changed: dict[str, tuple[WeightValue, WeightValue]]
    """Weight -> old value, new value."""
    reason: str
    """More words about the decision, where there are any."""
    config_hash: str
    """SHA-256 of the candidate's weights file."""
    best_config_hash: str
    search: str
    campaign: str


class IterationRecord(IterationFacts):
    """One line of `training_log.jsonl`."""

    timestamp: str
    """End of the iteration, ISO 8601 in UTC."""
    duration_s: float


class Checkpoint(Frozen):
    """`checkpoint.json`: where a campaign stands, for people and their scripts. What a run resumes from is the ledger,
    which `campaign` names; moving this file away begins a new campaign."""

    version: int = 2
    campaign: str
    seed: int
    started_at: datetime
    updated_at: datetime
    snake: str
    """Path of the weights' file: a campaign belongs to one snake."""
    iteration: int
    total_games: int
    accepted: int
    since_improvement: int
    best_config: str
    """The whole text of the best weights' file."""
    best_hash: str
    reference_config: str
    """The weights the campaign started from: what `best_win_rate` is measured against when there are no opponents."""
    opponents: list[str]
    best: MeasuredRate | None
    """None until it has been measured; its games are none of those that decided."""
    best_win_rate: float
    """The measured win rate of the best, 0 when not measured yet."""
    search: str
