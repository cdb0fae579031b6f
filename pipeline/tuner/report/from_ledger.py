"""A run's report out of its ledger: during the run, after it, or long after."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import log10
from pathlib import Path
from typing import Any

from pipeline.tuner import interactions, screen, weights
from pipeline.tuner.gate import GateDecision, GateRules, GateVerdict, MeasuredGain
from pipeline.tuner.ledger import NAME, Ledger, StoredStep
from pipeline.tuner.ledger_access import understood
from pipeline.tuner.progress import in_circles
from pipeline.tuner.report.content import AimRow, CarryOver, ChampionElo, FrontPoint, GateRecord, Report, WeightChange
from pipeline.tuner.report.page import write_report
from pipeline.tuner.screen import EffectKind, WeightEffect
from pipeline.tuner.screen_run import KeptEffect, kept_effects
from pipeline.tuner.setup import Setup, restored
from pipeline.tuner.space import differences
from schemas.errors import MachineError, StateError
from schemas.tuning_run import CandidateDecision, IterationFacts, TuningPhase, TuningState, WeightValue

REPORTS = "reports"
_VERDICTS = {
    CandidateDecision.ACCEPTED: GateVerdict.PROMOTED,
    CandidateDecision.REJECTED: GateVerdict.NOT_BETTER,
    CandidateDecision.NO_MOVE_CHANGED: GateVerdict.NO_MOVE_CHANGED,
    CandidateDecision.UNDECIDED: GateVerdict.UNDECIDED,
    CandidateDecision.REGRESSED: GateVerdict.REGRESSED,
    CandidateDecision.FAILED: GateVerdict.NOT_BETTER,
    CandidateDecision.CONFLICT: GateVerdict.PROMOTED,
}
_SURE = 0.995
"""A score of everything is no infinite strength: Elo is shown up to this one."""


def write(book: Ledger, run: str, folder: Path, now: datetime) -> Path:
    """Write the run's page under `folder`/reports/RUN and return its path.

    Raises:
        StateError: no such run.
        MachineError: the page cannot be written.
    """
    try:
        return write_report(report_of(book, run, now), folder / REPORTS / run)
    except OSError as error:
        raise MachineError(
            f"the report cannot be written: {error.strerror}",
            where=str(folder / REPORTS / run),
            remedy=f"Free some space or correct its rights, then: ouroboros tune report {run}",
        ) from error


def report_of(book: Ledger, run: str, now: datetime) -> Report:
    """What the run came to so far.

    Raises:
        StateError: no such run, one that was ended before its first step, or one that cannot be read.
    """
    with understood(book.folder / NAME, run):
        return _report(book, run, now)


def _report(book: Ledger, run: str, now: datetime) -> Report:
    state, setup = book.state(run), _setup(book, run)
    backend, seconds, cpu_seconds, _ = book.spent(run)
    records = _records(book, run)
    last_crossing = _last_crossing(book, run)
    return Report(
        run=run,
        snake=state.snake,
        search=state.strategy,
        objective=setup.settings.objective.value,
        state=_words(state),
        written_at=f"{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        rules=setup.gate_rules,
        probe_conditions=_conditions(setup.probe_overrides_at(state.deepened)),
        gate_conditions=_conditions(setup.gate_overrides),
        backend=backend or "not ended yet",
        seed=state.seed,
        gain=_gain(state, records),
        games=book.games_by_kind(run),
        cpu_hours=cpu_seconds / 3600,
        wall_hours=seconds / 3600,
        before=state.reference,
        after=state.champion,
        gates=_gates(book, run, setup.gate_rules, records),
        elo=_elo(records),
        weights=_rows(state, setup, _effects(book, run, state)),
        interactions=interactions.interactions_in(last_crossing) if last_crossing else (),
        crossed=tuple(last_crossing["weights"]) if last_crossing else (),
        carry_over=_carried(setup, records),
        aims=tuple(AimRow(aim.name, aim.meaning, aim.sign) for aim in setup.aims),
        front=_front(state),
        seeds={"all games": "by run seed, stage, chapter and number of the test or measurement; each is in the ledger"},
        notes=_notes(state, records),
    )


def _setup(book: Ledger, run: str) -> Setup:
    started = list(book.steps(run, "started"))
    if not started:
        raise StateError(f"the run {run!r} has no steps", remedy="It was ended before its first one.")
    return restored(started[-1].body["setup"])


def _records(book: Ledger, run: str) -> list[IterationFacts]:
    return [IterationFacts.model_validate(step.body["record"]) for step in book.steps(run) if "record" in step.body]


def _last_crossing(book: Ledger, run: str) -> Mapping[str, Any] | None:
    found = [step.body for step in book.steps(run, "crossed") if "found" in step.body]
    return found[-1] if found else None


def _words(state: TuningState) -> str:
    doing = {
        TuningPhase.BASELINE: "measuring the start",
        TuningPhase.SCREEN: "screening weights",
        TuningPhase.SEARCH: "searching",
        TuningPhase.GATE: "a candidate at the gate",
        TuningPhase.CROSSING: "asking which weights matter together",
        TuningPhase.FRONT: "measuring contenders of the front",
        TuningPhase.MEASURE: "measuring a promotion",
    }
    done = "fronts measured" if state.strategy == "front" else "candidates judged"
    return f"{state.iteration} {done}, {doing[state.phase]}"


def _conditions(overrides: object) -> str:
    if not isinstance(overrides, dict) or not overrides:
        return "as the weights file stands"
    return ", ".join(f"{path} = {value}" for path, value in overrides.items())


def _accepted(records: Sequence[IterationFacts]) -> list[IterationFacts]:
    return [facts for facts in records if facts.decision is CandidateDecision.ACCEPTED]


def _gain(state: TuningState, records: Sequence[IterationFacts]) -> MeasuredGain | None:
    """Of the champion over the weights before; against opponents, of the last champion over the one before it."""
    accepted = _accepted(records)
    if not accepted:
        return None
    last = accepted[-1]
    if last.best_win_rate_against == "reference" and state.best is not None:
        best = state.best
        return MeasuredGain(best.win_rate - 0.5, best.low - 0.5, best.high - 0.5, best.games // 2)
    return MeasuredGain(last.improvement, last.improvement_low, last.improvement_high, last.best_win_rate_games // 2)


def _gates(book: Ledger, run: str, rules: GateRules, records: Sequence[IterationFacts]) -> tuple[GateRecord, ...]:
    paths: dict[int, list[tuple[int, float]]] = {}
    last: dict[int, StoredStep] = {}
    for step in book.steps(run):
        if step.kind in ("counted", "judged") and "ratio" in step.body:
            path, here = paths.setdefault(step.body["gate"], []), (step.body["seeds"], step.body["ratio"])
            if path[-1:] != [here]:  # the games against the pool are seeds of their own
                path.append(here)
            last[step.body["gate"]] = step
    games, found = 0, []
    by_gate = {facts.gate: facts for facts in records}
    for number, step in sorted(last.items()):
        facts = by_gate.get(number)
        games += facts.games if facts else 0
        found.append(_gate(number, step, paths[number], rules, facts, games))
    return tuple(found)


def _gate(
    number: int,
    step: StoredStep,
    path: list[tuple[int, float]],
    rules: GateRules,
    facts: IterationFacts | None,
    games: int,
) -> GateRecord:
    bounds = rules.hypotheses(number)
    verdict = _VERDICTS[CandidateDecision(step.body["decision"])] if step.kind == "judged" else None
    decision = GateDecision(
        verdict=verdict,
        number=number,
        seeds=step.body["seeds"],
        gain=step.body.get("gain", 0.0),
        ratio=step.body["ratio"],
        lower=bounds.lower,
        upper=bounds.upper,
        path=tuple(path),
    )
    measured = None
    if facts is not None and facts.decision is CandidateDecision.ACCEPTED:
        measured = MeasuredGain(
            facts.improvement, facts.improvement_low, facts.improvement_high, facts.best_win_rate_games // 2
        )
    return GateRecord(decision, verdict, games, measured=measured)


def _elo(records: Sequence[IterationFacts]) -> tuple[ChampionElo, ...]:
    """Against the weights before; with opponents there is no such scale, and no curve."""
    games, points = 0, [ChampionElo(0, 0.0, 0.0, 0.0)]
    for facts in records:
        games += facts.games
        if facts.decision is CandidateDecision.ACCEPTED and facts.best_win_rate_against == "reference":
            rates = (facts.best_win_rate, facts.best_win_rate_low, facts.best_win_rate_high)
            points.append(ChampionElo(games, *(_elo_of(rate) for rate in rates)))
    return tuple(points)


def _elo_of(rate: float) -> float:
    share = min(_SURE, max(1 - _SURE, rate))
    return 400 * log10(share / (1 - share))


def _effects(book: Ledger, run: str, state: TuningState) -> Mapping[str, WeightEffect | KeptEffect]:
    """By weight: what the run's own screens found, else what the last `tune screen` did."""
    own = {each.weight: each for step in book.steps(run, "screened") for each in screen.effects_in(step.body)}
    return own or kept_effects(book.folder, frozenset(weights.parse(state.champion, state.snake).weights))


def _rows(
    state: TuningState, setup: Setup, screened: Mapping[str, WeightEffect | KeptEffect]
) -> tuple[WeightChange, ...]:
    before = weights.parse(state.reference, state.snake).values
    after = weights.parse(state.champion, state.snake).values
    inert = set(state.inert)

    def row(path: str, now: WeightValue) -> WeightChange:
        tuned = path in setup.rules and path not in inert
        found = screened.get(path)
        if found is None:
            effect = EffectKind.NO_EFFECT if path in inert else None
            return WeightChange(path, before.get(path, now), now, effect, tuned=tuned)
        return WeightChange(path, before.get(path, now), now, found.kind, found.low_gain, found.high_gain, tuned)

    return tuple(row(path, now) for path, now in after.items())


def _carried(setup: Setup, records: Sequence[IterationFacts]) -> tuple[CarryOver, ...]:
    accepted = _accepted(records)
    if not accepted or accepted[-1].probe_improvement is None:
        return ()
    last = accepted[-1]
    gain = MeasuredGain(last.improvement, last.improvement_low, last.improvement_high, last.best_win_rate_games // 2)
    return (CarryOver(f"{_conditions(setup.gate_overrides)} (the last promotion)", gain),)


def _front(state: TuningState) -> tuple[FrontPoint, ...]:
    present = weights.parse(state.champion, state.snake).values
    return tuple(
        FrontPoint(
            member.name,
            member.values,
            member.errors,
            differences(present, weights.parse(member.text, state.snake).values),
        )
        for member in state.front
    )


def _notes(state: TuningState, records: Sequence[IterationFacts]) -> tuple[str, ...]:
    notes = [f"Test {facts.gate}: {facts.reason}." for facts in records if facts.reason]
    for facts in _accepted(records)[-1:]:
        if facts.probe_improvement is not None:
            notes.append(
                f"Carry-over of the last promotion: {facts.probe_improvement:+.1%} at the conditions it was found at,"
                f" {facts.improvement:+.1%} at those it is deployed at."
            )
    if circles := in_circles(_accepted(records)):
        notes.append(circles)
    notes += [
        f"The {side} failed to answer in {count} of {state.side_games[side]} games."
        for side, count in state.side_failures.items()
        if count
    ]
    if state.inert:
        notes.append(f"{len(state.inert)} weights changed no move so far and are left out: {', '.join(state.inert)}.")
    return tuple(notes)
