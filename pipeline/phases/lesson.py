"""Supervised training on stored games: what bootstrap and hybrid have in common."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch

from pipeline.data.positions import Positions
from pipeline.data.splitting import split_by_game
from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.evolution.networks import Network
from pipeline.evolution.supervised import FitReport, fit
from pipeline.evolution.tensorboard_log import TensorboardLog
from pipeline.phases.seeds import seed_for
from pipeline.phases.work import PhaseWork
from schemas.phases import TrainingPhaseConfig


@dataclass(frozen=True)
class Lesson:
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


def learn(work: PhaseWork, network: Network, device: torch.device, lesson: Lesson) -> FitReport:
    """Train `network` in place on a lesson, or go on with it; games are held back for validation by the phase's share.

    Raises:
        TrainingError: the loss was lost for good.
        NothingLearnedError: not one step was made. DataError: there are too few games.
    """
    seed = seed_for(work.seed, work.name, lesson.name)
    training, validation = split_by_game(lesson.positions, lesson.game_ids, lesson.phase.validation_split)

    def report(done: float, details: str, numbers: Mapping[str, float]) -> None:
        if "eta_s" in numbers:
            details += f", {timedelta(seconds=round(numbers['eta_s']))} left"
        work.report(lesson.begins + done * (lesson.ends - lesson.begins), f"{lesson.name}: {details}", numbers)

    with closing(TensorboardLog(lesson.folder / "curves")) as curves:
        return fit(
            network,
            training,
            validation,
            lesson.phase,
            work.settings.training_optimization,
            seed=seed,
            checkpoints=checkpoints_of(work, lesson.folder),
            report=report,
            stop=work.stop,
            time_budget_s=lesson.budget_s,
            curves=curves,
            device=device,
        )


def checkpoints_of(work: PhaseWork, folder: Path) -> CheckpointFolder | None:
    """Where a part of the phase keeps its checkpoints; None where the run keeps none."""
    if not work.configuration.save_checkpoints:
        return None
    keep = work.settings.training_optimization.keep_checkpoints
    return CheckpointFolder(folder / "checkpoints", keep, work.tell)


def summary_of(report: FitReport) -> str:
    """What came of a lesson, for a person."""
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
    """The last values of a lesson's curves."""
    numbers = {"samples": float(report.samples), "samples_per_s": report.samples_per_s}
    if report.best:
        numbers |= {f"validation/{name}": value for name, value in report.best.validation.model_dump().items()}
    return numbers
