"""The champion on its way to production: exported, compared with torch, measured in a process that serves it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.evaluation.evaluator import ModelPerformanceEvaluator
from pipeline.evolution.registry import ModelRegistry
from pipeline.export.benchmark import PerformanceBenchmark
from pipeline.export.onnx_export import export_onnx
from pipeline.export.parity import check_parity
from schemas.errors import ExportError, ModelError
from schemas.exported_model import ExportCard
from schemas.model import ModelCard
from schemas.settings import Settings

PRODUCTION_FILE = "champion.onnx"


@dataclass(frozen=True)
class Exported:
    """What was exported, and what was measured of it."""

    path: Path
    model_id: str
    largest_error: float
    """Against torch, over real positions."""
    inference_time_ms: float | None
    """p99 of a decision; None: not measured."""
    memory_mb: float | None
    ready: bool | None
    """Within the limits of production; None: not measured."""
    reasons: tuple[str, ...]


def export_card(card: ModelCard) -> ExportCard:
    """What the file tells of the model: its win rate with the games behind it, if it was measured."""
    rate = card.win_rate
    known = (
        {
            "win_rate": rate.value,
            "win_rate_low": rate.low,
            "win_rate_high": rate.high,
            "games": rate.games,
            "opponent": "heuristic:strong",
        }
        if rate is not None
        else {}
    )
    return ExportCard.model_validate({"model_id": card.id, "version": str(card.version)} | known)


def export_model(
    registry: ModelRegistry,
    settings: Settings,
    model_id: str,
    path: Path,
    *,
    measure: bool,
    tell: Callable[[str], None],
    optimize: bool = True,
) -> Exported:
    """Export a registered model and prove it: parity on real positions always, speed and memory if `measure`.

    The file appears at `path` only after parity holds. Limits that are broken are told, not hidden: `reasons`.

    Raises:
        ExportError: the exporter failed, or the file answers otherwise than the network.
        ModelError: no such model.
    """
    network, _ = registry.get_model(model_id)
    card = export_card(registry.shelf.card(model_id))
    path.parent.mkdir(parents=True, exist_ok=True)
    export_onnx(network, path, card=card, optimize=optimize)
    parity = check_parity(network, path)
    error = max(parity.logits_error, parity.value_error)
    tell(f"  parity with torch on {parity.positions:,} positions: largest error {error:.1e}")
    if not measure:
        return Exported(path, model_id, error, None, None, None, ())
    ready, metrics = PerformanceBenchmark(settings).validate_production_readiness(path)
    tell(
        f"  served by {metrics['server']}: p50 {metrics['inference_time_p50_ms']:.2f} ms,"
        f" p99 {metrics['inference_time_ms']:.2f} ms, {metrics['memory_usage_mb']:.0f} MB"
    )
    ModelPerformanceEvaluator(settings, registry=registry.shelf).note_production_check(model_id, metrics)
    for reason in metrics["reasons"]:
        tell(f"  ⚠ {reason}")
    times = (metrics["inference_time_ms"], metrics["memory_usage_mb"])
    return Exported(path, model_id, error, *times, ready, tuple(metrics["reasons"]))


def champion_of(registry: ModelRegistry) -> ModelCard:
    """The champion's card.

    Raises:
        ModelError: there is none.
    """
    champion = registry.shelf.champion()
    if champion is None:
        raise ModelError("there is no champion yet", where="champion", remedy="Train a model first: ouroboros train.")
    return champion


def refuse_unready(exported: Exported) -> None:
    """Remove a file that breaks a limit of production.

    Raises:
        ExportError: it does; says which.
    """
    if exported.ready is False:
        exported.path.unlink(missing_ok=True)
        raise ExportError(
            f"{exported.model_id} is not fit for production: {'; '.join(exported.reasons)}",
            where=str(exported.path),
            remedy="Train a lighter network, raise the limits in `tournament`, or export without validation.",
        )
