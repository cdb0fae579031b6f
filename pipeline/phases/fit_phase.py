"""Supervised training on stored games: what bootstrap and hybrid have in common."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch

from pipeline.data.positions import Positions, Seats, positions_of, split_by_game
from pipeline.data.stored_game import StoredGame
from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.evolution.fit_progress import FitReport
from pipeline.evolution.networks import Network
from pipeline.evolution.supervised import fit
from pipeline.evolution.tensorboard_log import TensorboardLog
from pipeline.phases.context import PhaseContext, seed_for
from schemas.phases import TrainingPhaseConfig


def build_dataset(
    games: Sequence[StoredGame], most: int, seed: int, *, seats: Seats = "learn", teacher: int | None = None
) -> Positions:
    """Return about `most` positions at the most, spread evenly over all games.

    Args:
        seats: whose positions.
        teacher: a player kind that says what should have been played; None: what was played.

    Raises:
        DataError: a game cannot be played again.
    """
    total = sum(_decisions(game, seats) for game in games)
    every = max(1, -(-total // most))
    return positions_of(games, teacher=teacher, seats=seats, every=every, seed=seed)


def _decisions(game: StoredGame, seats: Seats) -> int:
    lived = [game.turns if death == 0 else death for death in game.deaths]
    if seats == "all":
        return sum(lived)
    if seats == "learn":
        return sum(lived[seat] for seat in game.seats_to_learn)
    return game.turns if game.winner is not None else 0


@dataclass(frozen=True)
class FitRound:
    """One round of supervised training: its positions and where its checkpoints are."""

    name: str
    positions: Positions
    game_ids: Sequence[str]
    """Of the games that the positions are of."""
    folder: Path
    phase: TrainingPhaseConfig
    budget_s: float
    begins: float
    """Share of the phase that is done when this round begins."""
    ends: float


def fit_phase(context: PhaseContext, network: Network, device: torch.device, fit_round: FitRound) -> FitReport:
    """Train `network` in place on a round's positions, or go on with it.

    Games are held back for validation by the phase's share.

    Raises:
        TrainingError: the loss was lost for good.
        NothingLearnedError: not one step was made. DataError: there are too few games.
    """
    seed = seed_for(context.seed, context.name, fit_round.name)
    training, validation = split_by_game(fit_round.positions, fit_round.game_ids, fit_round.phase.validation_split)

    def report(done: float, details: str, numbers: Mapping[str, float]) -> None:
        if "eta_s" in numbers:
            details += f", {timedelta(seconds=round(numbers['eta_s']))} left"
        context.report(
            fit_round.begins + done * (fit_round.ends - fit_round.begins), f"{fit_round.name}: {details}", numbers
        )

    with closing(TensorboardLog(fit_round.folder / "curves")) as curves:
        return fit(
            network,
            training,
            validation,
            fit_round.phase,
            context.settings.training_optimization,
            seed=seed,
            checkpoints=checkpoints_of(context, fit_round.folder),
            report=report,
            stop=context.stop,
            time_budget_s=fit_round.budget_s,
            curves=curves,
            device=device,
        )


def checkpoints_of(context: PhaseContext, folder: Path) -> CheckpointFolder | None:
    """Where a part of the phase keeps its checkpoints; None where the run keeps none."""
    if not context.configuration.save_checkpoints:
        return None
    keep = context.settings.training_optimization.keep_checkpoints
    return CheckpointFolder(folder / "checkpoints", keep, context.tell)


def summary_of(report: FitReport) -> str:
    """What came of a round, for a person."""
    best = report.best
    judged = (
        f"validation loss {best.validation.total:.4f}, {best.validation.accuracy:.1%} of the teacher's moves"
        if best
        else "no epoch was finished"
    )
    setbacks = f", {report.setbacks} setbacks" if report.setbacks else ""
    speed = f"{report.samples_per_s:,.0f} samples/s"
    return f"{len(report.history)} epochs ({report.ended.value}), {judged}, {speed}{setbacks}"


def numbers_of(report: FitReport) -> dict[str, float]:
    """The last values of a round's curves."""
    numbers = {"samples": float(report.samples), "samples_per_s": report.samples_per_s}
    if report.best:
        numbers |= {f"validation/{name}": value for name, value in report.best.validation.model_dump().items()}
    return numbers
