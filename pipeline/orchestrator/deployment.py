"""The champion on its way to production: exported, compared with torch, measured in a process that serves it."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.evaluation.evaluator import ModelPerformanceEvaluator, judge_games, judge_step
from pipeline.evaluation.intervals import measure_pairs
from pipeline.evaluation.promotion import play_pairs
from pipeline.evolution.model_registry import ModelRegistry
from pipeline.evolution.policy import TorchPolicy
from pipeline.export.benchmark import PerformanceBenchmark
from pipeline.export.onnx_export import WEIGHTS_SUFFIX, export_onnx, load_champion_model
from pipeline.export.parity import check_parity
from pipeline.phases.context import seed_for
from pipeline.registry.transactions import succession
from pipeline.serve.contract import read_contract
from pipeline.simulator.competitor import from_policy
from schemas.errors import ExportError, ModelError
from schemas.exported_model import ExportCard
from schemas.files import write_atomic
from schemas.model import ModelCard, ModelEventKind
from schemas.settings import Settings
from schemas.training import TournamentConfig

PRODUCTION_FILE = "champion.onnx"
_CROWNING = (ModelEventKind.PROMOTED, ModelEventKind.ROLLED_BACK)


@dataclass(frozen=True)
class Exported:
    """What was exported, and what was measured of it."""

    path: Path
    model_id: str
    largest_error: float
    """Against torch, over real positions."""
    inference_time_ms: float | None
    """p99 of a decision, of the server that production runs; None: not measured."""
    memory_mb: float | None
    unchecked: tuple[str, ...]
    """What of the limits of production could not be checked here, in words."""


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


def deploy(
    registry: ModelRegistry,
    settings: Settings,
    model_id: str,
    path: Path,
    tell: Callable[[str], None],
    *,
    optimize: bool = True,
) -> Exported:
    """Put a champion to production, at `path`, if it passes every check that can be made here.

    What blocks: games (its duels with the strong heuristic were never played, or are below
    `min_win_rate_vs_heuristic`); no regression (it became champion untested, or is found worse than the model that
    stands at `path` and that no champion's test was won against); and all that `export_model` refuses.

    Raises:
        ExportError: it fails one of them; what stands at `path` stays.
        ModelError: no such model.
        MachineError, SnakeError: as `export_model`.
    """
    model_store = registry.model_store
    steps = [event for event in model_store.events(model_id) if event.model_id == model_id and event.kind in _CROWNING]
    reasons = judge_games(model_store.card(model_id), settings.tournament) + judge_step(steps[-1] if steps else None)
    if not reasons:
        reasons = _worse_than_deployed(registry, settings.tournament, model_id, path, tell)
    if reasons:
        raise _unready(model_id, reasons, path)
    return export_model(registry, settings, model_id, path, measure=True, tell=tell, optimize=optimize)


def _worse_than_deployed(
    registry: ModelRegistry, limits: TournamentConfig, model_id: str, path: Path, tell: Callable[[str], None]
) -> list[str]:
    """Let it play the model in production, unless that one is in the line of champions that led to it: then their
    tests have been."""
    before = exported_model(path)
    if before is None or before in succession(registry.model_store.events()):
        return []
    seed = seed_for(0, model_id, before)
    mine = from_policy(TorchPolicy(registry.get_model(model_id)[0], model_id))
    theirs = from_policy(TorchPolicy(load_champion_model(path), before))
    seeds = fresh_seeds(seed, -(-limits.remeasure_games // 2))
    scores = play_pairs(mine, theirs, seeds, GameConditions(snakes=2))
    found = measure_pairs(scores.tolist(), limits.confidence_level)
    words = (
        f"{found.win_rate:.3f} [{found.low:.3f}, {found.high:.3f}] in {found.games} duels with {before}, which is in"
        f" production (seed {seed})"
    )
    tell(f"  {words}")
    return [f"it is worse than what it would replace: {words}"] if found.high < 0.5 else []


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

    What stands at `path` stays until all of that holds. What cannot be measured here (the Rust server is not built)
    refuses nothing: it is told, and stands in `unchecked`.

    Args:
        measure: serve it, measure that, and refuse what breaks a limit of time or memory or answers otherwise.
        optimize: fold constants and drop what is never used.

    Raises:
        ExportError: the exporter failed, the file answers otherwise than the network, or a limit is broken.
        ModelError: no such model.
        MachineError, SnakeError: the server does not start, or does not answer.
    """
    network, _ = registry.get_model(model_id)
    with tempfile.TemporaryDirectory(prefix="ouroboros-export-") as name:
        draft = Path(name) / path.name
        export_onnx(network, draft, card=export_card(registry.model_store.card(model_id)), optimize=optimize)
        parity = check_parity(network, draft)
        error = max(parity.logits_error, parity.value_error)
        tell(f"  parity with torch on {parity.positions:,} positions: largest error {error:.1e}")
        metrics = _measured(registry, settings, model_id, draft, tell) if measure else {}
        if metrics.get("reasons"):
            raise _unready(model_id, metrics["reasons"], path)
        path.parent.mkdir(parents=True, exist_ok=True)
        for target in (path.with_suffix(WEIGHTS_SUFFIX), path):  # an ONNX file always has its weights
            write_atomic(target, draft.with_name(target.name).read_bytes())
    unchecked = tuple(metrics.get("unchecked", ()))
    figures = {} if unchecked else metrics
    times = (figures.get("inference_time_ms"), figures.get("memory_usage_mb"))
    return Exported(path, model_id, error, *times, unchecked)


def _measured(
    registry: ModelRegistry, settings: Settings, model_id: str, draft: Path, tell: Callable[[str], None]
) -> dict[str, Any]:
    _, metrics = PerformanceBenchmark(settings).validate_production_readiness(draft)
    ModelPerformanceEvaluator(settings, registry=registry.model_store).note_production_check(model_id, metrics)
    tell(
        f"  served by {metrics['server']}: p50 {metrics['inference_time_p50_ms']:.2f} ms,"
        f" p99 {metrics['inference_time_ms']:.2f} ms, {metrics['memory_usage_mb']:.0f} MB"
    )
    for words in metrics.get("unchecked", []):
        tell(f"  ⚠ not checked here: {words}")
    return metrics


def exported_model(path: Path) -> str | None:
    """Which model an export holds; None: there is none, or not a whole one (a kill came between its two files)."""
    if not path.exists():
        return None
    try:
        load_champion_model(path)
        return read_contract(path).model_id
    except ModelError:
        return None


def _unready(model_id: str, reasons: Sequence[str], path: Path) -> ExportError:
    return ExportError(
        f"{model_id} is not fit for production: {'; '.join(reasons)}",
        where=str(path),
        remedy="Train on, or a lighter network; the limits are in `tournament`.",
    )


def champion_of(registry: ModelRegistry) -> ModelCard:
    """The champion's card.

    Raises:
        ModelError: there is none.
    """
    champion = registry.model_store.champion()
    if champion is None:
        raise ModelError("there is no champion yet", where="champion", remedy="Train a model first: ouroboros train.")
    return champion
