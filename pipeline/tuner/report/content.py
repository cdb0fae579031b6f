"""What a report says: plain data, made from a run's ledger by whoever keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import unified_diff

from pipeline.tuner.gate import GateDecision, GateRules, GateVerdict, MeasuredGain, PoolScore
from pipeline.tuner.interactions import Interaction
from pipeline.tuner.screen import EffectKind
from schemas.tuning_run import WeightValue


@dataclass(frozen=True)
class GateRecord:
    """One candidate at the gate."""

    decision: GateDecision
    verdict: GateVerdict | None
    """The whole gate's word; None: still playing."""
    games_before: int
    """Games of the run when the test began."""
    pool: tuple[PoolScore, ...] = ()
    measured: MeasuredGain | None = None
    """Over the champion before, on unseen seeds; None: not promoted, or not measured yet."""


@dataclass(frozen=True)
class ChampionElo:
    """How strong the champion was after so many games."""

    games: int
    elo: float
    """Over the weights that the run began from."""
    low: float
    high: float


@dataclass(frozen=True)
class WeightChange:
    """One weight before and after."""

    path: str
    before: WeightValue
    after: WeightValue
    effect: EffectKind | None = None
    """None: not screened."""
    low_gain: float | None = None
    high_gain: float | None = None
    """Score, less one half, of the weight moved far down and up, as the screen measured it."""
    tuned: bool = True

    @property
    def changed(self) -> bool:
        """Whether the run moved it."""
        return self.before != self.after


@dataclass(frozen=True)
class CarryOver:
    """The champion against the weights before, at conditions other than those it was found at."""

    conditions: str
    measured: MeasuredGain


@dataclass(frozen=True)
class FrontPoint:
    """One configuration of a Pareto front."""

    name: str
    values: Mapping[str, float]
    """Objective -> value."""
    errors: Mapping[str, float] = field(default_factory=dict)
    """Objective -> standard error."""
    changed: Mapping[str, tuple[WeightValue, WeightValue]] = field(default_factory=dict)
    """Weight -> the present value, its own."""


@dataclass(frozen=True)
class AimRow:
    """One objective."""

    name: str
    meaning: str
    sign: int
    """1: more is better; -1: less is."""


@dataclass(frozen=True)
class Report:
    """One run, finished or under way."""

    run: str
    snake: str
    search: str
    objective: str
    state: str
    """Such as: running; finished; stopped by a signal."""
    written_at: str
    """An instant, as the schedule's zone shows it."""
    rules: GateRules
    probe_conditions: str
    gate_conditions: str
    backend: str
    seed: int
    gain: MeasuredGain | None
    """Of the champion over the weights that the run began from, on unseen seeds; None: nothing promoted or measured."""
    games: Mapping[str, int]
    """Kind of job -> games."""
    cpu_hours: float
    wall_hours: float
    before: str
    after: str
    """The whole text of the weights' file."""
    gates: tuple[GateRecord, ...] = ()
    elo: tuple[ChampionElo, ...] = ()
    weights: tuple[WeightChange, ...] = ()
    crossed: tuple[str, ...] = ()
    """The weights of which it was asked which matter together; empty: not asked."""
    interactions: tuple[Interaction, ...] = ()
    carry_over: tuple[CarryOver, ...] = ()
    aims: tuple[AimRow, ...] = ()
    front: tuple[FrontPoint, ...] = ()
    seeds: Mapping[str, str] = field(default_factory=dict)
    """What they were used for -> which, in words or numbers."""
    notes: tuple[str, ...] = ()
    """Sentences that belong in view: faults of snakes, pauses of a noisy machine, what the screen found."""

    @property
    def games_in_all(self) -> int:
        """Of all kinds."""
        return sum(self.games.values())

    @property
    def spent(self) -> tuple[str, str]:
        """Processor time and time by the clock, in words."""
        return _time(self.cpu_hours), _time(self.wall_hours)

    @property
    def promotions(self) -> tuple[GateRecord, ...]:
        """The tests that changed the champion."""
        return tuple(record for record in self.gates if record.verdict is GateVerdict.PROMOTED)

    @property
    def difference(self) -> str:
        """The weights' file before and after as a unified difference; empty: nothing changed."""
        lines = unified_diff(
            self.before.splitlines(), self.after.splitlines(), "config.yaml before", "config.yaml after", lineterm=""
        )
        return "\n".join(lines)

    @property
    def headline(self) -> str:
        """The run in a sentence."""
        if len(self.aims) > 1:
            count = f"{len(self.front)} configurations" if len(self.front) != 1 else "1 configuration"
            return f"{count} to choose from after {self.games_in_all:,} games, none better than another in everything."
        if self.gain is None:
            tried = f"{len(self.gates)} candidates were" if len(self.gates) != 1 else "1 candidate was"
            return f"No gain shown yet: {tried} judged in {self.games_in_all:,} games, {len(self.promotions)} promoted."
        return (
            f"{self.gain.gain:+.1%} score [{self.gain.low:+.1%}, {self.gain.high:+.1%}] over the weights before, on"
            f" {self.gain.seeds:,} seeds that decided nothing."
        )


def _time(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.2f} h"
    return f"{60 * hours:.1f} min" if hours >= 1 / 60 else f"{3600 * hours:.0f} s"
