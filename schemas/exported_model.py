"""An exported model: what `champion.onnx` tells of itself, how it was proved, and what it takes of a machine."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime, Field

from schemas.base import Frozen
from schemas.network import NeuralNetworkConfig


class Precision(StrEnum):
    """How the weights are stored and multiplied."""

    FLOAT32 = "float32"
    INT8 = "int8"


class ExportCard(Frozen):
    """What the exporter is told of a model; all of it is written into the file."""

    model_id: str = Field(min_length=1)
    version: str = ""
    win_rate: float | None = Field(default=None, ge=0, le=1)
    """Against `opponent`; None: not measured."""
    win_rate_low: float | None = Field(default=None, ge=0, le=1)
    win_rate_high: float | None = Field(default=None, ge=0, le=1)
    """Bounds of the interval of `win_rate`."""
    games: int = Field(default=0, ge=0)
    """Games behind `win_rate`."""
    opponent: str = ""
    """Whom `win_rate` is measured against."""
    rulesets: list[str] = Field(default_factory=lambda: ["standard"], min_length=1)
    """Rulesets the model was trained for; a server answers others without it."""
    most_snakes: int = Field(default=4, ge=1, le=16)
    """The most snakes that began a game of its training."""


class ExportedModel(ExportCard):
    """A model file's whole metadata."""

    format: str = Field(default="ouroboros-model/1", pattern="^ouroboros-model/1$")
    encoder_id: str
    channels: list[str]
    features: list[str]
    context: list[str]
    """Names of the slots of `board_state`, `snake_features` and `game_context`, in order."""
    moves: list[str]
    """Names of the policy's moves, in order."""
    precision: Precision = Precision.FLOAT32
    network: NeuralNetworkConfig | None = None
    """How the network is built; None where the file was not made from one of ours."""
    weights_sha256: str = ""
    """Digest of the safetensors file of the full weights beside it: batch norm unfolded, training heads included."""

    def to_texts(self) -> dict[str, str]:
        """The fields as ONNX keeps metadata: text is itself, everything else is JSON."""
        fields = self.model_dump(mode="json")
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> Self:
        """Read back what `to_texts` wrote; keys that are none of ours are left alone (tools add their own).

        Raises:
            ValueError: a field is missing or malformed (pydantic's ValidationError, or JSON's error).
        """
        fields = {}
        for name, field in cls.model_fields.items():
            if name in texts:
                plain = field.annotation in (str, Precision)
                fields[name] = texts[name] if plain else json.loads(texts[name])
        return cls.model_validate(fields)


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
