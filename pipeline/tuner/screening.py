"""The screen within a run: which weights are moved far, and what the run leaves out because of it.

`pipeline.tuner.screen` is the comparison. A run makes it at its start over all weights that may be tuned: two games for
each, moved far one way, since they come out of the run's games and most weights change a move in every game. Those that
changed none are left out of the search, and asked again after each promotion, with more games and moved both ways: they
may act but rarely, or have become alive.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.tuner.jobs import MatchResult, Participant, SourceKind
from pipeline.tuner.screen import (
    LINES,
    EffectKind,
    ScreenPlan,
    Variant,
    WeightEffect,
    named,
    plan_screen,
    read_screen,
    summary,
)
from pipeline.tuner.seeds import Stage, pair_seeds
from pipeline.tuner.setup import Setup
from pipeline.tuner.weight_rules import Specification
from pipeline.tuner.weights import WeightFile
from schemas.tuning import Objective
from schemas.tuning_run import TuningState

SEEDS, SEEDS_AGAIN = 1, 4
"""Each played from all seats: at the start, and of weights that are asked again."""


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
    return plan_screen(variants, best, seeds, setup.probe, f"{state.chapter}/screen/{state.screens}", lines)


def screened(
    plan: ScreenPlan, results: Mapping[str, MatchResult], setup: Setup, state: TuningState
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
        f"asked again with more games after the next promotion: {named(body['inert'])}."
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
