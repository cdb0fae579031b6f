"""Snakes that are running: built once for each configuration that needs it, started when a game wants them, kept while
games go on and for a while after, and started again if they end by themselves."""

import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.referee.snake_process import SnakeCommand, SnakeProcess
from pipeline.snake_builder import BuiltSnake, SnakeBuilder, filled, split_command
from pipeline.tuner import weights
from pipeline.tuner.jobs import Participant, PlayConditions, SourceKind
from schemas.errors import MachineError, SettingsError, SnakeError
from schemas.tuning import TunerSettings

CONFIG_PLACE = "{config}"
IDLE_KEPT = 8
"""Snakes that nobody plays with are kept running, the last ones used, up to so many."""
ENDS_ALLOWED = 3
"""A snake that ended by itself is started again; after so many ends it is given up, with its last words."""


@dataclass(eq=False)
class RunningSnake:
    """A snake that answers at a URL."""

    url: str
    process: SnakeProcess | None
    release: Callable[[], None]
    users: int = 0
    """Games under way with it."""


@dataclass
class SnakePool:
    """Not thread-safe: used by one thread, but for `RunningSnake.users`, which its callers guard.

    Args:
        source: our snake's folder, only read.
        folder: an existing folder, in which a scratch folder is made.
        run_command: starts our snake; with `{config}` in it one build serves all weights. Those of other folders are
            started as `settings` say: the bundled one's own flags would mean nothing to them.
        abandon: polled while snakes are built and started.

    Raises:
        SettingsError: a command makes no sense.
        MachineError: no disk.
    """

    source: Path
    folder: Path
    settings: TunerSettings
    run_command: str
    abandon: Callable[[], bool]
    _running: dict[tuple[SourceKind, str], RunningSnake] = field(default_factory=dict)
    _ends: dict[tuple[SourceKind, str], int] = field(default_factory=dict)
    _builders: dict[tuple[str, tuple[str, ...]], SnakeBuilder] = field(default_factory=dict)
    _count: int = 0

    def __post_init__(self) -> None:
        self._words = _words_of(self.run_command)
        self._others_words = _words_of(self.settings.run_command)
        self._scratch = scratch_folder(self.folder)

    def running(self, who: Participant, conditions: PlayConditions) -> RunningSnake:
        """The snake, started if need be.

        Raises:
            SnakeError: it does not build, start or answer, or it ends by itself time and again; in its own words.
            MachineError: no toolchain, no disk.
            Cancelled: `abandon` became true meanwhile.
        """
        text = played_text(who, conditions)
        key = who.source, text
        known = self._running.pop(key, None)
        if known is not None and self._alive(key, known):
            self._running[key] = known  # now the one used last
            return known
        snake = self._started(who.source, text)
        self._running[key] = snake
        return snake

    def stop_idle(self) -> None:
        """End the snakes that have been idle longest, beyond `IDLE_KEPT`."""
        idle = [key for key, snake in self._running.items() if not snake.users]
        for key in idle[: max(0, len(idle) - IDLE_KEPT)]:
            snake = self._running.pop(key)
            snake.release()
            if snake.process is not None:  # it served well, and a campaign has thousands of them
                snake.process.log.unlink(missing_ok=True)

    @property
    def urls(self) -> set[str]:
        """Where the running snakes answer."""
        return {snake.url for snake in self._running.values()}

    def close(self) -> None:
        """End all of them and remove the scratch folder."""
        for snake in self._running.values():
            if snake.process is not None:
                snake.process.begin_stop()
        for snake in self._running.values():
            snake.release()
        self._running.clear()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _alive(self, key: tuple[SourceKind, str], snake: RunningSnake) -> bool:
        if snake.process is None:
            return True
        try:
            snake.process.require_running()
        except SnakeError:
            self._ends[key] = self._ends.get(key, 0) + 1
            snake.release()
            if self._ends[key] >= ENDS_ALLOWED:
                raise
            return False
        return True

    def _started(self, source: SourceKind, text: str) -> RunningSnake:
        if source is SourceKind.URL:
            return RunningSnake(text, None, lambda: None)
        self._count += 1
        if source is SourceKind.FOLDER:
            words = self._others_words
            return self._start(self._builder(Path(text), words), words, f"opponent {Path(text).name}", None)
        return self._start(self._builder(self.source, self._words), self._words, f"snake {self._count}", text)

    def _builder(self, source: Path, words: list[str]) -> SnakeBuilder:
        key = str(source), tuple(words)
        if key not in self._builders:
            self._builders[key] = SnakeBuilder(
                source,
                Path(tempfile.mkdtemp(dir=self._scratch)),
                self.settings.config_file,
                self.settings.build_command,
                self.settings.build_timeout_s,
                weights_at_start=any(CONFIG_PLACE in word for word in words),
            )
        return self._builders[key]

    def _start(self, builder: SnakeBuilder, words: list[str], name: str, config: str | None) -> RunningSnake:
        built = builder.build(name, config, self.abandon)
        process = SnakeProcess(
            name,
            SnakeCommand(_filled_for(built, words), cwd=built.folder, settings_file=built.config),
            self._scratch / f"{re.sub('[^A-Za-z0-9]+', '_', name)}.log",
            start_deadline_s=self.settings.start_timeout_s,
            stop=self.abandon,
        )
        try:
            process.start()
        except BaseException:
            builder.release(built)
            raise

        def release() -> None:
            process.stop()
            builder.release(built)

        return RunningSnake(process.quickest_url, process, release)


def _words_of(run_command: str) -> list[str]:
    words = split_command(run_command, "run_command")
    if not words:
        raise SettingsError("run_command is empty", remedy="The default is {binary}.")
    return words


def _filled_for(built: BuiltSnake, words: list[str]) -> tuple[str, ...]:
    return tuple(filled(words, {"binary": str(built.binary), "config": str(built.config)}))


def played_text(who: Participant, conditions: PlayConditions) -> str:
    """The participant's text as it plays: weights with the conditions' overrides in them."""
    if who.source is not SourceKind.WEIGHTS or not conditions.overrides:
        return who.text
    return weights.overridden(weights.parse(who.text, "weights"), conditions.overrides).text


def scratch_folder(folder: Path) -> Path:
    """A fresh scratch folder below `folder`; those of tuners that were killed are removed (the folder's lock is ours).

    Raises:
        MachineError: no disk.
    """
    try:
        return Path(tempfile.mkdtemp(prefix="scratch_", dir=folder)).resolve()  # commands run in folders of their own
    except OSError as error:
        raise MachineError(
            f"no scratch folder can be made: {error.strerror}", where=str(folder), remedy="Free some space."
        ) from error
