"""The Go-weight tuner's settings."""

from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from schemas.base import Frozen
from schemas.tuning_run import WeightValue


class AcceptRule(StrEnum):
    """When a candidate counts as better."""

    SPRT = "sprt"
    """A sequential probability ratio test on paired games, then the same test again on unseen seeds."""
    MEAN = "mean"
    """The guide's plain comparison of two means; it says yes to almost every second change that does nothing, and a
    warning says so."""


class SearchKind(StrEnum):
    """How the next candidate is found; `tuner.search` may also be the dotted name of a class of your own."""

    SPSA = "spsa"
    """Many short matches between two mirrored changes of all weights at once point out a direction (simultaneous
    perturbation stochastic approximation); the candidate is the point reached."""
    AUTO = "auto"
    """`spsa` and `cma_es` race for 4,000 games; the better one goes on."""
    CMA_ES = "cma_es"
    TPE = "tpe"
    GP = "gp"
    NSGA2 = "nsga2"
    RANDOM = "random"
    """The guide's: a random change of a few weights of the best configuration."""
    MOMENTUM = "momentum"
    """Random changes too, but an accepted change is tried once more in the same direction, larger, and a clearly
    losing one in the opposite direction."""


class Objective(StrEnum):
    """What kind of games a candidate is to be better at."""

    DUEL = "duel"
    STANDARD = "standard"
    """Four snakes; every place counts."""
    MIXED = "mixed"
    """Half of the seeds duels, half games of four."""


class Wanted(StrEnum):
    """What a configuration is to be good at."""

    SCORE = "score"
    WIN_RATE = "win_rate"
    """Against each opponent, apart."""
    LENGTH = "length"
    """Long games."""
    SHORT_LENGTH = "-length"
    """Short ones."""
    MOVE_TIME = "move_time"
    """Little thought a move."""


class BackendChoice(StrEnum):
    """Who plays the tuner's games."""

    AUTO = "auto"
    """In one process with the snake where it links the arena package, else over HTTP."""
    HTTP = "http"
    IN_PROCESS = "inprocess"
    """Refused where the snake does not link the arena package."""


MOST_GAMES = 1_000_000
"""Of one comparison; each has seeds of its own."""
_RETIRED = frozenset({"confirm_games"})


class TunerSettings(Frozen):
    """How weights are varied, measured and kept."""

    games: int = Field(default=30, ge=2, le=MOST_GAMES)
    """Games that the gate has played between two commits of its test, or, with `accept=mean`, of the whole comparison.
    Every seed is played from all seats, so an odd number is rounded up."""
    baseline_games: int = Field(default=50, ge=2, le=MOST_GAMES)
    """Games that measure the configuration a campaign starts from."""
    max_games: int = Field(default=10_000, ge=2, le=MOST_GAMES)
    """A candidate undecided after so many games is not kept."""
    pool_start: bool = True
    """Whether a candidate that beats the best must not get worse against the weights that the run began from, once
    those are no longer the best: `measure_games` of each. Not where `opponents` decide."""
    pool_games: int = Field(default=100, ge=2, le=20_000)
    """Games of a candidate that passed, and of the best, against each snake of `pool`."""
    measure_games: int = Field(default=400, ge=2, le=MOST_GAMES)
    """Fresh games on which each new best is measured: against the best before it (the gain that is shown), and
    against the campaign's reference (`best_win_rate`)."""
    checkpoint_interval: int = Field(default=10, ge=1)
    """Iterations between two writings of `checkpoint.json`; it is also written at every stop and every accepted
    candidate. The ledger has every step at once, so nothing hangs on it."""
    max_iterations: int | None = Field(default=None, ge=1)
    """Stop once the campaign has so many iterations, earlier runs included; None: never."""
    min_improvement: float = Field(default=0.001, ge=0, lt=0.5)
    """Gain in win rate below which a better mean is not kept (rule `mean`), and the null side of the test."""
    target_improvement: float = Field(default=0.03, gt=0, lt=0.5)
    """Gain in win rate that the sequential test is built to find (its alternative)."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Chance that a whole campaign keeps anything that is no better: it is spent over all of its tests."""
    beta: float = Field(default=0.10, gt=0, lt=0.5)
    """Chance that a test drops a candidate that is better by `target_improvement`."""
    accept: AcceptRule = AcceptRule.SPRT
    """How a candidate is judged against the best so far."""
    search: str = SearchKind.SPSA.value
    """A `SearchKind`, or `module:Class` (`module.Class`) of an optimiser of your own (`pipeline.tuner.optimise`)."""
    objective: Objective = Objective.DUEL
    """Whose games decide."""
    objectives: tuple[Wanted, ...] = (Wanted.SCORE,)
    """What is wanted. `score` alone is tuned through the gate; several give a Pareto front, searched by NSGA-II, from
    which a person chooses."""
    backend: BackendChoice = BackendChoice.AUTO
    """Where games are played; `auto`: in one process where the snake can, else over HTTP."""
    probe_conditions: dict[str, WeightValue] | None = None
    """Weight path -> value, set in the games that only point the way, to make them cheap: a search budget, say. None:
    what the snake's `weight_spec.yaml` says under `probe_conditions`, else nothing. The key `timeout_ms` is no weight:
    it stands for the setting of that name. Numbers that are smaller than the gate's are doubled where games by them
    have misled the search, or shown it nothing for long (`search_patience_games`)."""
    gate_conditions: dict[str, WeightValue] | None = None
    """The same for the games that decide and measure. None: as in the snake's `weight_spec.yaml`, else nothing: as it
    is deployed."""
    search_patience_games: int = Field(default=15_000, ge=0)
    """Games of the search without a candidate for the gate after which they are made dearer; 0: never."""
    questions_in_flight: int = Field(default=6, ge=1, le=1000)
    """Questions of the search that are played at once. More keep more cores busy; each knows less of the others."""
    screen: bool = True
    """Find out at the start which weights change no move, and leave them out; asked again after each promotion."""
    interactions: bool = True
    """After the first, fourth, sixteenth promotion: find out by 256 cheap games which of the six weights that were
    moved farthest matter together; the report names them."""
    perturbation: float = Field(default=0.15, gt=0, le=1)
    """Relative size of a random change of one weight (`random`)."""
    weights_per_candidate_min: int = Field(default=3, ge=1)
    """The least number of weights that a random candidate changes."""
    weights_per_candidate_max: int = Field(default=5, ge=1)
    """The largest number of weights that a random candidate changes."""
    stagnation_warning_after: int = Field(default=100, ge=1)
    """Iterations without an improvement after which a warning is given."""
    parallel_games: int | None = Field(default=None, ge=1)
    """Games at once on this machine, whatever a cluster's nodes play; None: chosen from the number of cores."""
    width: int = Field(default=11, ge=3, le=25)
    """The board's width in cells."""
    height: int = Field(default=11, ge=3, le=25)
    """The board's height in cells."""
    ruleset: str = "standard"
    """The rules that games are played by, as the official engine names them."""
    map: str = "standard"
    """The map that games are played on, as the official engine names it."""
    max_turns: int = Field(default=1000, ge=1)
    """A game still running then is a draw, counted as `turn_limit`."""
    timeout_ms: int = Field(default=500, ge=1)
    """The API's time-out for one move."""
    start_timeout_s: float = Field(default=20, gt=0)
    """A snake that does not answer so long after its start does not start."""
    build_timeout_s: float = Field(default=300, gt=0)
    """A build that takes longer has failed; the first one downloads and compiles what the snake needs."""
    snake_dir: Path | None = None
    """Folder of the Go snake; None: a working copy of the bundled one, `go-snake` in the state folder."""
    build_command: str = "go build -o {output} ."
    """Run in a scratch copy of `snake_dir`; `{output}` is the binary to write. Empty: nothing is built."""
    run_command: str = "{binary}"
    """Starts a built snake in its scratch copy; `{binary}`, `{port}` and `{config}` (the weights' file) are filled
    in, and PORT is in its environment."""
    config_file: str = "config.yaml"
    """The weights, relative to `snake_dir`."""
    weight_spec: Path | None = None
    """YAML file with overrides of the kinds, bounds and steps that are derived from the weights' file; None:
    `weight_spec.yaml` beside the weights, if there is one."""
    opponents: list[str] = Field(default_factory=list)
    """URLs of running snakes, or folders of other snakes with the same build and run commands; empty: candidate and
    best play each other."""
    pool: list[str] = Field(default_factory=list)
    """Weights files, folders or URLs of snakes that a candidate must not be worse against than the best is."""
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    """Seed of a new campaign; None: one is drawn, and kept in the checkpoint."""

    @property
    def has_front(self) -> bool:
        """Whether several objectives are weighed against each other."""
        return len(self.objectives) > 1 or (Wanted.WIN_RATE in self.objectives and len(self.opponents) > 1)

    @model_validator(mode="before")
    @classmethod
    def _without_retired(cls, given: Any) -> Any:
        """Settings files of 0.1 may hold fields that nothing reads any more."""
        return {key: value for key, value in given.items() if key not in _RETIRED} if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.weights_per_candidate_min > self.weights_per_candidate_max:
            raise ValueError("weights_per_candidate_min: is larger than weights_per_candidate_max")
        if self.search not in set(SearchKind) and not {".", ":"} & set(self.search):
            raise ValueError(f"search: is none of {', '.join(SearchKind)}, and no module:Class")
        if len(set(self.objectives)) < len(self.objectives) or not self.objectives:
            raise ValueError("objectives: name one or more, each once")
        if {Wanted.LENGTH, Wanted.SHORT_LENGTH} <= set(self.objectives):
            raise ValueError("objectives: length and -length are opposites")
        if Wanted.WIN_RATE in self.objectives and not self.opponents:
            raise ValueError("objectives: win_rate needs opponents; against the best it is score")
        if len(self.objectives) == 1 and self.objectives[0] not in (Wanted.SCORE, Wanted.WIN_RATE):
            raise ValueError(
                f"objectives: {self.objectives[0]} alone makes a snake that cares for nothing else; add score"
            )
        if self.has_front and self.search not in (SearchKind.NSGA2, SearchKind.SPSA):
            raise ValueError("search: several objectives are searched by nsga2")
        if self.min_improvement >= self.target_improvement:
            raise ValueError("min_improvement: must be smaller than target_improvement")
        return self
