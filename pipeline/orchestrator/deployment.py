"""The champion on its way to production: exported, compared with torch, measured in a process that serves it."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.evaluation.evaluator import ModelPerformanceEvaluator
from pipeline.evolution.registry import ModelRegistry
from pipeline.export.benchmark import PerformanceBenchmark
from pipeline.export.load_champion import load_champion_model
from pipeline.export.onnx_export import WEIGHTS_SUFFIX, export_onnx
from pipeline.export.parity import check_parity
from pipeline.serve.contract import read_contract
from schemas.errors import ExportError, ModelError
from schemas.exported_model import ExportCard
from schemas.files import write_atomic
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
    refuse: bool = False,
    optimize: bool = True,
) -> Exported:
    """Export a registered model and prove it: parity on real positions always, speed and memory if `measure`.

    What stands at `path` stays until all of that holds. Limits that are broken are told, not hidden: `reasons`.

    Args:
        measure: serve it, and measure that.
        refuse: a broken limit is an error.
        optimize: fold constants and drop what is never used.

    Raises:
        ExportError: the exporter failed, the file answers otherwise than the network, or a limit is broken.
        ModelError: no such model.
    """
    network, _ = registry.get_model(model_id)
    with tempfile.TemporaryDirectory(prefix="ouroboros-export-") as name:
        draft = Path(name) / path.name
        export_onnx(network, draft, card=export_card(registry.shelf.card(model_id)), optimize=optimize)
        parity = check_parity(network, draft)
        error = max(parity.logits_error, parity.value_error)
        tell(f"  parity with torch on {parity.positions:,} positions: largest error {error:.1e}")
        ready, metrics = PerformanceBenchmark(settings).validate_production_readiness(draft) if measure else (None, {})
        if measure:
            ModelPerformanceEvaluator(settings, registry=registry.shelf).note_production_check(model_id, metrics)
            _tell_measured(metrics, tell)
        if refuse and ready is False:
            raise _unready(model_id, metrics["reasons"], path)
        path.parent.mkdir(parents=True, exist_ok=True)
        for target in (path.with_suffix(WEIGHTS_SUFFIX), path):  # an ONNX file always has its weights
            write_atomic(target, draft.with_name(target.name).read_bytes())
    times = (metrics.get("inference_time_ms"), metrics.get("memory_usage_mb"))
    return Exported(path, model_id, error, *times, ready, tuple(metrics.get("reasons", ())))


def exported_model(path: Path) -> str | None:
    """Which model an export holds; None: there is none, or not a whole one (a kill came between its two files)."""
    if not path.exists():
        return None
    try:
        load_champion_model(path)
        return read_contract(path).model_id
    except ModelError:
        return None


def _tell_measured(metrics: Mapping[str, Any], tell: Callable[[str], None]) -> None:
    tell(
        f"  served by {metrics['server']}: p50 {metrics['inference_time_p50_ms']:.2f} ms,"
        f" p99 {metrics['inference_time_ms']:.2f} ms, {metrics['memory_usage_mb']:.0f} MB"
    )
    for reason in metrics["reasons"]:
        tell(f"  ⚠ {reason}")


def _unready(model_id: str, reasons: Sequence[str], path: Path) -> ExportError:
    return ExportError(
        f"{model_id} is not fit for production: {'; '.join(reasons)}",
        where=str(path),
        remedy="Train a lighter network, raise the limits in `tournament`, or export without validation.",
    )


def champion_of(registry: ModelRegistry) -> ModelCard:
    """The champion's card.

    Raises:
        ModelError: there is none.
    """
    champion = registry.shelf.champion()
    if champion is None:
        raise ModelError("there is no champion yet", where="champion", remedy="Train a model first: ouroboros train.")
    return champion
