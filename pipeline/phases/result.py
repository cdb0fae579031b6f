"""What a phase hands back."""

from dataclasses import dataclass, field

from pipeline.evolution.networks import Network


@dataclass(frozen=True)
class PhaseResult:
    """A trained network, and from what."""

    network: Network
    summary: str
    """One line for a person: what was learned from, and how well."""
    games: int
    """Games that the phase played for training, over all parts of the run; those before a kill are counted once."""
    games_learned: int
    positions_learned: int
    data_sources: tuple[str, ...]
    seed: int
    stopped: bool = False
    """Somebody asked it to stop: everything is in its checkpoints, and the same orders go on from there."""
    numbers: dict[str, float] = field(default_factory=dict)
    """Last values of its curves."""
    judged_as: str | None = None
    """The registered model it is already, if the phase had it registered and judged by itself."""
