"""Which games are kept, and how they are sampled."""

from pydantic import Field

from schemas.adjustable import Adjustable


class DataSettings(Adjustable):
    """The store of training games and the replay buffer."""

    max_games: int = Field(default=2_000_000, ge=1)
    """Stored games beyond which the oldest files are removed."""
    keep_days: int | None = Field(default=None, ge=1)
    """Age beyond which files of games are removed; None: only their number counts."""
    games_per_file: int = Field(default=2000, ge=1)
    """Games in one file of the store."""
    buffer_size: int = Field(default=100_000, ge=1)
    """Positions labelled by the expert that self-play keeps and learns from again, the newest ones."""
    quality_threshold: float = Field(default=0.0, ge=0, le=1)
    """Games of a lower quality score are stored but not learned from."""
    prioritized_sampling: bool = True
    """Draw of these by how far off the learner was on each; else all alike."""
    max_positions: int = Field(default=400_000, ge=100)
    """Positions that supervised training holds in memory at once (about 1.6 kB each), drawn from all its games."""
    teacher: str = "strong"
    """The heuristic whose games and moves are learned from."""
