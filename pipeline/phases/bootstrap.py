"""Bootstrap, and custom phases like it: imitate the heuristic's own games, moves and outcomes."""

import time

import torch

from pipeline.data.manager import SelfPlayDataManager
from pipeline.evolution.fit_progress import FitEnd
from pipeline.evolution.networks import Network
from pipeline.phases.context import PhaseContext, PhaseResult, seed_for
from pipeline.phases.fit_phase import FitRound, build_dataset, fit_phase, numbers_of, summary_of
from schemas.phases import DataSource

SOURCE = DataSource.HEURISTIC_SUPERVISION.value
PLAYING_SHARE = 0.1
"""Of the phase's bar of progress, for the games; the rest is learning."""


def bootstrap(context: PhaseContext, network: Network, device: torch.device) -> PhaseResult:
    """Train `network` in place on `games_required` games of the teacher, playing those the store lacks.

    Raises:
        StoppedError: while games were played; those of finished rounds are stored.
        TrainingError: the loss was lost for good.
        NothingLearnedError: not one step was made. DataError: there are too few games.
    """
    started = time.monotonic()
    _play_missing(context)
    games = SelfPlayDataManager(context.settings).training_games(sources=[SOURCE], newest=context.phase.games_required)
    most = context.settings.data.max_positions
    positions = build_dataset(games, most, seed_for(context.seed, context.name, "positions"))
    context.tell(f"{context.name}: {len(games):,} games of the teacher, {len(positions):,} positions")
    budget_s = context.budget_s - (time.monotonic() - started)
    ids = [game.game_id for game in games]
    fit_round = FitRound("imitation", positions, ids, context.folder, context.phase, budget_s, PLAYING_SHARE, 1.0)
    fitted = fit_phase(context, network, device, fit_round)
    return PhaseResult(
        network=network,
        summary=f"imitated {len(games):,} games, {len(positions):,} positions: {summary_of(fitted)}",
        games=_played(context),
        games_learned=len(games),
        positions_learned=len(positions),
        data_sources=(SOURCE,),
        seed=seed_for(context.seed, context.name),
        stopped=fitted.ended is FitEnd.STOP,
        numbers=numbers_of(fitted),
    )


def _play_missing(context: PhaseContext) -> None:
    """Play what the store lacks."""
    stored = SelfPlayDataManager(context.settings).store.counts().by_source[SOURCE]
    missing = context.phase.games_required - stored
    if missing <= 0:
        return

    def told(done: int, total: int) -> None:
        context.report(PLAYING_SHARE * done / total, f"the teacher plays: {done:,} of {total:,} games", {})

    # The seed differs by what is there: after a kill, the same one would play the stored games again.
    manager = SelfPlayDataManager(context.settings, seed=seed_for(context.seed, context.name, "games", stored))
    manager.collect_heuristic_supervision_data(missing, stop=context.stop, report=told, now=context.now())


def _played(context: PhaseContext) -> int:
    """The teacher's games that were stored since the run began, before and after any kill."""
    stored = SelfPlayDataManager(context.settings).store.read(sources=[SOURCE], newest=context.phase.games_required)
    return sum(game.played_at >= context.run_started_at for game in stored)
