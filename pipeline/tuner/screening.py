"""The screen within a run: which weights are moved far, and what the run leaves out because of it.

`pipeline.tuner.screen` is the comparison. A run makes it once at its start, over all weights that may be tuned, and
after each promotion once more over those that it left out: they may have become alive. It has two rounds: two games for
every weight, moved one way, which show of nearly all that they change moves; and more, both ways, for those that
changed none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.tuner.jobs import MatchResult, Participant, SourceKind
from pipeline.tuner.screen import LINES, EffectKind, ScreenPlan, Variant, WeightEffect, plan_screen, read_screen
from pipeline.tuner.seeds import Stage, pair_seeds
from pipeline.tuner.setup import Setup
from pipeline.tuner.weight_rules import Specification
from pipeline.tuner.weights import WeightFile
from schemas.tuning import Objective
from schemas.tuning_state import TuningState

SEEDS, SEEDS_AGAIN = 1, 4
"""Each played from all seats. They come out of the run's games, and most weights change a move in every game."""


def plan(setup: Setup, state: TuningState, champion: WeightFile) -> ScreenPlan:
    """The games of the screen that is due."""
    asked = state.suspects or state.inert or setup.rules.keys()
    rules = {path: setup.rules[path] for path in asked if path in setup.rules and path in champion.weights}
    count = SEEDS_AGAIN if state.suspects else SEEDS
    seeds = pair_seeds(state.seed, Stage.SCREEN, state.chapter, state.screens, count)
    lines = LINES[:1] if setup.settings.objective is Objective.DUEL else LINES
    best = Participant(SourceKind.WEIGHTS, champion.text)
    variants = far_variants(champion, rules)
    if not state.suspects:
        variants = list({variant.weight: variant for variant in variants}.values())
    return plan_screen(variants, best, seeds, setup.probe, f"{state.chapter}/screen/{state.screens}", lines)


def screened(plan: ScreenPlan, results: Mapping[str, MatchResult], setup: Setup) -> tuple[tuple[str, ...], Any]:
    """The weights to leave out from now on, and what the ledger notes."""
    effects = read_screen(plan, results)
    dead = tuple(effect.weight for effect in effects if effect.kind is EffectKind.NO_EFFECT)
    if len(dead) == len(setup.rules):  # then it is the games that say nothing
        dead = ()
    rows = [[each.weight, each.kind.value, each.low_gain, each.high_gain, each.games] for each in effects]
    return dead, {"effects": rows, "inert": list(dead)}


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
