"""Self-play: a network improves by its own games, resumable at any moment.

The algorithm is PPO against a league (`ppo_trainer.py`, `league.py`), duels first, four-player games later. What keeps
it from collapsing into circling or head-on "chicken": opponents of many kinds in every stretch of games, past selves
among them; games that the turn limit cuts are worth what the network expects of them, no more; and the shares of cut
games, drawn games and head-on deaths are reported with every update.

A part of a phase has an end, and the curriculum ends with it. A part of a life (`Life`) is one stretch of a learner
that goes on for ever: the curriculum is the life's, and everything the learner is (weights, moments, league, chance,
games, the expert's positions) lies in one folder of checkpoints that each part goes on from.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import numpy as np
from pydantic import JsonValue

from pipeline.engine.layout import HEAD_COLLISION
from pipeline.engine.players.kinds import KINDS
from pipeline.evolution.league import LEARNER, RESIDENTS, CurriculumStage, continual_curriculum, phase_curriculum
from pipeline.evolution.networks import Network
from pipeline.evolution.ppo_loss import PpoStats
from pipeline.evolution.ppo_trainer import PpoTrainer
from pipeline.evolution.rollout import RolloutStats
from pipeline.evolution.rollout_stretch import SpreadRollouts
from pipeline.evolution.tensorboard_log import Report
from pipeline.evolution.training_state import TrainingState, Weights
from pipeline.simulator.go_snake import GO_SNAKE, GO_SNAKE_NAME
from schemas.errors import OutOfTimeError, StoppedError, TrainingError
from schemas.phases import TrainingPhaseConfig
from schemas.settings import Settings

_MOST_SETBACKS: Final = 5
_EXPLODED_KL: Final = 20
"""An update that went so many times beyond `target_kl` on average has destroyed the policy."""
LIFE: Final = "life"
"""The counter of a checkpoint in which a life's own words stand."""


class Checkpoints(Protocol):
    """Where states are kept; `CheckpointFolder` is one."""

    def save(self, state: TrainingState) -> object:
        """Keep it as the newest."""

    def latest(self) -> TrainingState | None:
        """The newest whole one."""


class Counts(NamedTuple):
    """How far a learner has come."""

    updates: int = 0
    games: int = 0
    decisions: int = 0


@dataclass(frozen=True)
class Life:
    """One part of a learner's life: from where it began to so many updates."""

    begun: Counts
    until: int
    """Updates of the life at which the part ends."""
    history: Mapping[str, JsonValue]
    """Words that go with the learner into every checkpoint."""
    champion: tuple[str, Weights] | None = None
    """Welcome in the league: its id and weights."""


@dataclass(frozen=True)
class SelfPlayReport:
    """What a self-play phase, or a part of a life, did; counts include what was done before a resume."""

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

    def __init__(
        self, phase: TrainingPhaseConfig, settings: Settings, budget_s: float | None, spent_s: float, life: Life | None
    ) -> None:
        self._phase, self._settings, self._budget_s, self._spent_s = phase, settings, budget_s, spent_s
        self._life = life
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

    def done(self, trainer: PpoTrainer) -> float:
        """0..1: whichever of updates, games and time is farthest."""
        if self._life is not None:
            whole = max(1, self._life.until - self._life.begun.updates)
            by_time = 0.0 if self._budget_s is None else self.here_s / max(self._budget_s, 1e-9)
            return min(1.0, max((trainer.updates - self._life.begun.updates) / whole, by_time))
        by_time = 0.0 if self._budget_s is None else self.spent_s / max(self._spent_s + self._budget_s, 1e-9)
        by_games = trainer.games / self._phase.games_required
        return min(1.0, max(trainer.updates / self._phase.max_epochs, by_games, by_time))

    def course(self, trainer: PpoTrainer) -> CurriculumStage:
        """What the next update is like."""
        if self._life is not None:
            return continual_curriculum(self._phase, self._settings.self_play, trainer.updates)
        return phase_curriculum(self._phase, self._settings.self_play, self.done(trainer))


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
    life: Life | None = None,
    tell: Callable[[str], None] = lambda _line: None,
    spread: SpreadRollouts | None = None,
) -> SelfPlayReport:
    """Improve `network` in place until the phase's updates, games or time are used up, or `stop` says so.

    Resumes from the newest checkpoint; without a time budget the end is the same, bit for bit, as if it had never been
    stopped (on a CPU, with as many threads). A stop or the end of the time is honoured within a batch or a turn of the
    games; the update in hand is then dropped.

    Args:
        seed: of the games and all chance; the weights come as they are.
        checkpoints: None: nothing is kept.
        report: called after every update; numbers are described in `told`.
        life: the part of a learner's life that this is; None: a phase with an end of its own.
        tell: told in words of what a checkpoint could not hand on.
        spread: plays on other machines too (`PpoTrainer`).

    Raises:
        TrainingError: the loss was lost several times in a row, in spite of ever smaller steps.
        NothingLearnedError: an update had nothing to learn from, or (OutOfTimeError) there was no time for one.
        ModelError: the checkpoint belongs to another network.
    """
    state = checkpoints.latest() if checkpoints else None
    spent_s = 0.0 if state is None else float(str(state.counters["spent_s"]))
    clock = _Clock(phase, settings, time_budget_s, spent_s, life)

    def ensure_running() -> None:
        if clock.used_up or stop():
            raise StoppedError("self-play was asked to stop", remedy="Start it again: it goes on from its checkpoint.")

    former = (network.low_precision, network.recompute, network.pack_leaves)
    with PpoTrainer(network, phase, settings, seed, ensure_running, spread=spread) as trainer:
        interval_s = settings.training_optimization.checkpoint_interval_s
        session = _Session(trainer, clock, checkpoints, interval_s, {} if life is None else dict(life.history))
        if state is not None:
            session.resume(state, tell)
        if life is not None and life.champion is not None and trainer.league.welcome(*life.champion):
            tell(f"{life.champion[0]} is in the league")
        try:
            session.go_on(report, settings.self_play.target_kl)
        finally:
            network.low_precision, network.recompute, network.pack_leaves = former
    begun = Counts() if life is None else life.begun
    updates = trainer.updates - begun.updates
    stopped = session.interrupted and not clock.used_up
    if updates <= 0 and not stopped:
        raise _out_of_time(time_budget_s)
    games, decisions = trainer.games - begun.games, trainer.decisions - begun.decisions
    return SelfPlayReport(updates, games, decisions, session.setbacks, stopped, session.numbers)


def _out_of_time(budget_s: float | None) -> OutOfTimeError:
    had = "" if budget_s is None else f" ({budget_s:.1f} s were left for it)"
    return OutOfTimeError(
        f"the time for self-play was used up before its first update{had}",
        where="time_budget_s",
        remedy="Give the run more hours, or the phase a larger time_share.",
    )


class _Session:
    """The loop around a trainer: checkpoints, setbacks, reports."""

    def __init__(
        self,
        trainer: PpoTrainer,
        clock: _Clock,
        checkpoints: Checkpoints | None,
        interval_s: float,
        history: dict[str, JsonValue],
    ) -> None:
        self._trainer, self._clock, self._checkpoints, self._interval_s = trainer, clock, checkpoints, interval_s
        self._history = history
        self._saved_at = 0.0
        self.setbacks = 0
        self.interrupted = False
        self.numbers: dict[str, float] = {}

    def resume(self, state: TrainingState, tell: Callable[[str], None]) -> None:
        """Go on from a checkpoint."""
        for line in self._trainer.restore(state):
            tell(f"The learner goes on from its checkpoint; {line}.")
        self.setbacks = int(str(state.counters["setbacks"]))

    def go_on(self, report: Report, target_kl: float) -> None:
        """Update after update until the phase is done or somebody says stop; save at the end."""
        good = self._capture(whole=False)
        in_a_row, trainer = 0, self._trainer
        while self._clock.done(trainer) < 1:
            began = time.monotonic()
            try:
                stats, seen = trainer.update(self._clock.course(trainer))
                if stats.kl > _EXPLODED_KL * target_kl:
                    raise FloatingPointError(f"the policy moved by {stats.kl:.2f}")  # noqa: TRY301
            except StoppedError:
                trainer.restore(good)
                self.interrupted = True
                break
            except FloatingPointError as error:
                in_a_row += 1
                self._step_back(good, error, in_a_row)
                continue
            in_a_row = 0
            good = self._capture(whole=False)
            self.numbers = told(stats, seen, time.monotonic() - began) | {"updates": float(trainer.updates)}
            report(self._clock.done(trainer), self._words(), self.numbers)
            if self._checkpoints and self._clock.here_s - self._saved_at >= self._interval_s:
                self._save()
        self._save()

    def _words(self) -> str:
        trainer = self._trainer
        return f"update {trainer.updates}, {trainer.games} games, {trainer.decisions} positions"

    def _capture(self, *, whole: bool) -> TrainingState:
        counters: dict[str, JsonValue] = {
            "spent_s": self._clock.spent_s,
            "setbacks": self.setbacks,
            LIFE: self._history,
        }
        return self._trainer.capture(counters, whole=whole)

    def _save(self) -> None:
        if self._checkpoints:
            self._checkpoints.save(self._capture(whole=True))
            self._saved_at = self._clock.here_s

    def _step_back(self, good: TrainingState, error: FloatingPointError, in_a_row: int) -> None:
        """Undo the update and go on with half the learning rate."""
        if in_a_row > _MOST_SETBACKS:
            raise TrainingError(
                f"self-play lost its loss {in_a_row} times in a row: {error}",
                where=self._words(),
                remedy="Lower the phase's learning_rate, or look at the games it learns from.",
            ) from error
        scale = self._trainer.scale / 2
        self._trainer.restore(good)
        self._trainer.slow_down(scale)
        self.setbacks += 1


def told(stats: PpoStats, seen: RolloutStats, seconds: float) -> dict[str, float]:
    """Return an update's numbers for curves.

    loss/... (`PpoStats`), entropy (mean, in nats, of the played policies), positions/s;
    of the games that ended: their number, mean turns, the shares that the turn limit cut, of the learner's deaths head
    on, and per opponent won/<who> (the learner's seats that won alone; `frozen`: past selves and champions) and
    drawn/self.
    """
    numbers = {f"loss/{name}": value for name, value in stats._asdict().items()}
    met, seats = seen.met, np.maximum(seen.met[:, 0], 1)
    numbers |= {
        "entropy": seen.entropy / max(seen.decisions, 1),
        "positions_per_s": seen.decisions / seconds,
        "games": float(seen.games),
    }
    if not seen.games:
        return numbers
    deaths = max(int(seen.deaths[1:].sum()), 1)
    numbers |= {
        "turns": float(met[:, 3].sum() / max(met[:, 0].sum(), 1)),
        "cut": seen.cut / seen.games,
        "head_on": float(seen.deaths[HEAD_COLLISION] / deaths),
        "drawn/self": float(met[LEARNER, 2] / seats[LEARNER]),
    }
    for kind in KINDS:
        if met[kind.number, 0]:
            numbers[f"won/{kind.name}"] = float(met[kind.number, 1] / seats[kind.number])
    if met[GO_SNAKE, 0]:
        numbers[f"won/{GO_SNAKE_NAME}"] = float(met[GO_SNAKE, 1] / seats[GO_SNAKE])
    frozen = met[list(RESIDENTS)].sum(0)
    return numbers | ({"won/frozen": float(frozen[1] / frozen[0])} if frozen[0] else {})
