"""The int8 form of a model, kept only if games show no loss."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from pipeline.engine.observe import Observations
from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.evaluation.block_scores import count_blocks
from pipeline.evaluation.intervals import measure_pairs
from pipeline.evaluation.promotion import sequential_duels
from pipeline.evaluation.sequential import Hypotheses, Verdict
from pipeline.export.onnx_export import write_model
from pipeline.export.real_positions import real_positions
from pipeline.serve.contract import INPUTS, read_contract
from pipeline.serve.onnx_model import OnnxPolicy, to_floats
from pipeline.simulator.competitor import every_seating, from_policy, seatings_of
from pipeline.simulator.matches import play_matches
from schemas.errors import ExportError
from schemas.exported_model import Int8Figures, Precision

CALIBRATION_POSITIONS: Final = 1024
_ROWS: Final = 64


@dataclass(frozen=True)
class LossTest:
    """How the int8 form is judged: a GSPRT on pairs of duels with the float form.

    It tells a mean score of 1/2 (no loss) from one of 1/2 - `margin`; only a decision for "no loss" keeps the file.
    """

    margin: float = 0.02
    alpha: float = 0.05
    """Chance of keeping a form that loses `margin`."""
    beta: float = 0.10
    """Chance of dropping a form that loses nothing."""
    most_games: int = 8000
    seed: int = 8_100


def quantize(source: Path, target: Path, *, positions: int = CALIBRATION_POSITIONS, seed: int = 1) -> None:
    """Write the int8 form of a model file: weights per channel, activations by their range on real positions.

    Only convolutions are: they take nearly all of the time. What follows them is small, decides the move, and keeps
    float32.

    Raises:
        ModelError: `source`, or what came of it, does not keep the contract.
        ExportError: onnxruntime cannot quantize it.
    """
    contract = read_contract(source).model_copy(update={"precision": Precision.INT8})
    with tempfile.TemporaryDirectory(prefix="ouroboros-int8-") as folder:
        prepared, made = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        try:
            quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared),
                str(made),
                _Calibration(real_positions(positions, seed)),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=["Conv"],
            )
        except Exception as error:
            raise ExportError(f"onnxruntime cannot quantize the model: {error}", where=str(source)) from error
        proto = onnx.load(str(made))
    onnx.helper.set_model_props(proto, contract.to_texts())
    write_model(proto, target)


def judge_int8(float_file: Path, int8_file: Path, test: LossTest) -> Int8Figures:
    """Play both forms against each other until the test decides, or for `most_games`.

    Raises:
        ModelError: a file does not keep the contract.
    """
    players = [from_policy(OnnxPolicy(int8_file, "int8")), from_policy(OnnxPolicy(float_file, "float"))]
    most_pairs = max(test.most_games // 2, 1)
    seeds = fresh_seeds(test.seed, most_pairs)

    def pair_scores(first: int, end: int) -> NDArray[np.float64]:
        games = every_seating(seatings_of(2, 2), seeds[first:end])
        return np.asarray(count_blocks(play_matches(players, *games, GameConditions()), 2, 2).scores[:, 0, 1])

    hypotheses = Hypotheses(0.5 - test.margin, 0.5, test.alpha, test.beta)
    run, scores = sequential_duels(pair_scores, hypotheses, most_pairs)
    measured = measure_pairs(scores.tolist())
    words = {
        Verdict.BETTER: f"no loss of {test.margin:.0%} or more",
        Verdict.NOT_BETTER: f"it loses {test.margin:.0%} or more",
        Verdict.UNDECIDED: f"a loss of {test.margin:.0%} could not be ruled out in {measured.games} games",
    }
    return Int8Figures(
        kept=run.verdict is Verdict.BETTER,
        reason=words[run.verdict],
        bytes=int8_file.stat().st_size,
        win_rate=measured.win_rate,
        low=measured.low,
        high=measured.high,
        games=measured.games,
        margin=test.margin,
        alpha=test.alpha,
        seed=test.seed,
    )


class _Calibration(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
    """Real positions, some rows at a time."""

    def __init__(self, rows: Observations) -> None:
        self._parts: Final[Iterator[dict[str, Any]]] = iter(self._split(rows))

    def get_next(self) -> dict[str, Any] | None:
        """Return the next inputs, None after the last."""
        return next(self._parts, None)

    @staticmethod
    def _split(rows: Observations) -> Iterator[dict[str, Any]]:
        for first in range(0, len(rows.planes), _ROWS):
            floats = to_floats(Observations(*(array[first : first + _ROWS] for array in rows)))
            yield dict(zip((tensor.name for tensor in INPUTS), floats, strict=True))
