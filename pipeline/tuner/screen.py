"""Which weights change a move, or a result, at all: each is moved far both ways and plays the champion on few seeds.

Our snakes are deterministic where their budget is counted in positions: a weight that nobody reads leaves every game as
it was, move for move. So each variant's transcripts are held against a reference, champion against champion on the same
seeds; where all of them are alike in duels and with four snakes, the weight has no effect and is left out of the search
until the next promotion, after which the screen is made again. Where the reference does not even repeat itself (a snake
that thinks by the clock, or draws lots), transcripts say nothing and no weight is called dead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from statistics import NormalDist, fmean
from typing import Any

from pipeline.tuner.jobs import (
    JobKind,
    JobResult,
    MatchJob,
    Participant,
    PlayConditions,
    SourceKind,
    Stage,
    pair_seeds,
)
from pipeline.tuner.setup import Setup
from pipeline.tuner.weight_rules import Specification
from pipeline.tuner.weights import WeightFile
from schemas.tuning import Objective
from schemas.tuning_run import TuningState

LINES = ((0, 1), (0, 1, 1, 1))
"""The variant in a duel, and among three champions."""
CLEAR = 0.01
"""Level, over all weights of a screen, at which a score counts as changed."""
_SHOWN_NAMES = 12
SEEDS, SEEDS_AGAIN = 1, 4
"""Each played from all seats: at the start, and of weights that are asked again."""


class EffectKind(StrEnum):
    """What moving a weight far did."""

    NO_EFFECT = "no_effect"
    """Not one move changed."""
    MOVES = "moves"
    """Moves changed, the result not clearly."""
    RESULT = "result"
    """The score changed clearly."""
    UNKNOWN = "unknown"
    """No move can be compared: the snake does not repeat itself, or games were lost."""


@dataclass(frozen=True)
class Variant:
    """One weight moved far."""

    weight: str
    direction: int
    """-1: towards its lowest, 1: towards its highest value."""
    participant: Participant


@dataclass(frozen=True)
class WeightEffect:
    """What the screen found of one weight."""

    weight: str
    kind: EffectKind
    low_gain: float | None
    high_gain: float | None
    """Score in duels, less one half, of the weight moved far down and up; None: not played."""
    games: int


@dataclass(frozen=True)
class ScreenPlan:
    """The games of a screen."""

    jobs: tuple[MatchJob, ...]
    variants: Mapping[str, Variant]
    """Job -> whose it is; the reference's jobs are missing."""


def plan_screen(
    variants: Sequence[Variant],
    champion: Participant,
    seeds: Sequence[int],
    conditions: PlayConditions,
    prefix: str,
    lines: Sequence[tuple[int, ...]] = LINES,
) -> ScreenPlan:
    """Every variant against the champion, and the champion against itself twice, on the same seeds.

    Args:
        prefix: begins every job's id; differs from screen to screen of a run.
        lines: the seats played; those of four only where the snake will play such games.
    """
    jobs: list[MatchJob] = []
    owners: dict[str, Variant] = {}

    def add(name: str, first: Participant, line: tuple[int, ...]) -> str:
        job = f"{prefix}:{name}:{len(line)}"
        if job in owners:  # an enumeration has several values on one side
            job = f"{prefix}:{name}.{len(owners)}:{len(line)}"
        jobs.append(MatchJob(job, JobKind.SCREEN, (first, champion), line, tuple(seeds), conditions))
        return job

    for line in lines:
        add("reference", champion, line)
        add("repeated", champion, line)
        for variant in variants:
            owners[add(f"{variant.weight}:{variant.direction:+d}", variant.participant, line)] = variant
    return ScreenPlan(tuple(jobs), owners)


def read_screen(plan: ScreenPlan, results: Mapping[str, JobResult]) -> tuple[WeightEffect, ...]:
    """What each weight does, in the order of the plan. Jobs without a result count as lost games."""
    reference = _transcripts(plan, results, "reference")
    repeats = reference == _transcripts(plan, results, "repeated") and bool(reference)
    weights = dict.fromkeys(variant.weight for variant in plan.variants.values())
    level = CLEAR / max(1, 2 * len(weights))
    return tuple(_effect(weight, plan, results, reference if repeats else None, level) for weight in weights)


_Key = tuple[int, int, tuple[int, ...]]
"""Seats, seed, rotation: a game that can be held against another."""


def _transcripts(plan: ScreenPlan, results: Mapping[str, JobResult], name: str) -> dict[_Key, str]:
    found: dict[_Key, str] = {}
    for job in plan.jobs:
        if job.id not in plan.variants and job.id.split(":")[-2] == name and job.id in results:
            found |= _games(results[job.id])
    return found


def _games(result: JobResult) -> dict[_Key, str]:
    return {(len(game.rotation), game.seed, game.rotation): game.transcript for game in result.games}


def _effect(
    weight: str, plan: ScreenPlan, results: Mapping[str, JobResult], reference: dict[_Key, str] | None, level: float
) -> WeightEffect:
    jobs = {job.id: job for job in plan.jobs}
    own = [(jobs[name], variant) for name, variant in plan.variants.items() if variant.weight == weight]
    played = [(job, variant, results[job.id]) for job, variant in own if job.id in results]
    gains: dict[int, float] = {}
    clear = False
    for job, variant, result in played:
        scores = result.seed_scores(0)
        if len(job.line) == 2 and scores:
            gain = fmean(scores) - 0.5
            gains[variant.direction] = max(gain, gains.get(variant.direction, gain))
            clear = clear or _clearly_off(scores, level)
    games = sum(len(result.games) for _, _, result in played)
    whole = all(job.id in results and len(results[job.id].games) == _games_of(job) for job, _ in own)
    kind = _kind(reference, [_games(result) for _, _, result in played], whole, clear)
    return WeightEffect(weight, kind, gains.get(-1), gains.get(1), games)


def _kind(reference: dict[_Key, str] | None, played: list[dict[_Key, str]], whole: bool, clear: bool) -> EffectKind:
    if clear:
        return EffectKind.RESULT
    if reference is None:
        return EffectKind.UNKNOWN
    if any(reference.get(key) != transcript for games in played for key, transcript in games.items()):
        return EffectKind.MOVES
    return EffectKind.NO_EFFECT if whole else EffectKind.UNKNOWN


def _games_of(job: MatchJob) -> int:
    return len(job.seeds) * len(job.rotations)


def _clearly_off(scores: Sequence[float], level: float) -> bool:
    if len(scores) < 2:
        return False
    mean = fmean(scores)
    # One loss more keeps a handful of alike scores from having no spread at all.
    spread = (sum((score - mean) ** 2 for score in scores) + 0.25) / (len(scores) - 1)
    return abs(mean - 0.5) / sqrt(spread / len(scores)) > NormalDist().inv_cdf(1 - level / 2)


def dead_weights(effects: Sequence[WeightEffect]) -> tuple[str, ...]:
    """Names of the weights without effect."""
    return tuple(effect.weight for effect in effects if effect.kind is EffectKind.NO_EFFECT)


def named_weights(weights: Sequence[str]) -> str:
    """Their names, or the first of them."""
    more = f" and {len(weights) - _SHOWN_NAMES} more" if len(weights) > _SHOWN_NAMES else ""
    return ", ".join(weights[:_SHOWN_NAMES]) + more


def summary(effects: Sequence[WeightEffect]) -> str:
    """What the screen found, in a sentence or two, dead weights by name."""
    dead, games = dead_weights(effects), sum(effect.games for effect in effects if effect.kind is EffectKind.NO_EFFECT)
    if not dead:
        unknown = sum(effect.kind is EffectKind.UNKNOWN for effect in effects)
        if effects and unknown == len(effects):
            return (
                "The screen cannot tell which weights have an effect: with the same weights and seeds the snake does"
                " not play the same game twice. All of them are tuned."
            )
        return f"All {len(effects)} weights change moves ({sum(effect.games for effect in effects)} games)."
    return (
        f"{len(dead)} of {len(effects)} weights have no effect: moved far both ways they changed not one move in"
        f" {games} games. Nothing reads them, or what they are for did not come up: {named_weights(dead)}."
    )


def plan(setup: Setup, state: TuningState, champion: WeightFile) -> ScreenPlan:
    """The games of the screen that is due."""
    asked = state.inert or setup.rules.keys()
    rules = {path: setup.rules[path] for path in asked if path in setup.rules and path in champion.weights}
    count = SEEDS_AGAIN if state.inert else SEEDS
    seeds = pair_seeds(state.seed, Stage.SCREEN, state.chapter, state.screens, count)
    lines = LINES[:1] if setup.settings.objective is Objective.DUEL else LINES
    best = Participant(SourceKind.WEIGHTS, champion.text)
    variants = far_variants(champion, rules)
    if not state.inert:
        variants = list({variant.weight: variant for variant in variants}.values())
    return plan_screen(variants, best, seeds, setup.probe(0), f"{state.chapter}/screen/{state.screens}", lines)


def screened(
    plan: ScreenPlan, results: Mapping[str, JobResult], setup: Setup, state: TuningState
) -> tuple[tuple[str, ...], Any]:
    """The weights to leave out from now on, and what the ledger notes."""
    effects = read_screen(plan, results)
    dead = tuple(effect.weight for effect in effects if effect.kind is EffectKind.NO_EFFECT)
    if len(dead) == len(setup.rules):  # then it is the games that say nothing
        dead = ()
    rows = [[each.weight, each.kind.value, each.low_gain, each.high_gain, each.games] for each in effects]
    return dead, {"effects": rows, "inert": list(dead), "again": bool(state.inert)}


def words(body: Mapping[str, Any]) -> str:
    """What a screen found, for people."""
    effects = effects_in(body)
    if body["again"] or not body["inert"]:
        return summary(effects)
    each = max(effect.games for effect in effects)
    return (
        f"{len(body['inert'])} of {len(effects)} weights changed no move in {each} games each: they are left out, and "
        f"asked again with more games after the next promotion: {named_weights(body['inert'])}."
    )


def effects_in(body: Mapping[str, Any]) -> Sequence[WeightEffect]:
    """The effects that a step of the ledger notes."""
    return [WeightEffect(name, EffectKind(kind), low, high, games) for name, kind, low, high, games in body["effects"]]


def far_variants(champion: WeightFile, rules: Specification) -> list[Variant]:
    """Each weight at the far ends of its bounds; a switch the other way; an enumeration at every other value."""
    variants = []
    for path, rule in rules.items():
        for direction, moved in rule.others(champion.values[path]):
            text = champion.changed({path: moved}).text
            variants.append(Variant(path, direction, Participant(SourceKind.WEIGHTS, text)))
    return variants
