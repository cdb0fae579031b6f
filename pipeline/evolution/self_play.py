"""Self-play: a network improves by its own games, resumable at any moment.

The algorithm is PPO against a league (`ppo.py`, `league.py`), duels first, four-player games later. What keeps it from
collapsing into circling or head-on "chicken": opponents of many kinds in every stretch of games, past selves among
them; games that the turn limit cuts are worth what the network expects of them, no more; and the shares of cut games,
drawn games and head-on deaths are reported with every update.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from pipeline.engine.layout import HEAD_COLLISION
from pipeline.engine.players.kinds import KINDS
from pipeline.evolution.league import LEARNER, PAST_SELF
from pipeline.evolution.networks import Network
from pipeline.evolution.ppo import Losses
from pipeline.evolution.rollout import Tally
from pipeline.evolution.self_play_run import SelfPlayRun
from pipeline.evolution.training_state import TrainingState
from schemas.errors import OutOfTimeError, StoppedError, TrainingError
from schemas.phases import TrainingPhaseConfig
from schemas.settings import Settings

_MOST_SETBACKS: Final = 5
_EXPLODED_KL: Final = 20
"""An update that went so many times beyond `target_kl` on average has destroyed the policy."""

Report = Callable[[float, str, Mapping[str, float]], None]


class Checkpoints(Protocol):
    """Where states are kept; `CheckpointFolder` is one."""

    def save(self, state: TrainingState) -> object:
        """Keep it as the newest."""

    def latest(self) -> TrainingState | None:
        """The newest whole one."""


@dataclass(frozen=True)
class SelfPlayReport:
    """What a self-play phase did; counts include the parts before a resume."""

    updates: int
    games: int
    decisions: int
    """The learner's moves that were learned from."""
    setbacks: int
    """How often the loss was lost and the run went back."""
    stopped: bool
    """Somebody asked it to stop; the checkpoint goes on from here."""
    numbers: dict[str, float] = field(default_factory=dict)
    """The last reported numbers."""


class _Clock:
    """Time used over all parts of the run, and how far the phase is by updates, games and time."""

    def __init__(self, phase: TrainingPhaseConfig, budget_s: float | None, spent_s: float) -> None:
        self._phase, self._budget_s, self._spent_s = phase, budget_s, spent_s
        self._began = time.monotonic()

    @property
    def here_s(self) -> float:
        """Seconds of this part."""
        return time.monotonic() - self._began

    @property
    def spent_s(self) -> float:
        """Seconds of all parts."""
        return self._spent_s + self.here_s

    @property
    def used_up(self) -> bool:
        """Whether this part's budget is spent."""
        return self._budget_s is not None and self.here_s >= self._budget_s

    def done(self, run: SelfPlayRun) -> float:
        """0..1: whichever of updates, games and time is farthest."""
        by_time = 0.0 if self._budget_s is None else self.spent_s / max(self._spent_s + self._budget_s, 1e-9)
        return min(1.0, max(run.updates / self._phase.max_epochs, run.games / self._phase.games_required, by_time))


def improve(
    network: Network,
    phase: TrainingPhaseConfig,
    settings: Settings,
    *,
    seed: int,
    checkpoints: Checkpoints | None,
    report: Report,
    stop: Callable[[], bool],
    time_budget_s: float | None = None,
) -> SelfPlayReport:
    """Improve `network` in place until the phase's updates, games or time are used up, or `stop` says so.

    Resumes from the newest checkpoint; without a time budget the end is the same, bit for bit, as if it had never been
    stopped (on a CPU, with as many threads). A stop or the end of the time is honoured within a batch or a turn of the
    games; the update in hand is then dropped.

    Args:
        seed: of the games and all chance; the weights come as they are.
        checkpoints: None: nothing is kept.
        report: called after every update; numbers are described in `told`.

    Raises:
        TrainingError: the loss was lost several times in a row, in spite of ever smaller steps.
        NothingLearnedError: an update had nothing to learn from, or (OutOfTimeError) there was no time for one.
        ModelError: the checkpoint belongs to other settings.
    """
    state = checkpoints.latest() if checkpoints else None
    clock = _Clock(phase, time_budget_s, 0.0 if state is None else float(str(state.counters["spent_s"])))

    def ensure_running() -> None:
        if clock.used_up or stop():
            raise StoppedError("self-play was asked to stop", remedy="Start it again: it goes on from its checkpoint.")

    former = (network.low_precision, network.recompute)
    with SelfPlayRun(
        network, phase, settings.self_play, settings.training_optimization, seed, ensure_running
    ) as run:  # fmt: skip
        session = _Session(run, clock, checkpoints, settings.training_optimization.checkpoint_interval_s)
        if state is not None:
            session.resume(state)
        try:
            session.go_on(report, settings.self_play.target_kl)
        finally:
            network.low_precision, network.recompute = former
    stopped = session.interrupted and not clock.used_up
    if run.updates == 0 and not stopped:
        raise _out_of_time(time_budget_s)
    return SelfPlayReport(run.updates, run.games, run.decisions, session.setbacks, stopped, session.numbers)


def _out_of_time(budget_s: float | None) -> OutOfTimeError:
    had = "" if budget_s is None else f" ({budget_s:.1f} s were left for it)"
    return OutOfTimeError(
        f"the time for self-play was used up before its first update{had}",
        where="time_budget_s",
        remedy="Give the run more hours, or the phase a larger time_share.",
    )


class _Session:
    """The loop around a run: checkpoints, setbacks, reports."""

    def __init__(self, run: SelfPlayRun, clock: _Clock, checkpoints: Checkpoints | None, interval_s: float) -> None:
        self._run, self._clock, self._checkpoints, self._interval_s = run, clock, checkpoints, interval_s
        self._saved_at = 0.0
        self.setbacks = 0
        self.interrupted = False
        self.numbers: dict[str, float] = {}

    def resume(self, state: TrainingState) -> None:
        """Go on from a checkpoint."""
        self._run.restore(state)
        self.setbacks = int(str(state.counters["setbacks"]))

    def go_on(self, report: Report, target_kl: float) -> None:
        """Update after update until the phase is done or somebody says stop; save at the end."""
        whole = self._capture()
        in_a_row = 0
        while (done := self._clock.done(self._run)) < 1:
            began = time.monotonic()
            try:
                losses, tally = self._run.update(done)
                if losses.kl > _EXPLODED_KL * target_kl:
                    raise FloatingPointError(f"the policy moved by {losses.kl:.2f}")  # noqa: TRY301
            except StoppedError:
                self._run.restore(whole)
                self.interrupted = True
                break
            except FloatingPointError as error:
                in_a_row += 1
                self._step_back(whole, error, in_a_row)
                continue
            in_a_row = 0
            whole = self._capture()
            self.numbers = told(losses, tally, time.monotonic() - began) | {"updates": float(self._run.updates)}
            report(self._clock.done(self._run), self._words(), self.numbers)
            if self._checkpoints and self._clock.here_s - self._saved_at >= self._interval_s:
                self._save(whole)
        self._save(self._capture())

    def _words(self) -> str:
        run = self._run
        return f"update {run.updates}, {run.games} games, {run.decisions} positions"

    def _capture(self) -> TrainingState:
        return self._run.capture({"spent_s": self._clock.spent_s, "setbacks": self.setbacks})

    def _save(self, state: TrainingState) -> None:
        if self._checkpoints:
            self._checkpoints.save(state)
            self._saved_at = self._clock.here_s

    def _step_back(self, whole: TrainingState, error: FloatingPointError, in_a_row: int) -> None:
        """Undo the update and go on with half the learning rate."""
        if in_a_row > _MOST_SETBACKS:
            raise TrainingError(
                f"self-play lost its loss {in_a_row} times in a row: {error}",
                where=self._words(),
                remedy="Lower the phase's learning_rate, or look at the games it learns from.",
            ) from error
        scale = self._run.scale / 2
        self._run.restore(whole)
        self._run.scale = scale
        self.setbacks += 1


def told(losses: Losses, tally: Tally, seconds: float) -> dict[str, float]:
    """Return an update's numbers for curves.

    loss/..., `agreement` with the teacher, kl, clipped, entropy (mean, in nats, of the played policies), positions/s;
    of the games that ended: their number, mean turns, the shares that the turn limit cut, of the learner's deaths head
    on, and per opponent won/<who> (the learner's seats that won alone) and drawn/self.
    """
    numbers = {f"loss/{name}": value for name, value in losses._asdict().items()}
    met, seats = tally.met, np.maximum(tally.met[:, 0], 1)
    numbers |= {
        "entropy": tally.entropy / max(tally.decisions, 1),
        "positions_per_s": tally.decisions / seconds,
        "games": float(tally.games),
    }
    if not tally.games:
        return numbers
    deaths = max(int(tally.deaths[1:].sum()), 1)
    numbers |= {
        "turns": float(met[:, 3].sum() / max(met[:, 0].sum(), 1)),
        "cut": tally.cut / tally.games,
        "head_on": float(tally.deaths[HEAD_COLLISION] / deaths),
        "drawn/self": float(met[LEARNER, 2] / seats[LEARNER]),
    }
    for mark, name in [*((kind.number, kind.name) for kind in KINDS), (PAST_SELF, "past_self")]:
        if met[mark, 0]:
            numbers[f"won/{name}"] = float(met[mark, 1] / seats[mark])
    return numbers
