"""`SelfPlayTrainingPipeline`: a whole training run as a library, and what can be asked of it meanwhile."""

import logging
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

from pipeline import console, folder_lock
from pipeline.evolution.device import detect_anomalies
from pipeline.orchestrator.deployment import PRODUCTION_FILE, deploy, exported_model
from pipeline.orchestrator.model_lifecycle import ModelLifecycle
from pipeline.orchestrator.plan import PhasePlan, plan_phases, refuse_unknown
from pipeline.orchestrator.progress import Monitor, RunProgress, machine_use, read_state
from pipeline.orchestrator.run_record import JUDGING, RUN_FILE, PhaseRecord, RunRecord, load_run
from pipeline.orchestrator.training_run import Ended, RunSummary, TrainingRun
from pipeline.stopping import Stopping
from schemas.errors import ExportError, OuroborosError, StateError
from schemas.model import PipelineState, PipelineStatus
from schemas.settings import Settings, get_config
from schemas.training import TrainingConfiguration

_log = logging.getLogger("ouroboros.pipeline")
_OWN = re.compile(r"run_\d{8}_\d{6}_[0-9a-f]{4}")
"""Names of runs' folders, as `_new_run` makes them."""
KEEP_RUNS = 3
"""Folders of runs that stay with their checkpoints and curves; the models themselves are in the registry."""


class SelfPlayTrainingPipeline:
    """Bootstrap, hybrid, self-play, continuous: trains a network phase by phase, judges what each phase made by
    games, promotes what is better, and exports the champion. Resumable at any moment: an unfinished run goes on at
    the next call.

    Args:
        config_manager: the settings; default: `get_config()`. `config` may be changed until a run begins.
        seed: of new runs; None: drawn, and stored.
        asked_to_stop: polled; true once the run should save and return.
        time_budget_s: seconds that this process may take, less than the run's own limit; None: only that limit.
        report: called with every state.
        echo: called with every message; default: the logger `ouroboros.pipeline`.
    """

    def __init__(
        self,
        config_manager: Settings | None = None,
        *,
        seed: int | None = None,
        asked_to_stop: Callable[[], bool] = lambda: False,
        time_budget_s: float | None = None,
        report: Callable[[PipelineState], None] = lambda _state: None,
        echo: Callable[[str], None] = _log.info,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.config: Settings = config_manager or get_config()
        self._seed, self._asked, self._budget_s = seed, asked_to_stop, time_budget_s
        self._told, self._echo, self._now = report, echo, now
        self._training = threading.Event()
        self._emergency = threading.Event()
        self._progress: RunProgress | None = None
        self._monitor = Monitor(self._sample)

    @property
    def folder(self) -> Path:
        """Where the run's record, state, checkpoints and curves are."""
        return self.config.pipeline_dir

    def run_complete_pipeline(self, config: TrainingConfiguration | None = None) -> bool:
        """Begin a run, or go on with the unfinished one; return whether all that its time allowed is done.

        False: somebody asked it to stop first; the next call goes on.

        Args:
            config: what to do; None: the unfinished run's own, or the defaults.

        Raises:
            SettingsError: an unknown phase, or nothing left to do.
            FolderInUseError: another process trains in this folder.
            TrainingError: `max_consecutive_failures` in a row; `attempt_recovery` and `resume_training` go on.
            MachineError: disk, memory or device.
        """
        return self.run(config).ended is not Ended.REQUEST

    def run(self, config: TrainingConfiguration | None = None) -> RunSummary:
        """As `run_complete_pipeline`, and return how it ended."""
        self._emergency.clear()
        self._training.set()
        try:
            with ExitStack() as stack:
                return self._run(config, stack)
        except OuroborosError as error:
            if self._progress is not None:
                self._progress.change(status=PipelineStatus.ERROR, last_error=str(error))
                self._progress.write()
            raise
        finally:
            self._training.clear()

    def _run(self, config: TrainingConfiguration | None, stack: ExitStack) -> RunSummary:
        stack.enter_context(folder_lock.held(self.folder, "self-play pipeline"))
        tell = stack.enter_context(console.opened(self.folder, self._now, self._echo))
        stopping = Stopping(lambda: self._asked() or self._emergency.is_set(), self._budget_s)
        stack.enter_context(stopping.on_signals())
        listeners = (self._told, *([config.progress_callback] if config and config.progress_callback else []))
        progress = self._progress = RunProgress(self.folder, self._now, listeners)
        progress.change(status=PipelineStatus.INITIALIZING)
        record, lifecycle = self._begin(config, tell)
        if record.configuration.enable_monitoring:
            self._monitor.start()
            stack.callback(self._monitor.stop)
        folder = self.folder / record.run_id

        def conclude() -> None:
            if record.configuration.export_onnx:
                self._deploy(lifecycle, progress, tell)
            self._prune(record.run_id, lifecycle.promoted())

        run = TrainingRun(record, lifecycle.settings, folder, lifecycle, progress, stopping, self._now, tell, conclude)
        summary = run.go()
        if config is not None and config.notification_callback is not None:
            config.notification_callback(summary)
        return summary

    def _begin(
        self, config: TrainingConfiguration | None, tell: Callable[[str], None]
    ) -> tuple[RunRecord, ModelLifecycle]:
        """The unfinished run, if it is the one asked for; else a new one. And what does its work."""
        left = load_run(self.folder)
        if left is not None and not left.finished and (config is None or _same(left.configuration, config)):
            phase = left.next_phase()
            remaining = [item.name for item in left.phases if not item.done and item.given_up is None]
            refuse_unknown(remaining, self.config.training_phases)
            tell(f"✓ Resumed run {left.run_id}: {phase.name if phase else 'all phases done'}, seed {left.seed}")
            return left, self._lifecycle(left.configuration, tell)
        if left is not None and not left.finished:
            tell(f"Run {left.run_id} was not finished and is given up: another configuration is asked for.")
        config = config or TrainingConfiguration()
        lifecycle = self._lifecycle(config, tell)
        plan = plan_phases(
            config, self.config.training_phases, lifecycle.settings.neural_network, lifecycle.champion_lineage()
        )
        for line in plan.left_out:
            tell(f"Left out: {line}")
        record = self._new_run(config, plan)
        record.save(self.folder)
        tell(f"Run {record.run_id}: {', '.join(plan.phases)} from {plan.base_model or 'nothing'}, seed {record.seed}")
        return record, lifecycle

    def _new_run(self, config: TrainingConfiguration, plan: PhasePlan) -> RunRecord:
        now = self._now()
        return RunRecord(
            run_id=f"run_{now:%Y%m%d_%H%M%S}_{secrets.token_hex(2)}",
            seed=self._seed if self._seed is not None else secrets.randbits(63),
            started_at=now,
            configuration=config,
            phases=[PhaseRecord(name=name) for name in plan.phases],
            base_model=plan.base_model,
        )

    def _lifecycle(self, config: TrainingConfiguration, tell: Callable[[str], None]) -> ModelLifecycle:
        lifecycle = ModelLifecycle(self.config, config.device.value, self._now, tell)
        if lifecycle.settings is not self.config:
            tell("No GPU and no network configured: the light network is built.")
        return lifecycle

    def _deploy(self, lifecycle: ModelLifecycle, progress: RunProgress, tell: Callable[[str], None]) -> None:
        """Export the champion, unless the file is the champion already or a check of production says no."""
        path, champion = self.production_file, lifecycle.champion_id()
        if champion is None or exported_model(path) == champion:
            return
        progress.change(status=PipelineStatus.DEPLOYING, operation_details="exporting the champion")
        try:
            exported = deploy(lifecycle.registry, lifecycle.settings, champion, path, tell)
        except ExportError as error:
            tell(f"✗ Not exported, what is in production stays: {error}")
            progress.change(operation_details="the champion is not exported", last_error=str(error))
            return
        unchecked = "".join(f"; not checked here: {words}" for words in exported.unchecked)
        tell(f"✓ {champion} exported to {exported.path}{unchecked}")
        details = f"exported to {exported.path}{unchecked}"
        progress.change(inference_time_ms=exported.inference_time_ms, operation_details=details)

    @property
    def production_file(self) -> Path:
        """Where the champion is exported to."""
        return self.config.models_dir / "production" / PRODUCTION_FILE

    def get_pipeline_status(self) -> PipelineState:
        """The state of the run in this process, else as the last process that trained here wrote it."""
        return self._progress.state if self._progress is not None else read_state(self.folder)

    def is_training(self) -> bool:
        """Whether a run goes on in this process."""
        return self._training.is_set()

    def start_monitoring(self) -> None:
        """Sample CPU, memory and disk into the state, also while no run goes on."""
        if self._progress is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._progress = RunProgress(self.folder, self._now, (self._told,))
            self._progress.state = read_state(self.folder)
        self._monitor.start()

    def stop_monitoring(self) -> None:
        """End the sampling."""
        self._monitor.stop()

    def emergency_stop(self) -> None:
        """Let the run save and return within seconds; from any thread. The next call goes on with it."""
        self._emergency.set()

    def attempt_recovery(self) -> bool:
        """Look at what a failed run left; return whether `resume_training` can go on with it.

        A damaged record is set aside, damaged checkpoints are too (the one before is taken), the champion's files are
        checked and rolled back to the champion before if they are damaged.

        Raises:
            StateError: the record cannot be read; it stays as it is.
            FolderInUseError: it is being trained right now.
        """
        with folder_lock.held(self.folder, "self-play pipeline"):
            return self._recover()

    def _recover(self) -> bool:
        try:
            record = load_run(self.folder)
        except StateError as error:
            if isinstance(error.__cause__, OSError):  # not damaged: it cannot be read just now, or by this user
                raise
            aside = self.folder / f"damaged-{self._now():%Y%m%d_%H%M%S}-{RUN_FILE}"
            (self.folder / RUN_FILE).rename(aside)
            _log.warning("%s It is kept as %s.", error, aside.name)
            return False
        if record is None:
            return False
        lifecycle = ModelLifecycle(self.config, "cpu", self._now, self._echo)
        for line in lifecycle.repair(self.folder / record.run_id):
            self._echo(line)
        if record.finished:
            return False
        record.model_copy(update={"consecutive_failures": 0, "last_error": None}).save(self.folder)
        return True

    def resume_training(self) -> bool:
        """Go on with the unfinished run; as `run_complete_pipeline`.

        Raises:
            StateError: there is none.
        """
        record = load_run(self.folder)
        if record is None or record.finished:
            raise StateError(
                "there is no unfinished run", where=str(self.folder), remedy="Begin one with run_complete_pipeline."
            )
        return self.run_complete_pipeline()

    def rollback_to_checkpoint(self) -> str:
        """Make the unfinished run's checkpoint before the last the one to go on from; return what was done, in words.

        Raises:
            StateError: there is no unfinished run.
            FolderInUseError: it is being trained right now.
        """
        with folder_lock.held(self.folder, "self-play pipeline"):
            record = load_run(self.folder)
            phase = record.next_phase() if record else None
            if record is None or phase is None:
                raise StateError("there is no unfinished run", where=str(self.folder))
            lifecycle = ModelLifecycle(self.config, "cpu", self._now, self._echo)
            done = lifecycle.roll_back_checkpoint(self.folder / record.run_id / phase.name)
            self._echo(done)
            return done

    def enable_debug_mode(self) -> None:
        """Log at DEBUG level, and let autograd name the operation that makes a NaN (slower)."""
        logging.getLogger("ouroboros").setLevel(logging.DEBUG)
        detect_anomalies()

    def _sample(self) -> None:
        if self._progress is not None:
            self._progress.change(**machine_use(self.folder))

    def _prune(self, current: str, promoted: Collection[str]) -> None:
        """Remove the folders of older runs, but for the games that a promotion rests on. What bears another name or is
        a link is somebody's own; a folder that cannot be removed is told, and keeps no run from its end."""
        runs = sorted(path for path in self.folder.iterdir() if _OWN.fullmatch(path.name) and path.name != current)
        whole = [path for path in runs if path.is_dir() and not path.is_symlink() and not _stripped(path)]
        for path in whole[: max(0, len(whole) - (KEEP_RUNS - 1))]:
            try:
                _strip(path, {f"{model_id}.jsonl" for model_id in promoted})
            except OSError as error:
                self._echo(f"⚠ The folder of an older run cannot be removed: {error.strerror} ({error.filename}).")


def _stripped(run: Path) -> bool:
    """Whether there is nothing in it but journals of judgements."""
    with suppress(OSError):  # of another user: it counts, and is told of when its turn comes
        return all(part.name == JUDGING for part in run.iterdir())
    return False


def _strip(run: Path, kept: Collection[str]) -> None:
    """Remove all of a run's folder but these journals of judgements."""
    journals = run / JUDGING
    for path in (*run.iterdir(), *(journals.iterdir() if journals.is_dir() else ())):
        if path == journals or (path.parent == journals and path.name in kept):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    for path in (journals, run):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _same(left: TrainingConfiguration, asked: TrainingConfiguration) -> bool:
    """Whether an unfinished run does what is asked; callbacks are not part of it."""
    return left.model_dump() == asked.model_dump()
