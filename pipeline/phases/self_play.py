"""Self-play: the network improves by playing against a league of heuristics, its past selves and itself."""

import torch

from pipeline.evolution.networks import Network
from pipeline.evolution.self_play import improve
from pipeline.phases.context import PhaseContext, PhaseResult, TrainingMetrics, seed_for
from pipeline.phases.fit_phase import checkpoints_of
from schemas.phases import DataSource


def self_play(context: PhaseContext, network: Network, device: torch.device) -> PhaseResult:
    """Improve `network` in place; see `evolution.self_play.improve`.

    Raises:
        TrainingError: the loss was lost for good.
        NothingLearnedError: not one update was made.
        ModelError: the checkpoint belongs to other settings.
    """
    seed = seed_for(context.seed, context.name)
    with TrainingMetrics(context, context.folder) as told:
        played = improve(
            network.to(device),
            context.phase,
            context.settings,
            seed=seed,
            checkpoints=checkpoints_of(context, context.folder),
            report=told,
            stop=context.stop,
            time_budget_s=context.budget_s,
            spread=context.spread,
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
