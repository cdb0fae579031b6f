"""The Go-weight tuner's words."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field

from schemas.frozen import Frozen


class AcceptRule(StrEnum):
    """When a candidate counts as better."""

    SPRT = "sprt"
    """A sequential probability ratio test on paired games, then a confirming re-measurement on unseen seeds."""
    MEAN = "mean"
    """The guide's plain comparison of two means; its power at 30 games is about 5 %, and a warning says so."""


class TunerSettings(Frozen):
    """How weights are varied, measured and kept."""

    games: int = Field(default=30, ge=2)
    """Games per look at a candidate: the size of a batch between two looks of the sequential test, or, with
    `accept=mean`, of the whole comparison. Even: every seed is played from both seats."""
    baseline_games: int = Field(default=50, ge=2)
    max_games: int = Field(default=2000, ge=2)
    """A candidate undecided after so many games is not kept."""
    confirm_games: int = Field(default=200, ge=2)
    """Fresh paired games on which an accepted candidate is measured again."""
    checkpoint_interval: int = Field(default=10, ge=1)
    """Iterations between checkpoints; one is also written at every stop and every accepted candidate."""
    max_iterations: int | None = Field(default=None, ge=1)
    min_improvement: float = Field(default=0.001, ge=0, lt=0.5)
    """Gain in win rate below which a better mean is not kept (rule `mean`), and the null side of the test."""
    target_improvement: float = Field(default=0.05, gt=0, lt=0.5)
    """Gain in win rate that the sequential test is built to find (its alternative)."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Error rate of keeping a candidate that is not better."""
    beta: float = Field(default=0.10, gt=0, lt=0.5)
    """Error rate of dropping one that is better by `target_improvement`."""
    accept: AcceptRule = AcceptRule.SPRT
    perturbation: float = Field(default=0.15, gt=0, le=1)
    """Relative size of a random change of one weight."""
    weights_per_candidate_min: int = Field(default=3, ge=1)
    weights_per_candidate_max: int = Field(default=5, ge=1)
    stagnation_warning_after: int = Field(default=100, ge=1)
    parallel_games: int | None = Field(default=None, ge=1)
    """Games at once; None: chosen from the number of cores."""
    width: int = Field(default=11, ge=3, le=25)
    height: int = Field(default=11, ge=3, le=25)
    ruleset: str = "standard"
    map: str = "standard"
    max_turns: int = Field(default=1000, ge=1)
    """A game still running then is a draw, counted as `turn_limit`."""
    timeout_ms: int = Field(default=500, ge=1)
    snake_dir: Path | None = None
    """Folder of the Go snake; None: the bundled one."""
    build_command: str = "go build -o {output} ."
    """Run in a scratch copy of `snake_dir`; `{output}` is the binary to write."""
    run_command: str = "{binary}"
    """Starts a built snake; `{binary}` and `{port}` are filled in, and PORT is in its environment."""
    config_file: str = "config.yaml"
    """The weights, relative to `snake_dir`."""
    weight_spec: Path | None = None
    """Overrides of the kinds, bounds and steps derived from the YAML."""
    opponents: list[str] = Field(default_factory=list)
    """URLs of running snakes, or folders of other Go snakes; empty: the best configuration so far."""
    seed: int | None = Field(default=None, ge=0, lt=2**63)
