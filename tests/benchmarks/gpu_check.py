"""What a machine gets out of self-play training: `python tests/benchmarks/gpu_check.py [--small] [--minutes 4]`.

Prints positions a second acting and training, the share of the time in which the GPU computes nothing, kernels a step,
memory, how the learner does against `strong` before and after, and how far ONNX on this device is from torch. On a
machine without a GPU it says so and measures the CPU; what only a GPU has is told as `-`. `--small` takes seconds: a
tiny network and few games, to see that everything runs.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch.profiler import ProfilerActivity, profile

from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.evaluation.block_scores import count_blocks
from pipeline.evolution.batches import to_tensors
from pipeline.evolution.device import choose_device, prepare_cpu
from pipeline.evolution.league import phase_curriculum
from pipeline.evolution.networks import Network, build_network
from pipeline.evolution.policy import TorchPolicy
from pipeline.evolution.ppo_loss import LossWeights
from pipeline.evolution.ppo_trainer import PpoTrainer
from pipeline.export.onnx_export import export_onnx
from pipeline.export.real_positions import real_positions
from pipeline.simulator.competitor import every_seating, from_policy, heuristic, seatings_of
from pipeline.simulator.matches import play_matches
from schemas.exported_model import ExportCard
from schemas.network import light_network
from schemas.phases import DataSource, TrainingPhaseConfig
from schemas.self_play import SelfPlaySettings
from schemas.settings import PRESETS, Settings, load

DEPLOY = Path(__file__).parents[2] / "deploy"
SMALL = Settings(
    neural_network=light_network().model_copy(update={"conv_channels": 4, "hidden_layers": [8], "ground_steps": 0}),
    self_play=SelfPlaySettings(environments=8, rollout_turns=4, update_epochs=1, crowd_from=1.0),
    training_phases={
        "self_play": TrainingPhaseConfig(batch_size=16, data_source=DataSource.SELF_PLAY, heuristic_mix_ratio=0.5)
    },
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--minutes", type=float, default=4.0)
    told = parser.parse_args()
    device = choose_device()
    name = "gpu-training" if device.type == "cuda" else "cpu-training"
    settings = SMALL if told.small else load(DEPLOY / PRESETS[name])
    prepare_cpu()
    torch.manual_seed(0)
    network = build_network(settings.neural_network).to(device)
    found: dict[str, Any] = {"device": _device_name(device), "network": network.parameter_count}
    found |= _throughput(network, settings, device)
    found |= _curve(network, settings, device, 2.0 if told.small else 30 * told.minutes, 4 if told.small else 200)
    found |= _parity(network, device, 32 if told.small else 2000)
    found |= _memory(device)
    for key, value in found.items():
        print(f"{key:<34} {value if value is not None else '-'}")
    print(json.dumps(found))


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU: the CPU"


@contextmanager
def _trainer(network: Network, settings: Settings) -> Iterator[tuple[PpoTrainer, TrainingPhaseConfig]]:
    phase = settings.training_phases["self_play"]
    with PpoTrainer(network, phase, settings, 1, lambda: None) as trainer:
        yield trainer, phase
    network.low_precision = network.recompute = network.pack_leaves = False


def _throughput(network: Network, settings: Settings, device: torch.device) -> dict[str, Any]:
    """One update after a first that compiles and warms up: its two halves apart, and profiled where there is a GPU."""
    with _trainer(network, settings) as (trainer, phase):
        stage = phase_curriculum(phase, settings.self_play, 0.5)
        trainer.update(stage)
        _wait(device)
        began, cpu = time.perf_counter(), time.process_time()
        samples, _ = trainer._play(stage)
        _wait(device)
        acted = time.perf_counter()
        weights = LossWeights.of(settings.self_play, stage.teacher)
        trainer._learn(samples, weights)
        _wait(device)
        ended, positions = time.perf_counter(), len(samples.moves)
        steps = max(1, positions * settings.self_play.update_epochs // phase.batch_size)
        kernels, busy = _kernels(lambda: trainer.update(stage), device, steps)
    return {
        "positions_per_s_acting": round(positions / (acted - began)),
        "positions_per_s_training": round(positions / (ended - acted)),
        "positions_per_s_both": round(positions / (ended - began)),
        "positions_per_cpu_s": round(positions / (time.process_time() - cpu)) if device.type == "cpu" else None,
        "gpu_idle_share": busy,
        "kernels_per_step": kernels,
    }


def _kernels(work: Any, device: torch.device, steps: int) -> tuple[int | None, float | None]:
    """Kernels for each step of the optimizer, and the share of the time in which none ran."""
    if device.type != "cuda":
        return None, None
    began = time.perf_counter()
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        work()
        _wait(device)
    took_us = (time.perf_counter() - began) * 1e6
    events = [event for event in profiled.events() or [] if event.device_type.name == "CUDA"]
    return len(events) // steps, round(1 - min(1.0, sum(event.device_time for event in events) / took_us), 3)


def _curve(network: Network, settings: Settings, device: torch.device, seconds: float, games: int) -> dict[str, Any]:
    """The score in duels with `strong` before and after so many seconds of learning."""
    before, updates, began = _score(network, games), 0, time.perf_counter()
    with _trainer(network, settings) as (trainer, phase):
        while (spent := time.perf_counter() - began) < seconds or not updates:
            trainer.update(phase_curriculum(phase, settings.self_play, min(1.0, spent / seconds)))
            updates += 1
        decisions = trainer.decisions
    scores = {"score_against_strong_before": before, "score_against_strong_after": _score(network, games)}
    return scores | {"learned_s": round(spent, 1), "learned_updates": updates, "learned_positions": decisions}


def _score(network: Network, games: int) -> float:
    pair = [from_policy(TorchPolicy(network, "learner")), heuristic("strong")]
    finished = play_matches(
        pair, *every_seating(seatings_of(2, 2), fresh_seeds(5, games // 2)), GameConditions(snakes=2)
    )
    return round(float(np.mean(count_blocks(finished, 2, 2).scores[:, 0, 1])), 3)


def _parity(network: Network, device: torch.device, rows: int) -> dict[str, Any]:
    """The largest difference of logits and values between torch and ONNX on real positions, on this device."""
    positions = real_positions(rows, 1)
    provider = "CUDAExecutionProvider" if device.type == "cuda" else "CPUExecutionProvider"
    if provider not in onnxruntime.get_available_providers():
        return {"onnx_parity": None, "onnx_provider": "this onnxruntime has no CUDA"}
    network.eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_onnx(network, path, card=ExportCard(model_id="check", version="1"))
        session = onnxruntime.InferenceSession(str(path), providers=[provider])
        inputs = {key: np.ascontiguousarray(t.numpy()) for key, t in to_tensors(positions)._asdict().items()}
        said = session.run(["policy_logits", "value"], inputs)
    with torch.no_grad():
        expected = [tensor.cpu().numpy() for tensor in network(*to_tensors(positions, device))]
    error = max(float(np.abs(a - b).max()) for a, b in zip(expected, said, strict=True))
    return {"onnx_parity": f"{error:.1e}", "onnx_provider": provider}


def _memory(device: torch.device) -> dict[str, Any]:
    gpu = round(torch.cuda.max_memory_allocated(device) / 1e6) if device.type == "cuda" else None
    return {"gpu_memory_mb": gpu, "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
