"""`ContinuousTrainer`: the Go-weight tuner as a library."""

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from pydantic import ValidationError

from pipeline import console, folder_lock
from pipeline.stopping import Stopping
from pipeline.tuner import config_tree
from pipeline.tuner.arena import Arena
from pipeline.tuner.campaign import Campaign
from pipeline.tuner.progress import Progress
from pipeline.tuner.search import MomentumSearch, RandomSearch, Search, Values, random_changes
from pipeline.tuner.snake_source import SnakeSource, snake_source
from pipeline.tuner.specification import Specification, specify
from pipeline.tuner.spsa import SpsaSearch
from pipeline.tuner.tuning_run import EndReason, TuningRun
from schemas.campaign import Checkpoint, WeightValue
from schemas.errors import SettingsError
from schemas.model import PipelineState, PipelineStatus
from schemas.settings import Settings, describe, get_config
from schemas.tuning import SearchKind, TunerSettings

_LOGGER = logging.getLogger("ouroboros.tuner")


@dataclass(frozen=True)
class TrainingSummary:
    """How a run ended and what the campaign has reached."""

    reason: EndReason
    checkpoint: Checkpoint
    state: PipelineState
    stagnated: bool
    """No improvement for `stagnation_warning_after` iterations or more."""


class ContinuousTrainer:
    """Improves a snake's weights by real games, round the clock, resumable at any moment.

    Everything else that can be set stands in `settings.tuner`; the first four arguments are short for its fields.

    Args:
        games_per_iteration: `games`, between two looks at a candidate.
        checkpoint_interval: iterations between checkpoints.
        max_iterations: the campaign ends after so many.
        min_improvement: gain in win rate that does not count yet.
        settings: default: `get_config()`.
        remeasure: measure the best configuration anew before the first iteration.
        max_consecutive_failures: so many candidates in a row that cannot be measured end the run.
        stopping: who may end the run besides signals; default: nobody.
        report: called with the state, several times a second.
        echo: called with every message; default: the logger `ouroboros.tuner`.
        arena: where games are played; default: the referee, with snakes built from source. Entered once per run.
        passing: see `Campaign`.

    Raises:
        SettingsError: a value is out of range; names the field.
    """

    def __init__(
        self,
        games_per_iteration: int | None = None,
        checkpoint_interval: int | None = None,
        max_iterations: int | None = None,
        min_improvement: float | None = None,
        *,
        settings: Settings | None = None,
        remeasure: bool = False,
        max_consecutive_failures: int = 3,
        stopping: Stopping | None = None,
        report: Callable[[PipelineState], None] = lambda _state: None,
        echo: Callable[[str], None] = _LOGGER.info,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        arena: Callable[[SnakeSource], Arena] | None = None,
        passing: Callable[[str], None] = lambda _point: None,
    ) -> None:
        given = {
            "games": games_per_iteration,
            "checkpoint_interval": checkpoint_interval,
            "max_iterations": max_iterations,
            "min_improvement": min_improvement,
        }
        settings = settings or get_config()
        tuner = with_changes(settings.tuner, {name: value for name, value in given.items() if value is not None})
        self.settings: Settings = settings.model_copy(update={"tuner": tuner})
        self.random = Random()
        """Source of chance for `random_perturbation`; seeded anew for each candidate."""
        self.rules: Specification = {}
        """Path of every tunable weight -> its bounds and step; known once `train` has begun."""
        self._remeasure, self._max_failures = remeasure, max_consecutive_failures
        self._stopping = stopping or Stopping()
        self._report, self._echo, self._now = report, echo, now
        self._arena = arena or self._http_arena
        self._passing = passing
        self._campaign: Campaign

    def train(self) -> TrainingSummary:
        """Train until `max_iterations`, a signal, or the end of the time budget; then save and return.

        Raises:
            SnakeError: the weights file, the snake or an opponent cannot be used.
            StateError: another tuner works in the same folder.
            MachineError: no toolchain, no disk.
            EvaluationError: too many candidates in a row had games that must not be scored.
        """
        folder, tuner = self.settings.tuner_dir, self.settings.tuner
        with ExitStack() as stack:
            stack.enter_context(folder_lock.held(folder, "tuner"))
            tell = stack.enter_context(console.opened(folder, self._now, self._echo))
            stack.enter_context(self._stopping.on_signals())
            source = snake_source(self.settings)
            if source.news:
                tell(source.news)
            self._campaign = Campaign(
                folder,
                source.weights_file,
                tuner.opponents,
                tuner.seed,
                tell=tell,
                now=self._now,
                passing=self._passing,
            )
            self._campaign.open()
            if self._remeasure:
                self._campaign.ask_for_measurement()
            self.rules = specify(self._campaign.best, source.specification)
            progress = Progress(self._report, self._now, self._share_done)
            progress.enter("starting", self._campaign.state)
            run = TuningRun(
                self._campaign,
                stack.enter_context(self._arena(source)),
                self._search(),
                self.rules,
                tuner,
                self._stopping,
                progress,
                tell,
                self._max_failures,
            )
            reason = run.go()
            return self._summary(reason, progress)

    def random_perturbation(self, config: dict[str, Any], magnitude: float = 0.15) -> dict[str, Any]:
        """The next candidate's whole configuration, from the best one's. Override it for a strategy of your own.

        Args:
            config: the weights file as nested dictionaries; yours to change.
            magnitude: mean relative size of a change: `settings.tuner.perturbation`.

        Returns:
            The nested dictionaries with some weights changed. Whatever comes back is brought into the kinds and
            bounds of `self.rules`. Draw from `self.random`, so that a campaign can be repeated from its seed.
        """
        tuner = self.settings.tuner
        changes = random_changes(
            config_tree.values_in(config, self.rules),
            self.rules,
            self.random,
            magnitude,
            tuner.weights_per_candidate_min,
            tuner.weights_per_candidate_max,
        )
        return config_tree.with_changes(config, changes)

    def _perturbed(self, _best: Values, random: Random) -> dict[str, WeightValue]:
        self.random = random
        best = self._campaign.best
        tree = self.random_perturbation(config_tree.nested(best), magnitude=self.settings.tuner.perturbation)
        return config_tree.changes_in(tree, best, self.rules)

    def _search(self) -> Search:
        if self.settings.tuner.search is SearchKind.MOMENTUM:
            return MomentumSearch(self._perturbed)
        if self.settings.tuner.search is SearchKind.SPSA:
            return SpsaSearch(self.settings.tuner.perturbation)
        return RandomSearch(self._perturbed)

    def _http_arena(self, source: SnakeSource) -> Arena:
        from pipeline.tuner.http_arena import HttpArena  # the referee brings numba, which an import must not cost

        return HttpArena(source.folder, self.settings.tuner_dir, self.settings.tuner, source.run_command)

    def _share_done(self) -> float:
        most = self.settings.tuner.max_iterations
        by_iterations = self._campaign.state.iteration / most if most else 0.0
        return max(by_iterations, self._stopping.share_of_budget)

    def _summary(self, reason: EndReason, progress: Progress) -> TrainingSummary:
        checkpoint = self._campaign.state
        progress.enter("done", checkpoint)
        status = PipelineStatus.PAUSED if reason is EndReason.REQUEST else PipelineStatus.COMPLETED
        return TrainingSummary(
            reason=reason,
            checkpoint=checkpoint,
            state=progress.state(status),
            stagnated=checkpoint.since_improvement >= self.settings.tuner.stagnation_warning_after,
        )


def with_changes(tuner: TunerSettings, changes: Mapping[str, object]) -> TunerSettings:
    """The settings with some fields changed, and all of them checked.

    Raises:
        SettingsError: a value is out of range; names the field.
    """
    try:
        return TunerSettings.model_validate(tuner.model_dump() | dict(changes))
    except ValidationError as error:
        raise SettingsError(describe(error), where="settings of the tuner") from error
