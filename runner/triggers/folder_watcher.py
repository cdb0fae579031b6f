"""Noticing trigger files within a second or two, by inotify; the loop's own polling stays the fallback."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from watchfiles import Change, watch

from runner.triggers.trigger_files import is_trigger_file_name

STEP_MS = 400
"""The watcher looks for events this often: well under two seconds, and next to no CPU."""
_log = logging.getLogger("ouroboros.trigger_files")


class TriggerFileWatcher:
    """A thread that calls `wake` when a file arrives in the triggers folder, or a named trigger file appears.

    Only these folders themselves are watched, not what lies below them. Where inotify does not reach (some network file
    systems, too many watches) a warning says so, and files are noticed by polling.

    Args:
        triggers_dir: the triggers folder; it must exist.
        wake: called from the watcher's thread.
        trigger_files: files such as `trigger_training.txt`.
    """

    def __init__(self, triggers_dir: Path, wake: Callable[[], None], trigger_files: Sequence[Path] = ()) -> None:
        self._folder = triggers_dir.absolute()
        self._files = {path.absolute() for path in trigger_files}
        self._wake = wake
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trigger file watcher", daemon=True)
        self.failure: str | None = None
        """Why it does not watch; None while it does."""

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self, patience_s: float = 5.0) -> None:
        """Stop, and wait for the thread's end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(patience_s)

    def wanted(self, _change: Change, path: str) -> bool:
        """Whether this path is one to wake up for."""
        found = Path(path)
        return found in self._files or (found.parent == self._folder and is_trigger_file_name(found.name))

    def _run(self) -> None:
        folders = sorted({self._folder, *(path.parent for path in self._files if path.parent.is_dir())})
        try:
            for changes in watch(
                *folders,
                watch_filter=self.wanted,
                stop_event=self._stop,
                step=STEP_MS,
                debounce=2 * STEP_MS,
                recursive=False,
                rust_timeout=60_000,
                raise_interrupt=False,
            ):
                if any(change is not Change.deleted for change, _ in changes):
                    self._wake()
        except (OSError, RuntimeError) as error:
            self.failure = str(error)
            _log.warning("Trigger files are noticed by polling only: cannot watch %s: %s", folders, error)
