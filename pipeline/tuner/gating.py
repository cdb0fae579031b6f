"""A candidate at the gate: which games it plays next, what they decide, and what the decision changes.

`pipeline.tuner.gate` is the statistics. Here its seeds are dealt in blocks: a first one that shows whether the
candidate moves differently at all, then blocks of `settings.games`, some of them played ahead. Blocks count in their
order, so what is played beyond a decision changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, fmean, stdev
from typing import Any

from pipeline.evaluation.intervals import measure_blocks
from pipeline.tuner import gate as rules_of_gate
from pipeline.tuner.contest import Contest, SeedScore
from pipeline.tuner.faults import CANDIDATE, fails_too_often, sides_of
from pipeline.tuner.gate import GateDecision, GateVerdict, SeedOutcome
from pipeline.tuner.jobs import JobKind, JobResult, Participant, SourceKind, Stage, pair_seeds
from pipeline.tuner.setup import Setup
from pipeline.tuner.space import differences
from pipeline.tuner.weights import WeightFile, parse
from schemas.tuning import AcceptRule
from schemas.tuning_run import (
    CandidateDecision,
    IterationFacts,
    MeasuredRate,
    OpenGate,
    PromotedCandidate,
    TuningPhase,
    TuningState,
)

BLOCKS_AHEAD = 3
THE_START = "the weights that the run began from"
_ONE_SIDED = NormalDist().inv_cdf(0.95)
_DECISIONS = {
    GateVerdict.PROMOTED: CandidateDecision.ACCEPTED,
    GateVerdict.NOT_BETTER: CandidateDecision.REJECTED,
    GateVerdict.NO_MOVE_CHANGED: CandidateDecision.NO_MOVE_CHANGED,
    GateVerdict.UNDECIDED: CandidateDecision.UNDECIDED,
    GateVerdict.REGRESSED: CandidateDecision.REGRESSED,
}


@dataclass(frozen=True)
class GateConclusion:
    """The gate's last word."""

    decision: CandidateDecision
    gain: float
    """Over the champion."""
    ratio: float
    reason: str = ""
    worst_loss: float | None = None
    """Where the pool turned it down: the largest loss there."""


def due(setup: Setup, state: TuningState) -> list[Contest]:
    """The block that counts next; once the champion is beaten, the games against the pool."""
    gate = _open(state)
    if gate.against_pool:
        return [_against(setup, state, gate, place) for place in range(len(_pool(setup, state)))]
    return [_block(setup, state, gate, len(gate.gains))]


def ahead(setup: Setup, state: TuningState) -> list[Contest]:
    """Blocks that will probably count after it; none before it is known that the candidate moves differently."""
    gate = _open(state)
    if gate.against_pool or not gate.gains or setup.settings.accept is AcceptRule.MEAN:
        return []
    starts = [len(gate.gains)]
    for _ in range(BLOCKS_AHEAD):
        starts.append(starts[-1] + _size(setup, starts[-1]))
    most = setup.gate_rules.max_seeds
    return [_block(setup, state, gate, start) for start in starts[1:] if start < most]


def counted(
    setup: Setup, state: TuningState, contests: Sequence[Contest], results: Mapping[str, JobResult]
) -> tuple[TuningState, GateConclusion | None]:
    """Count what was due; a verdict, or None: play on."""
    gate = _open(state)
    games = sum(len(result.games) for result in results.values())
    failed = _candidates_failures(contests, results)
    gate = gate.model_copy(update={"games": gate.games + games, "failed_games": gate.failed_games + failed})
    if gate.against_pool:
        return state.model_copy(update={"gate": gate}), _pool_verdict(setup, state, gate, contests, results)
    scores = contests[0].scores(results, candidate_first=True)
    gate = gate.model_copy(
        update={
            "gains": gate.gains + tuple(score.gain for score in scores),
            "own": gate.own + tuple(score.own for score in scores),
            "unchanged": gate.unchanged + tuple(score.unchanged for score in scores),
        }
    )
    decision = decision_of(setup, gate)
    passed = decision.verdict is GateVerdict.PROMOTED
    own_games = gate.games // 2 if setup.opponents else gate.games  # the champion plays the opponents too
    if fails_too_often(gate.failed_games, own_games):
        reason = f"it failed to answer in {gate.failed_games} of {own_games} games"
        return state.model_copy(update={"gate": gate}), GateConclusion(
            CandidateDecision.FAILED, decision.gain, decision.ratio, reason
        )
    if passed and _pool(setup, state) and setup.settings.accept is AcceptRule.SPRT:
        gate = gate.model_copy(update={"against_pool": True})
        return state.model_copy(update={"gate": gate}), None
    state = state.model_copy(update={"gate": gate})
    return state, None if decision.verdict is None else GateConclusion(
        _DECISIONS[decision.verdict], decision.gain, decision.ratio
    )


def _candidates_failures(contests: Sequence[Contest], results: Mapping[str, JobResult]) -> int:
    """Games in which the candidate, and not the champion in its games against the same opponents, failed to answer."""
    jobs = [job for contest in contests for job in contest.jobs if sides_of(job)[0] == CANDIDATE]
    games = [game for job in jobs for game in results[job.id].games]
    return sum(
        any(failure and who == 0 for failure, who in zip(game.failures, game.rotation, strict=True)) for game in games
    )


def decision_of(setup: Setup, gate: OpenGate) -> GateDecision:
    """What the seeds counted so far say."""
    outcomes = [SeedOutcome(0.5 + gain, same) for gain, same in zip(gate.gains, gate.unchanged, strict=True)]
    settings = setup.settings
    if settings.accept is AcceptRule.MEAN:
        return rules_of_gate.decide_by_mean(setup.gate_rules, settings.games, settings.min_improvement, outcomes)
    return rules_of_gate.decide(setup.gate_rules, gate.number, outcomes, setup.support)


def misled(gate: OpenGate, verdict: GateConclusion) -> bool:
    """Whether a candidate is turned down that is worse than the champion beyond chance (one-sided, 95 %)."""
    if verdict.decision is not CandidateDecision.REJECTED or len(gate.gains) < 2:
        return False
    return fmean(gate.gains) + _ONE_SIDED * stdev(gate.gains) / sqrt(len(gate.gains)) < 0


def closed(
    setup: Setup, state: TuningState, champion: WeightFile, verdict: GateConclusion
) -> tuple[TuningState, dict[str, Any]]:
    """The state after the verdict, and what the ledger notes of it."""
    gate = _open(state)
    candidate = parse(gate.text, state.snake)
    accepted = verdict.decision is CandidateDecision.ACCEPTED
    facts = _facts(setup, state, champion, candidate, verdict)
    changes: dict[str, Any] = {
        "gate": None,
        "iteration": state.iteration + 1,
        "games_at_iteration": state.total_games,
    }
    body: dict[str, Any] = {
        "gate": gate.number,
        "candidate": candidate.hash,
        "decision": verdict.decision.value,
        "gain": verdict.gain,
        "ratio": verdict.ratio,
        "seeds": len(gate.gains),
    }
    if accepted:
        promoted = PromotedCandidate(former=champion.text, facts=facts)
        changes |= {"champion": gate.text, "promoted": promoted, "phase": TuningPhase.MEASURE}
        changes |= {"accepted": state.accepted + 1, "since_improvement": 0, "measurement_due": True}
    else:
        changes |= {"since_improvement": state.since_improvement + 1, "phase": TuningPhase.SEARCH}
        body["record"] = facts.model_dump(mode="json")
    return state.model_copy(update=changes), body


def _facts(
    setup: Setup, state: TuningState, champion: WeightFile, candidate: WeightFile, verdict: GateConclusion
) -> IterationFacts:
    gate = _open(state)
    rate = measure_blocks([min(max(score, 0.0), 1.0) for score in gate.own], 2)
    best = state.best or MeasuredRate(win_rate=0, low=0, high=1, games=2)
    accepted = verdict.decision is CandidateDecision.ACCEPTED
    return IterationFacts(
        iteration=state.iteration + 1,
        win_rate=rate.win_rate,
        win_rate_low=rate.low,
        win_rate_high=rate.high,
        win_rate_against="opponents" if setup.opponents else "best",
        best_win_rate=best.win_rate,
        best_win_rate_low=best.low,
        best_win_rate_high=best.high,
        best_win_rate_games=best.games,
        best_win_rate_against="opponents" if setup.opponents else "reference",
        improvement=0.0,
        improvement_low=0.0,
        improvement_high=0.0,
        probe_improvement=None,
        improved=accepted,
        decision=verdict.decision,
        log_likelihood_ratio=verdict.ratio,
        gate=gate.number,
        gate_games=gate.games,
        games=state.total_games - state.games_at_iteration,
        failed_games=gate.failed_games,
        seed=state.seed,
        chapter=state.chapter,
        changed=differences(champion.values, candidate.values),
        reason=verdict.reason,
        config_hash=candidate.hash,
        best_config_hash=candidate.hash if accepted else champion.hash,
        search=gate.origin,
        campaign=state.campaign,
    )


def _pool(setup: Setup, state: TuningState) -> list[tuple[str, Participant, int]]:
    """Name, snake and seeds of those against whom a candidate must not get worse.

    The start is among them: what beats the best alone may beat it by what only works against it.
    """
    settings = setup.settings
    found = [(name, who, -(-settings.pool_games // 2)) for name, who in setup.pool]
    if settings.pool_start and not setup.opponents and state.champion != state.reference:
        start = Participant(SourceKind.WEIGHTS, state.reference)
        found.append((THE_START, start, setup.gate_rules.measure_seeds))
    return found


def _pool_verdict(
    setup: Setup, state: TuningState, gate: OpenGate, contests: Sequence[Contest], results: Mapping[str, JobResult]
) -> GateConclusion:
    pairs: dict[str, list[tuple[float, float]]] = {}
    for (name, _, _), contest in zip(_pool(setup, state), contests, strict=True):
        scores: list[SeedScore] = contest.scores(results, candidate_first=True)
        pairs[name] = [(score.own, score.own - score.gain) for score in scores]
    decision = decision_of(setup, gate)
    comparisons = rules_of_gate.no_regression(setup.gate_rules, pairs)
    verdict = rules_of_gate.concluded(decision, comparisons)
    assert verdict is not None, "the pool is played only after a promotion"
    lost = [each for each in comparisons if each.worse]
    worse = [f"{each.opponent or 'all together'} {each.difference:+.1%}" for each in lost]
    reason = f"worse against the pool: {', '.join(worse)}" if worse else ""
    # in ledgers of before, which know no such setting, the search was told of the gain whatever the pool said
    loss = min((each.difference for each in lost), default=None) if setup.settings.pool_start else None
    return GateConclusion(_DECISIONS[verdict], decision.gain, decision.ratio, reason, loss)


def _block(setup: Setup, state: TuningState, gate: OpenGate, start: int) -> Contest:
    size = min(_size(setup, start), setup.gate_rules.max_seeds - start)
    return Contest(
        name=f"{state.chapter}/gate/{gate.number}/{start}",
        kind=JobKind.GATE,
        first=Participant(SourceKind.WEIGHTS, gate.text),
        second=Participant(SourceKind.WEIGHTS, state.champion),
        seeds=pair_seeds(state.seed, Stage.GATE, state.chapter, gate.number, size, start),
        conditions=setup.gate,
        objective=setup.settings.objective,
        opponents=setup.opponents,
        offset=start,
    )


def _size(setup: Setup, start: int) -> int:
    look = -(-setup.settings.games // 2)
    if start == 0 and setup.settings.accept is AcceptRule.SPRT:
        return min(look, rules_of_gate.UNCHANGED_SEEDS)
    return look


def _against(setup: Setup, state: TuningState, gate: OpenGate, place: int) -> Contest:
    pool = _pool(setup, state)
    _, opponent, seeds = pool[place]
    before = sum(each for _, _, each in pool[:place])
    return Contest(
        name=f"{state.chapter}/pool/{gate.number}/{place}",
        kind=JobKind.NO_REGRESSION,
        first=Participant(SourceKind.WEIGHTS, gate.text),
        second=Participant(SourceKind.WEIGHTS, state.champion),
        seeds=pair_seeds(state.seed, Stage.POOL, state.chapter, gate.number, seeds, before),
        conditions=setup.gate,
        objective=setup.settings.objective,
        opponents=(opponent,),
    )


def _open(state: TuningState) -> OpenGate:
    assert state.gate is not None, "asked of the gate with no candidate there"
    return state.gate
