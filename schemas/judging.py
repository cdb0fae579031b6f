"""By what games and limits a model is judged."""

from pydantic import Field

from schemas.adjustable import Adjustable


class TournamentConfig(Adjustable):
    """Tournaments, promotion and the limits of production."""

    games_per_matchup: int = Field(default=200, ge=2)
    """Games between two models, every seed from all seats; rounded up to whole seeds."""
    confidence_level: float = Field(default=0.95, gt=0.5, lt=1)
    """Of every interval that is told."""
    first_champion_floor: str | None = "voronoi"
    """Kind of compiled heuristic that a model has to beat to become champion where there is none: by the sequential
    test of promotions, in duels on fresh seeds, each from both seats. None: the first model becomes champion untested,
    which only tests with networks too small to win should ask for."""
    minimum_improvement: float = Field(default=0.02, ge=0, lt=0.5)
    """Gain in win rate against the champion that the promotion test is built to find."""
    min_win_rate_vs_heuristic: float = Field(default=0.65, ge=0, le=1)
    """Win rate in duels with the strong heuristic below which a model is not called production ready."""
    max_inference_time_ms: float = Field(default=10, gt=0)
    """p99 of one decision, batch size 1."""
    max_memory_mb: float = Field(default=50, gt=0)
    """Resident memory of a process that serves the model."""
    promotion_alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Error rate of all promotion tests of a run together: the chance that any useless challenger passes."""
    promotion_beta: float = Field(default=0.10, gt=0, lt=0.5)
    """Chance of dropping a challenger that is better by `minimum_improvement`."""
    max_promotion_games: int = Field(default=10_000, ge=2)
    """Games after which an undecided challenger is not promoted; a gain of 0.02 needs about so many to be found."""
    judging_share: float = Field(default=0.15, gt=0, lt=0.9)
    """Share of a training run's time that is kept for judging what it makes. Measuring a candidate takes a third of it
    at the most, its duels another third; a challenger that is not proven better by then is not promoted. What a won
    test asks for besides is played to its end. Every number of games above is the most that is played."""
    remeasure_games: int = Field(default=1000, ge=2)
    """Fresh games that measure a new champion after the decision."""
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    """Seed of tournaments asked for by hand; None: one is drawn, and stored with the result."""
