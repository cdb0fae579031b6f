"""Continuous learning: one learner that lives for ever, judged after every cycle of so many updates.

It begins with the champion's weights and goes on, in this run and in all that follow, from where it stands
(`continual_learner.py`). After each cycle what it is by then is registered and tested against the champion. Promoted or
not, it goes on: small gains add up until they can be proven. The champion sits in its league. Only where the settings
ask for it (`return_to_champion_after`) does a learner that was refused so often in a row take over the champion's
weights, and a row of the model's history says so.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError

from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.evolution.continual_learner import FOLDER, ContinualLearner, LearnerHistory, MemoryOnly, configuration_of
from pipeline.evolution.networks import Network
from pipeline.evolution.self_play import Counts, Life, SelfPlayReport, improve
from pipeline.evolution.training_state import Weights, load_weights, weights_of
from pipeline.phases.context import PhaseContext, PhaseResult, TrainingMetrics, seed_for
from pipeline.stopping import judging_budget_s
from schemas.base import Frozen
from schemas.errors import ModelError, OutOfTimeError
from schemas.files import write_atomic
from schemas.model import ModelCard, ModelStatus, Returned
from schemas.phases import DataSource

CYCLES_FILE = "cycles.json"


class Cycles(Frozen):
    """How far the cycles of this run have come."""

    next: int = 0
    begun: Counts | None = None
    """Where the learner stood when the cycle under way began; None: it has not begun."""
    begun_s: float = 0
    """Seconds of learning that the learner had behind it then."""
    promoted: int = 0
    returned: int = 0
    games: int = 0
    decisions: int = 0


@dataclass(frozen=True)
class Judging:
    """What the phase needs of whoever knows models."""

    judge: Callable[[PhaseResult, str, str | None, float], ModelCard]
    """Registers what a cycle made, under a name and with the model it went on from, tests it against the champion
    within so many seconds, promotes or not; its card afterwards. Told of the same cycle again, it decides nothing
    anew."""
    load: Callable[[str], Network]
    """A registered model's network, ready to train."""
    note_return: Callable[[str, Returned], None]
    """Writes down that the learner took over the weights of this model."""


def continuous(context: PhaseContext, network: Network, device: torch.device, judging: Judging) -> PhaseResult:
    """Do cycles until their number, games or time are used up.

    Args:
        network: the one a learner begins with where there is neither learner nor champion.
        judging: see `Judging`.

    Raises:
        StoppedError: while games judged a cycle; what was played is kept, and the rest when the phase goes on.
        TrainingError: the loss was lost for good.
        NothingLearnedError: not one update was made.
    """
    learner = _open(context, network)
    return _Cycles(context, learner, device, judging).go(network)


def learner_folder(context: PhaseContext) -> Path:
    """Where the learner lives; no run's own."""
    return context.settings.pipeline_dir / FOLDER


def _open(context: PhaseContext, network: Network) -> ContinualLearner:
    """The learner of this state folder. One that does not fit the network, or that is to be forgotten
    (`force_retrain`), is set aside under its own name."""
    if not context.configuration.save_checkpoints:
        return ContinualLearner(MemoryOnly())
    folder = learner_folder(context)
    keep = context.settings.training_optimization.keep_checkpoints
    learner = ContinualLearner(CheckpointFolder(folder / "checkpoints", keep, context.tell))
    reason, history = learner.why_unfit(network), learner.history()
    if (
        reason is None
        and context.configuration.force_retrain
        and history is not None
        and history.born_in != context.run_id
    ):
        reason = "force_retrain asks for a new one"
    if reason is not None:
        aside = folder.with_name(f"{FOLDER}-{context.now():%Y%m%d-%H%M%S}")
        folder.rename(aside)
        context.tell(f"The learner is set aside as {aside.name}: {reason}.")
    return learner


class _Cycles:
    """The cycles of one run."""

    def __init__(
        self, context: PhaseContext, learner: ContinualLearner, device: torch.device, judging: Judging
    ) -> None:
        self._context, self._learner, self._device, self._judging = context, learner, device, judging
        self._done = _read(context.folder)
        self._began = time.monotonic()
        self._cycle_s = 0.0
        """What the last cycle took, its judging included."""

    def go(self, first: Network) -> PhaseResult:
        """See `continuous`."""
        context, last, stopped = self._context, None, False
        network, champion = self._beginning(first)
        while self._done.next < context.phase.max_epochs and self._done.games < context.phase.games_required:
            share = context.settings.tournament.judging_share
            learn_s = (context.budget_s - (time.monotonic() - self._began)) * (1 - share)
            if learn_s <= 0:
                break
            begun_at = time.monotonic()
            try:
                last = self._cycle(network, champion, learn_s)
            except OutOfTimeError:
                if self._done.next == 0:
                    raise
                break  # what the cycles before have learned is the phase's
            if last.stopped:
                stopped = True
                break
            self._judge(last, self._judging_s(share))
            self._cycle_s = time.monotonic() - begun_at
            network, champion = last.network, self._champion(last.network)
        if self._done.next == 0 and not stopped:
            raise OutOfTimeError(
                f"the time for {context.name} was used up before its first cycle",
                where=f"{context.budget_s:.1f} s",
                remedy="Give the run more hours, or the phase a larger time_share.",
            )
        return self._result(network, last, stopped=stopped)

    def _judging_s(self, share: float) -> float:
        """What judging the cycle may take: by all that was learned in it, before a stop or a kill too."""
        left_s = self._context.budget_s - (time.monotonic() - self._began)
        return max(0.0, min(left_s, judging_budget_s(self._learner.spent_s() - self._done.begun_s, share)))

    def _beginning(self, first: Network) -> tuple[Network, tuple[str, Weights] | None]:
        """The network whose weights a new learner begins with, and the champion for the league."""
        champion = self._champion(first)
        if champion is not None and self._learner.history() is None:
            load_weights(first, champion[1])
        return first.to(self._device), champion

    def _champion(self, network: Network) -> tuple[str, Weights] | None:
        """The champion, if it is built as the learner is."""
        model_id = self._context.champion()
        if model_id is None:
            return None
        champion = self._judging.load(model_id)
        return (model_id, weights_of(champion)) if configuration_of(champion) == configuration_of(network) else None

    def _cycle(self, network: Network, champion: tuple[str, Weights] | None, learn_s: float) -> PhaseResult:
        """One cycle of self-play; its length is `updates_per_cycle`."""
        context, number = self._context, self._done.next
        begun = self._begin()
        history = self._learner.history() or LearnerHistory(
            network=configuration_of(network),
            born_from=champion[0] if champion else context.base_model,
            born_in=context.run_id,
        )
        life = Life(
            begun,
            begun.updates + context.settings.self_play.updates_per_cycle,
            history.model_dump(mode="json"),
            champion,
        )
        begins, ends = self._progress(number)
        with TrainingMetrics(context, context.folder, begins, ends) as told:
            played = improve(
                network,
                context.phase,
                context.settings,
                seed=seed_for(context.seed, context.name, "life"),
                checkpoints=self._learner.checkpoints,
                report=told,
                stop=context.stop,
                time_budget_s=learn_s,
                life=life,
                tell=context.tell,
                spread=context.spread,
            )
        return self._made(network, number, played)

    def _progress(self, number: int) -> tuple[float, float]:
        """The phase's progress (0..1) as a cycle begins and, as far as can be told, as it ends: by the number of cycles
        or by time, whichever is farther."""
        spent_s, whole_s = time.monotonic() - self._began, max(self._context.budget_s, 1e-9)
        most = self._context.phase.max_epochs
        begins = min(1.0, max(number / most, spent_s / whole_s))
        return begins, min(1.0, max((number + 1) / most, begins + self._cycle_s / whole_s))

    def _begin(self) -> Counts:
        """Where the cycle under way began; written down before anything is learned in it."""
        counts, begun = self._learner.counts(), self._done.begun
        if begun is None or begun.updates > counts.updates:  # the learner was set aside, or rolled back
            begun = counts
            self._keep(self._done.model_copy(update={"begun": begun, "begun_s": self._learner.spent_s()}))
        return begun

    def _made(self, network: Network, number: int, played: SelfPlayReport) -> PhaseResult:
        return PhaseResult(
            network=network,
            summary=f"cycle {number + 1}: {played.updates:,} updates, {played.games:,} games",
            games=played.games,
            games_learned=played.games,
            positions_learned=played.decisions,
            data_sources=(DataSource.CONTINUOUS.value,),
            seed=seed_for(self._context.seed, self._context.name, "life"),
            stopped=played.stopped,
            numbers=played.numbers,
        )

    def _judge(self, made: PhaseResult, budget_s: float) -> None:
        """Have a cycle judged, and count it."""
        context, done, name = self._context, self._done, f"cycle {self._done.next + 1}"
        history = self._learner.history()
        assert history is not None
        card = self._judging.judge(made, name, history.model or history.born_from, budget_s)
        promoted = card.status is ModelStatus.CHAMPION
        history = self._learner.judged(f"{context.run_id} {name}", card.id, promoted=promoted)
        context.tell(
            f"✓ {made.summary}: promoted" if promoted else f"{made.summary}: not promoted ({history.refused} in a row)"
        )
        returned = self._return(history)
        changes = {
            "next": done.next + 1, "begun": None, "promoted": done.promoted + promoted,
            "returned": done.returned + returned, "games": done.games + made.games,
            "decisions": done.decisions + made.positions_learned,
        }  # fmt: skip
        self._keep(done.model_copy(update=changes))

    def _return(self, history: LearnerHistory) -> bool:
        """Let the learner take over the champion's weights, if it was refused so often and that is wished."""
        most, champion = self._context.settings.self_play.return_to_champion_after, self._context.champion()
        if most is None or history.refused < most or champion is None or history.model is None:
            return False
        reason = f"{history.refused} cycles in a row were refused, and return_to_champion_after is {most}"
        self._judging.note_return(champion, Returned(learner=history.model, refused=history.refused, reason=reason))
        self._learner.return_to(champion, weights_of(self._judging.load(champion)))
        self._context.tell(f"The learner goes on from champion {champion}: {reason}.")
        return True

    def _result(self, network: Network, last: PhaseResult | None, *, stopped: bool) -> PhaseResult:
        done, context, history = self._done, self._context, self._learner.history()
        return PhaseResult(
            network=network,
            summary=f"{done.next} cycles, {done.promoted} promoted, {done.returned} times back to the champion",
            games=done.games + (last.games if last and stopped else 0),
            games_learned=done.games,
            positions_learned=done.decisions,
            data_sources=(DataSource.CONTINUOUS.value,),
            seed=seed_for(context.seed, context.name, "life"),
            stopped=stopped,
            numbers=last.numbers if last else {},
            judged_as=(history.model if history else None) or context.base_model,
        )

    def _keep(self, done: Cycles) -> None:
        self._done = done
        write_atomic(self._context.folder / CYCLES_FILE, done.model_dump_json(indent=2) + "\n")


def _read(folder: Path) -> Cycles:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return Cycles.model_validate_json((folder / CYCLES_FILE).read_bytes())
    except FileNotFoundError:
        return Cycles()
    except ValidationError as error:
        raise ModelError(
            "the record of cycles is damaged",
            where=str(folder / CYCLES_FILE),
            remedy="Remove it: the cycles are counted anew, the learner goes on.",
        ) from error
