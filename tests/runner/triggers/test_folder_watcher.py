import threading
import time
from pathlib import Path

import pytest
from watchfiles import Change

from runner.triggers import folder_watcher
from runner.triggers.folder_watcher import TriggerFileWatcher


def started(watcher: TriggerFileWatcher, woken: threading.Event, probe: Path) -> None:
    """inotify needs a moment to stand: put a file again and again until the first wake-up, then forget it."""
    watcher.start()
    end = time.monotonic() + 90
    while not woken.wait(0.2):
        assert time.monotonic() < end, f"never woke up: {watcher.failure}"
        probe.unlink(missing_ok=True)
        probe.write_text("{}")
    probe.unlink()
    time.sleep(3 * folder_watcher.STEP_MS / 1000)  # let the debouncing of the probe's own events end
    woken.clear()


def test_a_file_in_the_folder_and_a_named_one_wake_the_loop(tmp_path: Path) -> None:
    folder, woken = tmp_path / "triggers", threading.Event()
    folder.mkdir()
    trigger_file = tmp_path / "trigger_training.txt"
    watcher = TriggerFileWatcher(folder, woken.set, [trigger_file])
    started(watcher, woken, folder / "probe.json")
    half = tmp_path / "half"
    half.write_text("{}")
    half.rename(folder / "renamed.json")
    assert woken.wait(90)
    woken.clear()
    trigger_file.touch()
    assert woken.wait(90)
    watcher.close()
    assert watcher.failure is None


def test_other_files_are_not_woken_up_for(tmp_path: Path) -> None:
    folder = tmp_path / "triggers"
    watcher = TriggerFileWatcher(folder, lambda: None, [tmp_path / "trigger_training.txt"])
    wanted = [folder / "a.json", tmp_path / "trigger_training.txt"]
    others = [folder / ".a.json", folder / "a.json.tmp", folder / "claimed" / "a.json", tmp_path / "b.json"]
    assert all(watcher.wanted(Change.added, str(path)) for path in wanted)
    assert not any(watcher.wanted(Change.added, str(path)) for path in others)


def test_where_it_cannot_watch_it_says_so(tmp_path: Path) -> None:
    watcher = TriggerFileWatcher(tmp_path / "missing", lambda: None)
    watcher.start()
    end = time.monotonic() + 90
    while watcher.failure is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    watcher.close()


def test_closing_ends_the_thread_soon(tmp_path: Path) -> None:
    watcher = TriggerFileWatcher(tmp_path, lambda: None)
    watcher.start()
    watcher.close(patience_s=30)
    assert "trigger file watcher" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("name", ["trigger_training.txt", "deep/trigger_training.txt"])
def test_a_trigger_file_whose_folder_is_missing_is_no_failure(tmp_path: Path, name: str) -> None:
    woken = threading.Event()
    watcher = TriggerFileWatcher(tmp_path, woken.set, [tmp_path / name])
    started(watcher, woken, tmp_path / "probe.json")
    watcher.close()
    assert watcher.failure is None
