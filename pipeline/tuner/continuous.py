"""`ContinuousTrainer`: the Go-weight tuner as a library."""

import logging
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any

from pydantic import ValidationError

from pipeline import console, folder_lock
from pipeline.console import Tell
from pipeline.snake_builder import Cancelled
from pipeline.stopping import Stopping
from pipeline.tuner import custom_search, ledger
from pipeline.tuner.backends import Backend
from pipeline.tuner.custom_search import random_changes
from pipeline.tuner.guide_files import GuideFiles
from pipeline.tuner.ledger import Ledger
from pipeline.tuner.noise import NoiseWatch
from pipeline.tuner.progress import TuningProgress, promise
from pipeline.tuner.report import from_ledger
from pipeline.tuner.run import EndReason, LedgerRecords, TuningRun, finish_interrupted
from pipeline.tuner.run_opener import RunOpener
from pipeline.tuner.scheduler import Scheduler
from pipeline.tuner.setup import Setup, make_setup
from pipeline.tuner.setup import restored as restored_setup
from pipeline.tuner.snake_source import SnakeSource, snake_source
from pipeline.tuner.tuning import Tuning
from pipeline.tuner.weight_rules import Specification
from pipeline.tuner.weights import WeightFile, parse
from pipeline.tuner.weights_on_disk import WeightsOnDisk
from schemas.errors import MachineError, SettingsError
from schemas.model import PipelineState, PipelineStatus
from schemas.settings import Settings, describe, get_config
from schemas.tuning import SearchKind, TunerSettings
from schemas.tuning_run import TuningState, WeightValue

_LOGGER = logging.getLogger("ouroboros.tuner")
MakeBackend = Callable[[Settings, SnakeSource, Callable[[], bool]], Backend]


@dataclass(frozen=True)
class TrainingSummary:
    """How a run ended, what the campaign has reached, and what this run added to it."""

    reason: EndReason
    tuning: TuningState
    state: PipelineState
    stagnated: bool
    """No improvement for `stagnation_warning_after` iterations or more."""
    games: int
    iterations: int
    promotions: int
    """Of this run alone."""

    @property
    def added(self) -> str:
        """What this run added, in a sentence."""
        if self.reason is EndReason.NOTHING_LEFT:
            return self.state.operation_details
        if self.tuning.strategy == "front":
            return f"This run: {self.games} games, a front of {len(self.tuning.front)} configurations to choose from."
        promoted = {0: "nothing was promoted", 1: "1 promotion"}.get(self.promotions, f"{self.promotions} promotions")
        return f"This run: {self.games} games, {self.iterations} candidates judged, {promoted}."


class ContinuousTrainer:
    """Improves a snake's weights by real games, round the clock, resumable at any moment.

    Everything else that can be set stands in `settings.tuner`; the first four arguments are short for its fields.

    Args:
        games_per_iteration: `games`, between two commits of the gate.
        checkpoint_interval: iterations between checkpoints.
        max_iterations: the campaign ends after so many.
        min_improvement: gain in win rate that does not count yet.
        settings: default: `get_config()`.
        remeasure: measure the best configuration anew before the first iteration.
        max_consecutive_failures: so many matches in a row that cannot be played end the run.
        stopping: who may end the run besides signals; default: nobody.
        report: called with the state, several times a second.
        echo: called with every message; default: the logger `ouroboros.tuner`.
        backend: who plays; default: as `settings.tuner.backend` says.
        passing: see `TuningRun`.

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
        backend: MakeBackend | None = None,
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
        self._make_backend = backend or _chosen_backend
        self._passing = passing

    def train(self) -> TrainingSummary:
        """Train until `max_iterations`, a signal, or the end of the time budget; then save and return.

        Raises:
            SnakeError: the weights file, the snake or an opponent cannot be used.
            StateError: another tuner works in the same folder, or its ledger cannot be used.
            MachineError: no toolchain, no disk, or a machine too busy to measure on.
            EvaluationError: snakes fail to answer too often, or too many matches in a row cannot be played.
        """
        folder, tuner = self.settings.tuner_dir, self.settings.tuner
        with ExitStack() as stack:
            stack.enter_context(folder_lock.held(folder, "tuner"))
            tell = stack.enter_context(console.opened(folder, self._now, self._echo))
            stack.enter_context(self._stopping.on_signals())
            source = snake_source(self.settings)
            if source.news:
                tell(source.news)
            book = Ledger(folder / ledger.NAME)
            stack.callback(book.close)
            files, disk = GuideFiles(folder, tell), WeightsOnDisk(source.weights_file, folder)
            state = RunOpener(folder, book, disk, files, tuner.seed, self._strategy, tell, self._now).open()
            before = state
            finish_interrupted(book, state, disk, files, tell)
            measured = state.promoted is None
            if tuner.max_iterations is not None and state.iteration >= tuner.max_iterations and measured:
                files.save_checkpoint(state, tuner.opponents, self._now(), self._now())
                return self._nothing_left(state, tell)
            try:
                tuning, reason = self._run(source, book, files, disk, state, tell)
            except Cancelled:  # a stop while the snake was built for the first time
                return self._nothing_done(state)
            self._write_page(book, state.campaign, tell)
            return self._summary(reason, before, tuning.state)

    def _run(
        self,
        source: SnakeSource,
        book: Ledger,
        files: GuideFiles,
        disk: WeightsOnDisk,
        state: TuningState,
        tell: Tell,
    ) -> tuple[Tuning, EndReason]:
        # By the reference: bounds that follow from a weight's value must not move with the champion.
        setup = self._setup_for(source, parse(state.reference, state.snake))
        tell(promise(setup))
        former = _former_setup(book, state, setup)
        if setup.has_other_code(former):
            tell("A snake's code is another than at the last start: its weights are screened and measured anew.")
        tuning = Tuning(former, state, self._perturbed)
        with self._counted_backend(source, book, state.campaign, tell) as backend:
            self._progress = TuningProgress(self._report, self._now, lambda: self._share_done(tuning.state), tell)
            noise = NoiseWatch(tell)
            records = LedgerRecords(book, state.campaign)
            watching = [self._progress.count, noise.see]
            scheduler = Scheduler(backend, records, watching)
            run = TuningRun(
                book, tuning, scheduler, disk, files, self._stopping, self._progress, noise, tell, self._now,
                partial(self._setup_for, source), self._passing,
            )  # fmt: skip
            book.forget_failures(state.campaign)
            run.take(tuning.started(setup))
            if self._remeasure:
                run.take(tuning.remeasure())
            return tuning, run.go()

    def _setup_for(self, source: SnakeSource, reference: WeightFile) -> Setup:
        """What the settings and these weights come to; the rules of a user's own perturbation follow."""
        setup = make_setup(self.settings.tuner, source, reference, self._strategy, self._max_failures)
        self.rules = setup.rules
        return setup

    def _write_page(self, book: Ledger, run: str, tell: Tell) -> None:
        """The report's page; a disk that is too full for it ends no run."""
        try:
            tell(f"Report: {from_ledger.write(book, run, self.settings.tuner_dir, self._now())}")
        except MachineError as error:
            tell(f"⚠ {error}")

    def random_perturbation(self, config: dict[str, Any], magnitude: float = 0.15) -> dict[str, Any]:
        """The next candidate's whole configuration, from the best one's. Override it for a strategy of your own: that
        makes it the search, unless `settings.tuner.search` is set.

        Args:
            config: the weights file as nested dictionaries; yours to change.
            magnitude: mean relative size of a change: `settings.tuner.perturbation`.

        Returns:
            The nested dictionaries with some weights changed. Whatever comes back is brought into the kinds and
            bounds of `self.rules`. Draw from `self.random`, so that a campaign can be repeated from its seed.
        """
        tuner = self.settings.tuner
        changes = random_changes(
            custom_search.values_in(config, self.rules),
            self.rules,
            self.random,
            magnitude,
            tuner.weights_per_candidate_min,
            tuner.weights_per_candidate_max,
        )
        return custom_search.tree_with(config, changes)

    @property
    def _strategy(self) -> str:
        tuner = self.settings.tuner
        if tuner.has_front:
            return "front"
        own = type(self).random_perturbation is not ContinuousTrainer.random_perturbation
        if own and "search" not in tuner.model_fields_set:
            return SearchKind.RANDOM.value
        return tuner.search

    def _perturbed(self, best: WeightFile, random: Random) -> dict[str, WeightValue]:
        self.random = random
        tree = self.random_perturbation(custom_search.nested(best), magnitude=self.settings.tuner.perturbation)
        return custom_search.changes_in(tree, best, self.rules)

    @contextmanager
    def _counted_backend(self, source: SnakeSource, book: Ledger, run: str, tell: Tell) -> Iterator[Backend]:
        """The backend; at its end, what it cost goes into the ledger."""
        started, cpu_s = time.monotonic(), _cpu_seconds()
        backend = self._make_backend(self.settings, source, lambda: self._stopping.requested)
        if self._make_backend is _chosen_backend:
            backend = _on_all_machines(backend, self.settings, source, tell)
        tell(backend.notice)
        try:
            yield backend
        finally:
            backend.close()
            book.spend(run, backend.name, time.monotonic() - started, _cpu_seconds() - cpu_s)

    def _share_done(self, state: TuningState) -> float:
        most = self.settings.tuner.max_iterations
        by_iterations = state.iteration / most if most else 0.0
        return max(by_iterations, self._stopping.share_of_budget)

    def _nothing_left(self, state: TuningState, tell: Tell) -> TrainingSummary:
        words = (
            f"Nothing left to do: all {self.settings.tuner.max_iterations} iterations were done before. Raise "
            "tuner.max_iterations (--max-iterations), or move checkpoint.json away to start a new campaign."
        )
        tell(words)
        idle = PipelineState(
            status=PipelineStatus.IDLE,
            iteration=state.iteration,
            operation_details=words,
            seed=state.seed,
            updated_at=self._now(),
        )
        return TrainingSummary(
            EndReason.NOTHING_LEFT, state, idle, stagnated=False, games=0, iterations=0, promotions=0
        )

    def _nothing_done(self, state: TuningState) -> TrainingSummary:
        reason = EndReason.REQUEST if self._stopping.by_request else EndReason.TIME
        paused = PipelineState(status=PipelineStatus.PAUSED, iteration=state.iteration, updated_at=self._now())
        return TrainingSummary(reason, state, paused, stagnated=False, games=0, iterations=0, promotions=0)

    def _summary(self, reason: EndReason, before: TuningState, after: TuningState) -> TrainingSummary:
        self._progress.enter(after)
        status = PipelineStatus.PAUSED if reason is EndReason.REQUEST else PipelineStatus.COMPLETED
        summary = TrainingSummary(
            reason=reason,
            tuning=after,
            state=self._progress.state(status),
            stagnated=after.since_improvement >= self.settings.tuner.stagnation_warning_after,
            games=self._progress.games,
            iterations=after.iteration - before.iteration,
            promotions=after.accepted - before.accepted,
        )
        self._echo(summary.added)
        return summary


def _former_setup(book: Ledger, state: TuningState, now: Setup) -> Setup:
    """What the start before this one was told; this one's for a new run."""
    former = None
    for step in book.steps(state.campaign, "started"):
        former = step
    return restored_setup(former.body["setup"]) if former else now


def _chosen_backend(settings: Settings, source: SnakeSource, abandon: Callable[[], bool]) -> Backend:
    from pipeline.tuner.backends.choice import choose  # the referee brings numba, which an import must not cost

    return choose(settings, source, abandon)


def _on_all_machines(local: Backend, settings: Settings, source: SnakeSource, tell: Tell) -> Backend:
    from pipeline.cluster.all_machines import on_all_machines  # as late as `choose`, which it stands on

    return on_all_machines(local, settings, source, tell, [*settings.tuner.opponents, *settings.tuner.pool])


def _cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def with_changes(tuner: TunerSettings, changes: Mapping[str, object]) -> TunerSettings:
    """The settings with some fields changed, and all of them checked.

    Raises:
        SettingsError: a value is out of range; names the field.
    """
    try:
        return TunerSettings.model_validate(tuner.model_dump(exclude_unset=True) | dict(changes))
    except ValidationError as error:
        raise SettingsError(describe(error), where="settings of the tuner") from error
