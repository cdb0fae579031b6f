"""Self-play: the network improves by playing against a league of heuristics, its past selves and itself."""

import torch

from pipeline.evolution.networks import Network
from pipeline.evolution.self_play import improve
from pipeline.phases.curves import Curves
from pipeline.phases.lesson import checkpoints_of
from pipeline.phases.result import PhaseResult
from pipeline.phases.seeds import seed_for
from pipeline.phases.work import PhaseWork
from schemas.phases import DataSource


def self_play(work: PhaseWork, network: Network, device: torch.device) -> PhaseResult:
    """Improve `network` in place; see `evolution.self_play.improve`.

    Raises:
        TrainingError: the loss was lost for good.
        NothingLearnedError: not one update was made.
        ModelError: the checkpoint belongs to other settings.
    """
    seed = seed_for(work.seed, work.name)
    with Curves(work, work.folder) as told:
        played = improve(
            network.to(device),
            work.phase,
            work.settings,
            seed=seed,
            checkpoints=checkpoints_of(work, work.folder),
            report=told,
            stop=work.stop,
            time_budget_s=work.budget_s,
        )
    return PhaseResult(
        network=network,
        summary=f"{played.updates:,} updates, {played.games:,} games, {played.decisions:,} positions"
        + (f", {played.setbacks} setbacks" if played.setbacks else ""),
        games=played.games,
        games_learned=played.games,
        positions_learned=played.decisions,
        data_sources=(DataSource.SELF_PLAY.value,),
        seed=seed,
        stopped=played.stopped,
        numbers=played.numbers,
    )
