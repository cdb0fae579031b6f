"""How long games in `data/replays` are kept. Each is a file of its own that no row of the history refers to: what a
promotion rests on lies in the tuner's ledger and in the journals of judgements, which nothing here touches."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from stat import S_ISREG

from schemas.service import StorageSettings

SUFFIX = ".jsonl.gz"
"""As `ouroboros play` writes them; whatever else lies there is the user's."""
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Removed:
    """What a cleaning did here."""

    files: int = 0
    problem: str = ""
    """Why one that should go could not; empty: all went."""


def remove_old(folder: Path, storage: StorageSettings, now: datetime) -> Removed:
    """Remove the games that are too old, then the oldest ones until the rest fits its limit.

    Args:
        folder: need not be there; links in it are left alone.
    """
    kept = sorted(_found(folder))
    room = storage.max_replays_mb * _MB or float("inf")
    oldest = now.timestamp() - storage.keep_replays_days * 86_400
    held, doomed = 0, list[Path]()
    for changed, size, path in reversed(kept):
        held += size
        if changed < oldest or held > room:
            doomed.append(path)
    files, problem = 0, ""
    for path in doomed:
        try:
            path.unlink(missing_ok=True)
            files += 1
        except OSError as error:
            problem = f"a kept game is too old and cannot be removed: {path}: {error.strerror}"
    return Removed(files, problem)


def _found(folder: Path) -> list[tuple[float, int, Path]]:
    """When each was written, its size, and where it is."""
    found = []
    try:
        paths = list(folder.iterdir())
    except OSError:
        return []
    for path in paths:
        try:
            seen = path.lstat()
        except OSError:
            continue
        if path.name.endswith(SUFFIX) and S_ISREG(seen.st_mode):
            found.append((seen.st_mtime, seen.st_size, path))
    return found
