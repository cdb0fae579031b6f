"""`ouroboros tune screen`: which of a snake's weights have any effect, found by games, named, and kept.

Every game is in the ledger, under a name made of the weights' text, the snake's code and the seed: stopped, the same
command goes on.
What was found is `screen.json` beside it, which the report of a run reads as long as it names the same weights.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from pipeline import folder_lock
from pipeline.snake_builder import Cancelled
from pipeline.stopping import Stopping
from pipeline.tuner import ledger, weights
from pipeline.tuner.backends import Backend
from pipeline.tuner.jobs import JobResult, Participant, SourceKind, Stage, pair_seeds
from pipeline.tuner.ledger import Ledger
from pipeline.tuner.run import LedgerRecords
from pipeline.tuner.scheduler import Scheduler
from pipeline.tuner.screen import (
    LINES,
    EffectKind,
    ScreenPlan,
    Variant,
    WeightEffect,
    dead_weights,
    far_variants,
    plan_screen,
    read_screen,
)
from pipeline.tuner.setup import Setup, make_setup
from pipeline.tuner.snake_source import SnakeSource, snake_source
from pipeline.tuner.weights import WeightFile
from schemas.base import Frozen
from schemas.files import write_atomic
from schemas.settings import Settings

FILE_NAME = "screen.json"
DUELS, _CROWDS = LINES
FURTHER = 3
"""Times the boards, in duels and among four, of a weight that changed no move on the first ones: what it is for may
come up but rarely."""


class KeptEffect(Frozen):
    """A weight's entry in `screen.json`."""

    weight: str
    kind: EffectKind
    low_gain: float | None
    high_gain: float | None
    games: int


class KeptScreen(Frozen):
    """`screen.json`: the last screen."""

    config_hash: str
    """SHA-256 of the weights' file that was screened."""
    seed: int
    seeds: int
    effects: tuple[KeptEffect, ...]


def run_screen(
    settings: Settings,
    tell: Callable[[str], None],
    *,
    seeds: int = 2,
    seed: int = 1,
    stopping: Stopping | None = None,
    backend: Callable[[Settings, SnakeSource, Callable[[], bool]], Backend] | None = None,
) -> tuple[WeightEffect, ...] | None:
    """Play what is missing of the screen, keep and return what it found; None: stopped before its end.

    Args:
        seeds: of each variant: with 2, 8 games a weight, and 72 more of one that changed no move in those.
        seed: of the boards.

    Raises:
        SnakeError: the snake, its weights or their specification cannot be used.
        StateError: a tuner is at work in the same folder.
    """
    folder = settings.tuner_dir
    with ExitStack() as stack:
        stack.enter_context(folder_lock.held(folder, "tuner"))
        stopping = stopping or Stopping()
        stack.enter_context(stopping.on_signals())
        source = snake_source(settings)
        champion = weights.read(source.weights_file)
        setup = make_setup(settings.tuner, source, champion, settings.tuner.search, 1)
        name = "-".join(filter(None, ["screen", champion.hash[:12], setup.code[:12], str(seed)]))
        book = stack.enter_context(closing(Ledger(folder / ledger.NAME)))
        try:
            opened = (backend or _on_all_machines(tell))(settings, source, lambda: stopping.requested)
        except Cancelled:
            return None
        stack.callback(opened.close)
        tell(f"{len(setup.rules)} weights. {opened.notice}")
        scheduler = Scheduler(opened, LedgerRecords(book, name))
        screening = _Screening(name, champion, setup, seed, scheduler, stopping)
        effects = screening.found(seeds, tell)
        if effects is not None:
            _keep(folder, champion, seed, seeds, effects)
        return effects


_Found = tuple[WeightEffect, ...] | None


@dataclass(frozen=True)
class _Screening:
    """One champion's screen: its games are played, or read where they are in the ledger already."""

    name: str
    champion: WeightFile
    setup: Setup
    seed: int
    scheduler: Scheduler
    stopping: Stopping

    def found(self, seeds: int, tell: Callable[[str], None]) -> _Found:
        """Screen every weight on `seeds` boards, and those that changed no move on more; None: stopped."""
        variants = far_variants(self.champion, self.setup.rules)
        effects = self._screened(variants, 0, seeds, (DUELS,))
        suspects = set(dead_weights(effects)) if effects else set()
        if effects is None or not suspects:
            return effects
        tell(f"{len(suspects)} changed no move yet and are played further, with four snakes too.")
        variants = [variant for variant in variants if variant.weight in suspects]
        again = self._screened(variants, seeds, FURTHER * seeds, LINES)
        return None if again is None else _merged(effects, again)

    def _screened(
        self, variants: Sequence[Variant], first: int, count: int, lines: Sequence[tuple[int, ...]]
    ) -> _Found:
        boards = pair_seeds(self.seed, Stage.SCREEN, 0, 0, count, first)
        them = Participant(SourceKind.WEIGHTS, self.champion.text)
        plan = plan_screen(variants, them, boards, self.setup.probe(0), f"{self.name}-{first}", lines)
        results = _play(plan, self.scheduler, self.stopping)
        return None if results is None else read_screen(plan, results)


def _merged(first: tuple[WeightEffect, ...], again: tuple[WeightEffect, ...]) -> tuple[WeightEffect, ...]:
    """What was played further counts as what that found, with all its games."""
    later = {effect.weight: effect for effect in again}
    return tuple(
        replace(later[effect.weight], games=effect.games + later[effect.weight].games)
        if effect.weight in later
        else effect
        for effect in first
    )


def kept_effects(folder: Path, weights_of_run: frozenset[str]) -> dict[str, KeptEffect]:
    """What the last screen found, by weight; empty where there was none, or one of other weights."""
    try:
        kept = KeptScreen.model_validate_json((folder / FILE_NAME).read_bytes())
    except (OSError, ValidationError):
        return {}
    effects = {effect.weight: effect for effect in kept.effects}
    return effects if effects.keys() <= weights_of_run else {}


def _play(plan: ScreenPlan, scheduler: Scheduler, stopping: Stopping) -> dict[str, JobResult] | None:
    """A variant that cannot be played has no result: the screen calls its weight unknown."""
    scheduler.want(plan.jobs)
    if not scheduler.wait_for([job.id for job in plan.jobs], lambda: stopping.requested):
        return None
    outcomes = [scheduler.outcome(job.id) for job in plan.jobs]
    return {found.job_id: found for found in outcomes if isinstance(found, JobResult)}


def _keep(folder: Path, champion: WeightFile, seed: int, seeds: int, effects: tuple[WeightEffect, ...]) -> None:
    kept = KeptScreen(
        config_hash=champion.hash,
        seed=seed,
        seeds=seeds,
        effects=tuple(
            KeptEffect(
                weight=effect.weight,
                kind=effect.kind,
                low_gain=effect.low_gain,
                high_gain=effect.high_gain,
                games=effect.games,
            )
            for effect in effects
        ),
    )
    write_atomic(folder / FILE_NAME, json.dumps(kept.model_dump(mode="json"), indent=2) + "\n")


def _on_all_machines(tell: Callable[[str], None]) -> Callable[[Settings, SnakeSource, Callable[[], bool]], Backend]:
    from pipeline.cluster.all_machines import on_all_machines
    from pipeline.tuner.backends.choice import choose  # the referee brings numba, which `--help` must not cost

    return lambda settings, source, abandon: on_all_machines(choose(settings, source, abandon), settings, source, tell)
