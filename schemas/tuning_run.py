"""A tuning run: what its ledger keeps (all that the next step depends on), and the checkpoint and log lines that users
read."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from schemas.base import Frozen

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


class TuningPhase(StrEnum):
    """What the run is at."""

    BASELINE = "baseline"
    """Measuring the champion before anything else."""
    SCREEN = "screen"
    """Which weights change a move, or a result, at all."""
    SEARCH = "search"
    """Putting the optimiser's questions to games."""
    GATE = "gate"
    """A candidate against the champion, and then against the pool."""
    CROSSING = "crossing"
    """Which weights matter together."""
    FRONT = "front"
    """The contenders of a Pareto front on unseen seeds."""
    MEASURE = "measure"
    """A promoted candidate on unseen seeds."""


class OpenQuestion(Frozen):
    """A question of the optimiser whose games are not all played, or not told yet."""

    id: int
    first: tuple[float, ...]
    second: tuple[float, ...]
    pairs: int
    base: str
    """Hash of the champion's text that both points are made from."""


class OpenGate(Frozen):
    """A candidate that is being judged."""

    number: int
    """Of the gate's tests in this run, from 1."""
    point: tuple[float, ...]
    text: str
    """The candidate's whole weights file."""
    origin: str
    """The strategy that proposed it."""
    gains: tuple[float, ...] = ()
    """Per seed, in their order, what has been counted: see `SeedScore.gain`."""
    own: tuple[float, ...] = ()
    """The candidate's own scores on the same seeds."""
    unchanged: tuple[bool, ...] = ()
    """Whether both sides played the very same games."""
    against_pool: bool = False
    """It has passed against the champion, and plays the pool now."""
    games: int = 0
    failed_games: int = 0
    """Games in which the candidate failed to answer."""


class FrontMember(Frozen):
    """A configuration that no other of the front beats in everything."""

    name: str
    """A number, or that it is the present one."""
    text: str
    """Its whole weights file."""
    values: dict[str, float]
    """By objective, measured on seeds that chose nothing."""
    errors: dict[str, float]
    """Their standard errors."""


class PromotedCandidate(Frozen):
    """A candidate that was promoted and is being measured: it is the champion already, whatever is killed now."""

    former: str
    """Text of the champion before."""
    facts: IterationFacts


class TuningState(Frozen):
    """All that decides what a run does next."""

    version: int = 2
    campaign: str
    seed: int
    """The run's chance: seeds of games, and the optimiser's."""
    snake: str
    """The weights' file that is tuned."""
    phase: TuningPhase = TuningPhase.BASELINE
    chapter: int = 1
    """Counts the optimisers of this run: another one begins where the weights are edited by hand, or the strategy, the
    rules or the inert weights change."""
    reference: str
    """Text of the weights that the run started from."""
    champion: str
    """Text of the best weights."""
    inert: tuple[str, ...] = ()
    """Weights that the screen found to change no move: left out."""
    screen_due: bool = False
    crossing_due: bool = False
    """Whether it is to be found out which weights matter together."""
    screens: int = 0
    """Screens begun."""
    deepened: int = Field(default=0, ge=0, exclude_if=lambda times: times == 0)
    """How often the search's games have been made dearer, because cheaper ones misled it or showed it nothing."""
    searched_games: int = Field(default=0, ge=0, exclude_if=lambda games: games == 0)
    """Games of this chapter's search since its last candidate."""
    strategy: str
    optimiser: str = ""
    """The optimiser's own state; empty: it is to be made."""
    questions: tuple[OpenQuestion, ...] = ()
    bases: dict[str, str] = Field(default_factory=dict)
    """Hash -> text of the champions that open questions are made from."""
    gate: OpenGate | None = None
    gates: int = 0
    """The gate's tests begun."""
    measurements: int = 0
    iteration: int = 0
    """Candidates judged."""
    total_games: int = 0
    """Games that counted; those of dropped jobs are not among them."""
    failed_games: int = 0
    accepted: int = 0
    since_improvement: int = 0
    games_at_iteration: int = 0
    """`total_games` when the last candidate was judged."""
    failures: int = 0
    """Jobs in a row that could not be played."""
    empty: int = 0
    """Candidates in a row that were no change at all."""
    side_games: dict[str, int] = Field(default_factory=dict)
    side_failures: dict[str, int] = Field(default_factory=dict)
    """By side (`champion`, `candidate`, `explorer`, `opponent`): games of the whole run, and those of them in which it
    failed to answer."""
    promoted: PromotedCandidate | None = None
    """In the phase MEASURE: what was promoted, and its log line as far as it is known."""
    contenders: tuple[str, ...] = ()
    """In the phase FRONT: the texts that are measured."""
    front: tuple[FrontMember, ...] = ()
    """With several objectives: what there is to choose from."""
    best: MeasuredRate | None = None
    measurement_due: bool = True


_SIDES = {
    "probe": ("explorer", "explorer"),
    "gate": ("candidate", "champion"),
    "no_regression": ("candidate", "opponent"),
    "measurement": ("champion", "reference"),
    "screen": ("explorer", "champion"),
    "tournament": ("entrant", "entrant"),
}


def sides_of_job(kind: str, job: str, participants: int) -> tuple[str, ...]:
    """What each participant of a job of games is in its run; "" for a kind of another version.

    Args:
        kind: of the job; job: its id, whose end says which half of a comparison against opponents it is.
    """
    first, second = _SIDES.get(kind, ("", ""))
    if job.endswith("/second"):
        first = "explorer" if kind == "probe" else "champion"
    if job.endswith(("/first", "/second")):
        second = "opponent"
    return first, *[second] * (participants - 1)
