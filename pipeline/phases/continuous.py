"""Continuous learning: cycles of self-play from the champion, each judged before it counts.

What a cycle made is registered and tested against the champion. Promoted, it is the champion, and the next cycle goes
on from it. Not promoted, the next cycle still goes on from it, for small gains add up, until so many in a row were
turned down as `early_stopping_patience` says, or one was found worse than the champion: then the champion is gone back
to.
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from pydantic import ValidationError

from pipeline.evolution.networks import Network
from pipeline.evolution.self_play import improve
from pipeline.phases.curves import Curves
from pipeline.phases.lesson import checkpoints_of
from pipeline.phases.result import PhaseResult
from pipeline.phases.seeds import seed_for
from pipeline.phases.work import PhaseWork
from schemas.errors import ModelError, OutOfTimeError
from schemas.files import write_atomic
from schemas.frozen import Frozen
from schemas.model import ModelCard, ModelStatus
from schemas.phases import DataSource

_FILE = "cycles.json"


class Cycles(Frozen):
    """How far the cycles have come."""

    next: int = 0
    turned_down: int = 0
    """In a row."""
    current: str | None = None
    """The model that the next cycle goes on from; None: the one the phase began with."""
    promoted: int = 0
    went_back: int = 0
    games: int = 0
    decisions: int = 0


Judge = Callable[[PhaseResult, str, str | None], ModelCard]
"""Registers what a cycle made, under a name and with the model it went on from, tests it against the champion, promotes
or not; its card afterwards. Told of the same cycle again, it decides nothing anew."""
Load = Callable[[str], Network]


def continuous(work: PhaseWork, network: Network, device: torch.device, judge: Judge, load: Load) -> PhaseResult:
    """Do cycles until their number, games or time are used up.

    Args:
        network: the one the phase begins with.
        judge: see `Judge`.
        load: a registered model's network, ready to train.

    Raises:
        StoppedError: while games judged a cycle; it is judged again when the phase goes on.
        TrainingError: the loss was lost for good.
        NothingLearnedError: not one update was made.
    """
    started, done, last, stopped = time.monotonic(), _read(work.folder), None, False
    first = network
    while done.next < work.phase.max_epochs and done.games < work.phase.games_required:
        left_s = work.budget_s - (time.monotonic() - started)
        if left_s <= 0:
            break
        network = first if done.current is None else load(done.current)
        try:
            last = _cycle(work, network.to(device), done, left_s)
        except OutOfTimeError:
            if done.next == 0:
                raise
            break  # what the cycles before have learned is the phase's
        if last.stopped:
            stopped = True
            break
        card = judge(last, f"cycle {done.next + 1}", done.current or work.base_model)
        done = _after(work, done, last, card)
        write_atomic(work.folder / _FILE, done.model_dump_json(indent=2) + "\n")
    if done.next == 0 and not stopped:
        raise OutOfTimeError(
            f"the time for {work.name} was used up before its first cycle",
            where=f"{work.budget_s:.1f} s",
            remedy="Give the run more hours, or the phase a larger time_share.",
        )
    return PhaseResult(
        network=network,
        summary=f"{done.next} cycles, {done.promoted} promoted, {done.went_back} times back to the champion",
        games=done.games + (last.games if last and stopped else 0),
        games_learned=done.games,
        positions_learned=done.decisions,
        data_sources=(DataSource.CONTINUOUS.value,),
        seed=seed_for(work.seed, work.name),
        stopped=stopped,
        numbers=last.numbers if last else {},
        judged_as=done.current or work.base_model,
    )


def _cycle(work: PhaseWork, network: Network, done: Cycles, left_s: float) -> PhaseResult:
    """One cycle of self-play; its length is `updates_per_cycle`."""
    folder = work.folder / f"cycle-{done.next}"
    seed = seed_for(work.seed, work.name, "cycle", done.next)
    phase = work.phase.model_copy(update={"max_epochs": work.settings.self_play.updates_per_cycle})
    begins, ends = done.next / work.phase.max_epochs, (done.next + 1) / work.phase.max_epochs
    with Curves(work, folder, begins, ends) as told:
        played = improve(
            network,
            phase,
            work.settings,
            seed=seed,
            checkpoints=checkpoints_of(work, folder),
            report=told,
            stop=work.stop,
            time_budget_s=left_s,
        )
    return PhaseResult(
        network=network,
        summary=f"cycle {done.next + 1}: {played.updates:,} updates, {played.games:,} games",
        games=played.games,
        games_learned=played.games,
        positions_learned=played.decisions,
        data_sources=(DataSource.CONTINUOUS.value,),
        seed=seed,
        stopped=played.stopped,
        numbers=played.numbers,
    )


def _after(work: PhaseWork, done: Cycles, made: PhaseResult, card: ModelCard) -> Cycles:
    """Where the next cycle begins, by what became of this one."""
    counted = done.model_copy(
        update={
            "next": done.next + 1,
            "games": done.games + made.games,
            "decisions": done.decisions + made.positions_learned,
        }
    )
    if card.status is ModelStatus.CHAMPION:
        work.tell(f"✓ {made.summary}: promoted")
        return counted.model_copy(update={"promoted": done.promoted + 1, "turned_down": 0, "current": card.id})
    turned_down = done.turned_down + 1
    if turned_down < work.phase.early_stopping_patience:
        work.tell(f"{made.summary}: not promoted ({turned_down} in a row)")
        return counted.model_copy(update={"turned_down": turned_down, "current": card.id})
    work.tell(f"{made.summary}: not promoted; back to the champion after {turned_down} in a row")
    changes = {"turned_down": 0, "current": work.champion(), "went_back": done.went_back + 1}
    return counted.model_copy(update=changes)


def _read(folder: Path) -> Cycles:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return Cycles.model_validate_json((folder / _FILE).read_bytes())
    except FileNotFoundError:
        return Cycles()
    except ValidationError as error:
        raise ModelError(
            "the record of cycles is damaged", where=str(folder / _FILE), remedy="Remove it: the cycles begin anew."
        ) from error
