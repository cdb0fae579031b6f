"""What stands beside an exported champion: how it was proved, and what it takes of a machine."""

from pydantic import AwareDatetime, Field

from schemas.exported_model import ExportedModel
from schemas.frozen import Frozen


class ParityFigures(Frozen):
    """How closely the file says what its network says."""

    positions: int = Field(ge=1)
    logits_error: float = Field(ge=0)
    value_error: float = Field(ge=0)
    """Largest absolute differences between torch and onnxruntime."""
    batch_error: float = Field(ge=0)
    """Largest difference between a position evaluated alone and in a batch, by onnxruntime."""


class ServingFigures(Frozen):
    """What the process that served the model was measured to take; see `PerformanceBenchmark`."""

    server: str
    decisions: int = Field(ge=1)
    p50_ms: float
    p99_ms: float
    memory_mb: float
    start_s: float
    ready: bool
    """Within both limits, as measured of the server that production runs."""
    reasons: list[str]
    """Why not, in words: what is broken, or could not be checked."""


class Int8Figures(Frozen):
    """The int8 form of a model, and its duels with the float form."""

    kept: bool
    """True: found not worse than the float form by `margin`."""
    reason: str
    bytes: int = Field(ge=1)
    win_rate: float | None = Field(ge=0, le=1)
    low: float | None
    high: float | None
    """Against the float form, with its 95 % interval; None: no game was played."""
    games: int = Field(ge=0)
    margin: float
    alpha: float
    """Chance of keeping a form that is worse by `margin`."""
    seed: int


class ProductionCard(Frozen):
    """The model card beside `champion.onnx`."""

    model: ExportedModel
    exported_at: AwareDatetime
    bytes: int = Field(ge=1)
    parity: ParityFigures
    serving: ServingFigures | None
    """None: not measured."""
    int8: Int8Figures | None
    """None: not tried."""
    golden_positions: int = Field(ge=0)
    golden_seed: int
