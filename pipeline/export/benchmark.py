"""Whether a model is fit for production: the speed and memory of a process that really serves it."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import torch

from pipeline.engine.layout import MOVE_WORDS
from pipeline.evolution.model_registry import ModelRegistry
from pipeline.export.onnx_export import export_onnx
from pipeline.export.real_positions import real_requests
from pipeline.export.serving import ServedModel, ServerKind, rust_server, served, why_no_rust_server
from pipeline.serve.command import model_file
from pipeline.serve.onnx_model import OnnxModel, best_moves
from pipeline.serve.request_decoding import EncoderSessions, legal_moves, read_move_request
from schemas.exported_model import ExportCard
from schemas.settings import Settings, get_config

ROUNDS: Final = 5
SEED: Final = 7_100
_LEAST_AGREEMENT: Final = 0.99


@dataclass(frozen=True)
class ServedFigures:
    """What one server was measured to take. Times are of whole requests over localhost, batch size 1."""

    server: ServerKind
    decisions: int
    p50_ms: float
    p99_ms: float
    """Of the quietest of the rounds: what other programs take of the machine can only be added."""
    worst_ms: float
    """Of all rounds."""
    memory_mb: float
    """Resident memory of the serving process, the most seen after any round, minus nothing."""
    start_s: float
    same_moves: float
    """Share of the answers that are the model's own best moves."""


def measure_server(model: Path, kind: ServerKind, *, decisions: int = 1000, seed: int = SEED) -> ServedFigures:
    """Serve `model` in a child process and ask it for `decisions` real decisions, in rounds.

    Raises:
        MachineError, SnakeError: there is no such server, it does not start, or does not answer.
        ModelError: the file does not keep the contract.
    """
    per_round = max(decisions // ROUNDS, 1)
    asked = [each for each, _ in real_requests(per_round, seed)]
    bodies, wanted = [orjson.dumps(request) for request in asked], _wanted_moves(OnnxModel(model), asked)
    rounds: list[list[float]] = []
    memory, answers = 0.0, list[str]()
    with tempfile.TemporaryDirectory(prefix="ouroboros-serve-") as folder, served(model, kind, Path(folder)) as server:
        _ask_all(server, bodies)  # a server's first decisions touch memory that later ones find there
        for _ in range(ROUNDS):
            answers, times = _ask_all(server, bodies)
            rounds.append(times)
            memory = max(memory, server.memory_mb())
        start_s = server.start_s
    quietest = min(rounds, key=lambda times: float(np.percentile(times, 99)))
    return ServedFigures(
        server=kind,
        decisions=per_round * ROUNDS,
        p50_ms=float(np.percentile(quietest, 50)),
        p99_ms=float(np.percentile(quietest, 99)),
        worst_ms=max(max(times) for times in rounds),
        memory_mb=memory,
        start_s=start_s,
        same_moves=float(np.mean([a == w for a, w in zip(answers, wanted, strict=True)])),
    )


def _ask_all(server: ServedModel, bodies: list[bytes]) -> tuple[list[str], list[float]]:
    answered = [server.ask(body) for body in bodies]
    return [move for move, _ in answered], [took_ms for _, took_ms in answered]


def _wanted_moves(model: OnnxModel, requests: list[dict[str, Any]]) -> list[str]:
    sessions, moves = EncoderSessions(), []
    for request in requests:
        asked = read_move_request(request, len(request["board"]["snakes"]))
        rows = sessions.session_for(asked).observe(asked)
        moves.append(MOVE_WORDS[int(best_moves(model.look(rows).policy_logits, legal_moves(rows))[0])])
    return moves


class PerformanceBenchmark:
    """Measures what production asks of a model."""

    def __init__(
        self, settings: Settings | None = None, *, decisions: int = 1000, server: ServerKind | None = None
    ) -> None:
        """Measure by so many decisions, on this server; None: the Rust one where it is built, else the Python one."""
        self._settings: Final = settings or get_config()
        self._decisions: Final = decisions
        self._server: Final = server

    def validate_production_readiness(
        self,
        model: torch.nn.Module | str | Path,
        max_inference_time_ms: float | None = None,
        max_memory_mb: float | None = None,
    ) -> tuple[bool, dict[str, Any]]:
        """Return whether `model` keeps both limits, and what was measured.

        Args:
            model: a network, the path of an ONNX file, or the id of a registered or exported model.
            max_inference_time_ms: for the p99 of one decision, batch 1; None: as the settings say (10).
            max_memory_mb: for the resident memory of the serving process; None: as the settings say (50).

        The metrics: `inference_time_ms` (the p99), `inference_time_p50_ms`, `inference_time_worst_ms`,
        `memory_usage_mb`, `server` (rust or python), `server_reason` (why not rust, where nobody chose), `decisions`,
        `start_s`, `same_moves`, `file_mb`, `load_average`, the two limits, and in words why the model is not ready:
        `reasons` (what it breaks) and `unchecked` (what could not be measured here). Where nobody chose a server and
        the Rust one, which production runs, is not built, the Python one's time and memory are told, but stand for
        nothing: both limits are unchecked.

        Raises:
            ModelError: no such model. ExportError: it cannot be exported.
            MachineError, SnakeError: as `measure_server`.
        """
        limits = self._settings.tournament
        most_ms = limits.max_inference_time_ms if max_inference_time_ms is None else max_inference_time_ms
        most_mb = limits.max_memory_mb if max_memory_mb is None else max_memory_mb
        kind = self._server or (ServerKind.RUST if rust_server() is not None else ServerKind.PYTHON)
        with tempfile.TemporaryDirectory(prefix="ouroboros-model-") as folder:
            path = self._file_of(model, Path(folder))
            figures = measure_server(path, kind, decisions=self._decisions)
            size_mb = path.stat().st_size / (1 << 20)
        missing = "" if self._server else why_no_rust_server()
        reasons = _wrong_answers(figures) + ([] if missing else _broken_limits(figures, most_ms, most_mb))
        unchecked = [f"time and memory of the server that production runs: {missing}"] if missing else []
        return not reasons and not unchecked, {
            "inference_time_ms": figures.p99_ms,
            "inference_time_p50_ms": figures.p50_ms,
            "inference_time_worst_ms": figures.worst_ms,
            "memory_usage_mb": figures.memory_mb,
            "server": figures.server.value,
            "server_reason": missing,
            "decisions": figures.decisions,
            "start_s": figures.start_s,
            "same_moves": figures.same_moves,
            "file_mb": size_mb,
            "load_average": os.getloadavg()[0],
            "max_inference_time_ms": most_ms,
            "max_memory_mb": most_mb,
            "reasons": reasons,
            "unchecked": unchecked,
        }

    def _file_of(self, model: torch.nn.Module | str | Path, folder: Path) -> Path:
        if isinstance(model, torch.nn.Module):
            export_onnx(model, folder / "measured.onnx", card=ExportCard(model_id="measured"))
            return folder / "measured.onnx"
        if not isinstance(model, Path) and not model.endswith(".onnx"):
            registry = ModelRegistry(self._settings)
            if any(card.id == model for card in registry.model_store.list()):
                return self._file_of(registry.get_model(model)[0], folder)
        return model_file(str(model), self._settings)


def _broken_limits(figures: ServedFigures, most_ms: float, most_mb: float) -> list[str]:
    reasons = []
    if figures.p99_ms > most_ms:
        reasons.append(f"one decision takes {figures.p99_ms:.2f} ms (p99); the limit is {most_ms:g} ms")
    if figures.memory_mb > most_mb:
        reasons.append(f"the {figures.server} server takes {figures.memory_mb:.1f} MB; the limit is {most_mb:g} MB")
    return reasons


def _wrong_answers(figures: ServedFigures) -> list[str]:
    if figures.same_moves >= _LEAST_AGREEMENT:
        return []
    return [f"only {figures.same_moves:.1%} of the answers are the model's own best moves"]
