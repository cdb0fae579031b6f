"""Bootstrap, and custom phases like it: imitate the heuristic's own games, moves and outcomes."""

import time

import torch

from pipeline.data.manager import SelfPlayDataManager
from pipeline.evolution.fit_progress import FitEnd
from pipeline.evolution.networks import Network
from pipeline.phases.build_dataset import build_dataset
from pipeline.phases.lesson import Lesson, learn, numbers_of, summary_of
from pipeline.phases.result import PhaseResult
from pipeline.phases.seeds import seed_for
from pipeline.phases.work import PhaseWork
from schemas.phases import DataSource

SOURCE = DataSource.HEURISTIC_SUPERVISION.value
PLAYING_SHARE = 0.1
"""Of the phase's bar of progress, for the games; the rest is learning."""


def bootstrap(work: PhaseWork, network: Network, device: torch.device) -> PhaseResult:
    """Train `network` in place on `games_required` games of the teacher, playing those the store lacks.

    Raises:
        StoppedError: while games were played; those of finished rounds are stored.
        TrainingError: the loss was lost for good.
        NothingLearnedError: not one step was made. DataError: there are too few games.
    """
    started = time.monotonic()
    _play_missing(work)
    games = SelfPlayDataManager(work.settings).training_games(sources=[SOURCE], newest=work.phase.games_required)
    most = work.settings.data.max_positions
    positions = build_dataset(games, most, seed_for(work.seed, work.name, "positions"))
    work.tell(f"{work.name}: {len(games):,} games of the teacher, {len(positions):,} positions")
    budget_s = work.budget_s - (time.monotonic() - started)
    ids = [game.game_id for game in games]
    lesson = Lesson("imitation", positions, ids, work.folder, work.phase, budget_s, PLAYING_SHARE, 1.0)
    fitted = learn(work, network, device, lesson)
    return PhaseResult(
        network=network,
        summary=f"imitated {len(games):,} games, {len(positions):,} positions: {summary_of(fitted)}",
        games=_played(work),
        games_learned=len(games),
        positions_learned=len(positions),
        data_sources=(SOURCE,),
        seed=seed_for(work.seed, work.name),
        stopped=fitted.ended is FitEnd.STOP,
        numbers=numbers_of(fitted),
    )


def _play_missing(work: PhaseWork) -> None:
    """Play what the store lacks."""
    stored = SelfPlayDataManager(work.settings).store.counts().by_source[SOURCE]
    missing = work.phase.games_required - stored
    if missing <= 0:
        return

    def told(done: int, total: int) -> None:
        work.report(PLAYING_SHARE * done / total, f"the teacher plays: {done:,} of {total:,} games", {})

    # The seed differs by what is there: after a kill, the same one would play the stored games again.
    manager = SelfPlayDataManager(work.settings, seed=seed_for(work.seed, work.name, "games", stored))
    manager.collect_heuristic_supervision_data(missing, stop=work.stop, report=told, now=work.now())


def _played(work: PhaseWork) -> int:
    """The teacher's games that were stored since the run began, before and after any kill."""
    stored = SelfPlayDataManager(work.settings).store.read(sources=[SOURCE], newest=work.phase.games_required)
    return sum(game.played_at >= work.run_started_at for game in stored)
