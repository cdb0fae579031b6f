"""Everything that production needs of a champion, in one folder, proved before it appears there.

`champion.onnx`; `champion.safetensors` (full weights, to go on training from); `champion.int8.onnx` if games showed no
loss; `model_card.json` (`schemas.exported_model.ProductionCard`); `golden_positions.jsonl.gz` (see
`requests.golden_positions`); `SHA256SUMS` over all of them, as `sha256sum --check` reads it, written last.
"""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import torch

from pipeline.export.benchmark import PerformanceBenchmark
from pipeline.export.onnx_export import WEIGHTS_SUFFIX, export_onnx
from pipeline.export.parity import POSITIONS, Parity, check_parity
from pipeline.export.quantize import LossTest, judge_int8, quantize
from pipeline.export.real_positions import golden_positions
from pipeline.serve.command import CHAMPION_FILE
from pipeline.serve.onnx_model import OnnxModel
from schemas.errors import ExportError
from schemas.exported_model import ExportCard, Int8Figures, ParityFigures, ProductionCard, ServingFigures
from schemas.files import write_atomic

INT8_FILE: Final = "champion.int8.onnx"
CARD_FILE: Final = "model_card.json"
GOLDEN_FILE: Final = "golden_positions.jsonl.gz"
SUMS_FILE: Final = "SHA256SUMS"
_WEIGHTS_FILE: Final = str(Path(CHAMPION_FILE).with_suffix(WEIGHTS_SUFFIX))
_GOLDEN_SEED: Final = 9_100


def _say_nothing(words: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class BundleOptions:
    """What is done beyond exporting."""

    parity_positions: int = POSITIONS
    golden_positions: int = 1000
    int8: LossTest | None = field(default_factory=LossTest)
    """How the int8 form is judged; None: none is made."""
    validate_inference_time: bool = True
    """Refuse a model that breaks a limit of production (what cannot be measured here is told, and stands on the card);
    False: measure nothing."""


def write_bundle(
    network: torch.nn.Module,
    card: ExportCard,
    folder: Path,
    *,
    benchmark: PerformanceBenchmark,
    now: datetime,
    options: BundleOptions | None = None,
    tell: Callable[[str], None] = _say_nothing,
) -> ProductionCard:
    """Export `network` into `folder`; what stood there before stays until everything is proved.

    Raises:
        ExportError: the exporter failed, file and network differ, or a limit of production is broken.
        MachineError, SnakeError: the server that is measured does not start.
        OSError: the folder cannot be written.
    """
    options = options or BundleOptions()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ouroboros-bundle-") as name:
        draft = Path(name)
        champion = draft / CHAMPION_FILE
        contract = export_onnx(network, champion, card=card)
        parity = check_parity(network, champion, positions=options.parity_positions)
        tell(
            f"parity on {parity.positions} positions: logits {parity.logits_error:.1e}, value {parity.value_error:.1e}"
        )
        serving = _measure(champion, benchmark, tell) if options.validate_inference_time else None
        int8 = _try_int8(champion, draft / INT8_FILE, options.int8, tell) if options.int8 is not None else None
        golden = golden_positions(OnnxModel(champion), options.golden_positions, _GOLDEN_SEED)
        (draft / GOLDEN_FILE).write_bytes(golden)
        whole = ProductionCard(
            model=contract,
            exported_at=now,
            bytes=champion.stat().st_size,
            parity=_parity_figures(parity),
            serving=serving,
            int8=int8,
            golden_positions=options.golden_positions,
            golden_seed=_GOLDEN_SEED,
        )
        (draft / CARD_FILE).write_text(whole.model_dump_json(indent=2) + "\n")
        _move_in(draft, folder)
    return whole


def _measure(champion: Path, benchmark: PerformanceBenchmark, tell: Callable[[str], None]) -> ServingFigures:
    ready, metrics = benchmark.validate_production_readiness(champion)
    figures = ServingFigures(
        server=metrics["server"],
        decisions=metrics["decisions"],
        p50_ms=metrics["inference_time_p50_ms"],
        p99_ms=metrics["inference_time_ms"],
        memory_mb=metrics["memory_usage_mb"],
        start_s=metrics["start_s"],
        ready=ready,
        reasons=[*metrics["reasons"], *(f"not checked: {words}" for words in metrics.get("unchecked", []))],
    )
    tell(f"served by {figures.server}: p99 {figures.p99_ms:.2f} ms, {figures.memory_mb:.1f} MB")
    for words in metrics.get("unchecked", []):
        tell(f"⚠ not checked here: {words}")
    if metrics["reasons"]:
        raise ExportError(
            f"the model is not fit for production: {'; '.join(metrics['reasons'])}",
            where="tournament.max_inference_time_ms, tournament.max_memory_mb",
            remedy="Train a lighter network, raise the limit, or export without validate_inference_time.",
        )
    return figures


def _try_int8(champion: Path, target: Path, test: LossTest, tell: Callable[[str], None]) -> Int8Figures:
    quantize(champion, target)
    figures = judge_int8(champion, target, test)
    tell(f"int8 {'kept' if figures.kept else 'dropped'} after {figures.games} games: {figures.reason}")
    if not figures.kept:
        target.unlink()
    return figures


def _parity_figures(parity: Parity) -> ParityFigures:
    return ParityFigures(
        positions=parity.positions,
        logits_error=parity.logits_error,
        value_error=parity.value_error,
        batch_error=parity.batch_error,
    )


def _move_in(draft: Path, folder: Path) -> None:
    """Put every file in its place, the model after its weights and the checksums last."""
    order = [GOLDEN_FILE, CARD_FILE, _WEIGHTS_FILE, INT8_FILE, CHAMPION_FILE]
    (folder / SUMS_FILE).unlink(missing_ok=True)  # while it is away, what stands here is no whole bundle
    sums = []
    for name in order:
        if not (draft / name).exists():
            (folder / name).unlink(missing_ok=True)
            continue
        content = (draft / name).read_bytes()
        write_atomic(folder / name, content)
        sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    write_atomic(folder / SUMS_FILE, "".join(sums))
