"""What spreading a learner's games can bring and costs: `python tests/benchmarks/rollout_spread.py [--parts 16]`.

Prints, of updates with the settings as they come and the light network, the share of the processor time that is play
(which can be spread), and for one part the bytes that travel and the processor time of packing and unpacking it.
"""

import argparse
import os
import time

import torch

from pipeline.cluster.rollout_games import learner_text
from pipeline.evolution.device import prepare_cpu
from pipeline.evolution.league import phase_curriculum
from pipeline.evolution.networks import build_network
from pipeline.evolution.ppo_trainer import PpoTrainer
from pipeline.evolution.rollout_stretch import packed, play_stretch, stretch_of, unpacked
from schemas.network import light_network
from schemas.settings import Settings
from schemas.training import TrainingOptimizationConfig

DONE = 0.7
"""How far the phase is: games of two and of four, past selves among the opponents."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=16)
    parser.add_argument("--updates", type=int, default=4)
    parser.add_argument("--expert-share", type=float, default=0.03)
    given = parser.parse_args()
    prepare_cpu(1)
    torch.manual_seed(1)
    settings = Settings(training_optimization=TrainingOptimizationConfig(threads=1))
    changed = {"rollout_parts": given.parts, "expert_share": given.expert_share}
    settings = settings.model_copy(update={"self_play": settings.self_play.model_copy(update=changed)})
    phase = settings.training_phases["self_play"]
    with PpoTrainer(build_network(light_network()), phase, settings, 1, lambda: None) as trainer:
        _measure(trainer, phase_curriculum(phase, settings.self_play, DONE), given.updates)
    print(f"load average: {os.getloadavg()[0]:.1f}")


def _measure(trainer: PpoTrainer, stage: object, updates: int) -> None:
    played = [0.0]
    play = trainer._play

    def timed(at: object) -> object:
        began_s = time.process_time()
        found = play(at)
        played[0] += time.process_time() - began_s
        return found

    trainer._play = timed
    trainer.update(stage)  # what is compiled is loaded
    played[0], began_s, before = 0.0, time.process_time(), trainer.decisions
    for _ in range(updates):
        trainer.update(stage)
    whole_s = time.process_time() - began_s
    decisions = trainer.decisions - before
    print(
        f"{decisions / updates:,.0f} positions an update: {whole_s / updates:.2f} s of processor time, of them play"
        f" {played[0] / updates:.2f} s ({played[0] / whole_s:.0%}): at most {whole_s / (whole_s - played[0]):.2f} times"
        " as fast with any number of nodes"
    )
    _weigh(trainer, stage)


def _weigh(trainer: PpoTrainer, stage: object) -> None:
    worker = trainer._rollouts[2][0]
    turns, targets = trainer._settings.rollout_turns, trainer._teaching(stage)
    networks = [trainer.network, *trainer._at_the_table(0)]
    began_s = time.process_time()
    stretch = stretch_of(worker, trainer.league, turns, targets)
    asked_s = time.process_time() - began_s
    found = play_stretch(worker, trainer.league, stretch, networks)
    began_s = time.process_time()
    data, _ = packed(found)
    packed_s = time.process_time() - began_s
    began_s = time.process_time()
    unpacked(data)
    opened_s = time.process_time() - began_s
    rows, games = len(found.samples.moves), worker.setup.games
    print(
        f"a part of {games} duels: {len(stretch.games) + len(stretch.league):,} bytes there, {len(data):,} back for"
        f" {rows} positions ({len(data) / rows:.0f} each); to ask {1e3 * asked_s:.1f} ms, to pack {1e3 * packed_s:.1f},"
        f" to open {1e3 * opened_s:.1f}; the learner {len(learner_text(trainer.network)):,} bytes a node and update"
    )


if __name__ == "__main__":
    main()
