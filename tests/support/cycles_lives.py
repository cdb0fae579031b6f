"""Tiny cycles of one learner in two runs, killed again and again: `python cycles_lives.py FOLDER CYCLES KILLS...`.

CYCLES a run; for each number of kills the same ones in a state folder of their own. Each life is a fork that dies at a
random one of its file operations. The judge keeps, as the registry does, what it was asked of which cycle, by the
digest of the weights; printed is a line of JSON for each.
"""

import hashlib
import json
import os
import random
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.evolution.networks import Network, build_network
from pipeline.phases.context import PhaseContext, PhaseResult
from pipeline.phases.continuous import Judging, continuous, learner_folder
from schemas.model import ModelCard, ModelStatus, Returned
from schemas.network import ArchitectureType, NeuralNetworkConfig
from schemas.phases import DataSource, TrainingPhaseConfig
from schemas.self_play import OpponentShare, SelfPlaySettings
from schemas.settings import Settings
from schemas.training import DataSettings, TrainingConfiguration, TrainingOptimizationConfig

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CYCLES_PER_RUN = 3
UPDATES = 2
SETTINGS = {
    "neural_network": NeuralNetworkConfig(
        architecture_type=ArchitectureType.CNN_SIMPLE, conv_channels=4, conv_blocks=1, hidden_layers=[8],
        attention_heads=1, dropout_rate=0.0, ground_steps=0,
    ),
    "self_play": SelfPlaySettings(
        environments=4, rollout_turns=8, update_epochs=1, turn_limit=30, updates_per_cycle=UPDATES, expert="voronoi",
        expert_share=0.5, heuristics=[OpponentShare(kind="hungry", weight=1)], teacher=None, table_every_updates=1,
        snapshot_every_updates=2, return_to_champion_after=4, past_selves=2,
    ),
    "training_optimization": TrainingOptimizationConfig(threads=1, checkpoint_interval_s=1e-6, keep_checkpoints=2),
    "data": DataSettings(buffer_size=100),
}  # fmt: skip


def first_network() -> Network:
    torch.manual_seed(1)
    return build_network(Settings(**SETTINGS).neural_network)


def work_of(home: Path, run: str, **changed: Any) -> PhaseContext:
    settings = Settings(home=home, **SETTINGS)
    phase = TrainingPhaseConfig(
        data_source=DataSource.CONTINUOUS, max_epochs=CYCLES_PER_RUN, games_required=10**6, batch_size=16,
        learning_rate=1e-3, heuristic_mix_ratio=0.5,
    )  # fmt: skip
    known: dict[str, Any] = {
        "name": "continuous", "phase": phase, "settings": settings, "configuration": TrainingConfiguration(),
        "folder": settings.pipeline_dir / run / "continuous", "run_id": run, "run_started_at": NOON,
        "base_model": "base", "seed": 7, "budget_s": 6000.0, "report": lambda *_: None, "stop": lambda: False,
        "champion": lambda: "base", "now": lambda: NOON, "tell": lambda _line: None,
    }  # fmt: skip
    return PhaseContext(**known | changed)


class Court:
    """Decides nothing twice and promotes none; what it saw stands in a file of JSON lines."""

    def __init__(self, home: Path) -> None:
        self.path = home / "asked.jsonl"
        self.networks = {"base": first_network()}

    def judging(self) -> Judging:
        return Judging(self.judge, lambda name: self.networks[name], self.note_return)

    def judge(self, made: PhaseResult, name: str, parent: str | None, budget_s: float) -> ModelCard:
        assert budget_s > 0
        tensors = made.network.state_dict()
        digest = hashlib.sha256(b"".join(tensors[key].numpy().tobytes() for key in sorted(tensors))).hexdigest()
        self._write({"cycle": f"{os.environ['RUN']} {name}", "weights": digest, "parent": parent, "games": made.games})
        return ModelCard(
            name=name, architecture="CNN_Simple", training_phase="continuous", network={}, encoder_id="e",
            created_at=NOON, id=f"{os.environ['RUN']} {name}", version=1, status=ModelStatus.REJECTED,
            weights_file="w", sha256="0" * 64, size_bytes=1, parameters=1,
        )  # fmt: skip

    def note_return(self, model_id: str, evidence: Returned) -> None:
        self._write({"returned": model_id, "learner": evidence.learner, "refused": evidence.refused})

    def _write(self, row: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def _live(home: Path, run: str, cycles: int, step: int | None) -> None:
    left = step or 0

    def hook(event: str, args: tuple[object, ...]) -> None:
        nonlocal left
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or event in {"os.rename", "os.remove", "os.mkdir", "os.rmdir"}:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    os.environ["RUN"] = run
    if step is not None:
        sys.addaudithook(hook)
    work = work_of(home, run)
    work = work_of(home, run, phase=work.phase.model_copy(update={"max_epochs": cycles}))
    continuous(work, first_network(), torch.device("cpu"), Court(home).judging())


def _life(home: Path, run: str, cycles: int, step: int | None) -> bool:
    """One forked life; whether it was killed."""
    pid = os.fork()
    if pid == 0:
        try:
            _live(home, run, cycles, step)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - nothing may come back out of a forked child
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    status = os.waitpid(pid, 0)[1]
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status) != 0:
        raise SystemExit("a life failed")
    return os.WIFSIGNALED(status)


def lives(home: Path, cycles: int, kills: int) -> dict[str, Any]:
    """All lives of both runs; what they came to."""
    chance, left, killed = random.Random(5), kills, 0
    home.mkdir(parents=True)
    for run in ("run_1", "run_2"):
        while _life(home, run, cycles, chance.randint(1, 90) if left > 0 else None):
            killed, left = killed + 1, left - 1
    state = CheckpointFolder(learner_folder(work_of(home, "run_2")) / "checkpoints", 2).latest()
    assert state is not None and state.optimizer is not None
    weights = hashlib.sha256(b"".join(state.network[key].numpy().tobytes() for key in sorted(state.network)))
    asked = [json.loads(line) for line in (home / "asked.jsonl").read_text().splitlines()]
    return {
        "killed": killed, "asked": asked, "updates": state.counters["updates"], "story": state.counters["life"],
        "weights": weights.hexdigest(), "steps": float(state.optimizer.moments["0/step"]),
        "league": state.counters["league"],
    }  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    for kills in map(int, sys.argv[3:]):
        print(json.dumps(lives(Path(sys.argv[1]) / f"killed-{kills}", int(sys.argv[2]), kills)), flush=True)
