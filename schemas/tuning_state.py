"""Where a tuning run stands: all that its next step depends on, as the ledger keeps it."""

from enum import StrEnum

from pydantic import Field

from schemas.campaign import IterationFacts, MeasuredRate
from schemas.frozen import Frozen


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
