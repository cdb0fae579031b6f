"""Dropped files: claimed by rename, recorded by the caller, then archived or rejected.

The order makes a kill harmless at any point. A file is first renamed into `claimed/` under a name of its own, which
also carries its first name and when it came, so that `unrecorded` finds at the next start what no row tells of. The
caller then records it together with its run, in one transaction, and only after that moves the file on to `archived/`
or `rejected/`; both moves may be repeated. So nothing is lost, and nothing is taken twice.

Left alone: names that begin with a dot or end in `.tmp` or `.part`, what is no plain file, and, for writers that do
not rename, a file that does not read well and was written to within the last seconds.
"""

import errno
import os
import re
import uuid
from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from runner.triggers.drop_text import MAX_BYTES, read_drop
from schemas.automation import Drop
from schemas.files import fsync_folder, write_atomic

CLAIMED, ARCHIVED, REJECTED = "claimed", "archived", "rejected"
SETTLE_JSON_S = 5.0
"""A JSON file that cannot be read yet may still be growing for so long after its last write."""
SETTLE_TEXT_S = 1.0
"""An empty or plain trigger file reads well at any length, so it is left alone for so long after its last write."""
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_CLAIMED_NAME = re.compile(r"^(\d{8}T\d{6}\.\d{6}Z)-([0-9a-f]{32})-(.+)$")
_MAX_NAME = 150
_ON_ITS_WAY = ".claimed"


@dataclass(frozen=True, slots=True)
class ClaimedDrop:
    """A file that is ours now."""

    path: Path
    """In `claimed/`; unique."""
    original_name: str
    received_at: datetime
    sha256: str
    """Of its content; empty if it cannot be read."""
    request: Drop | None
    """None: malformed, see `problem`."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DropScan:
    """One look at the drop folder."""

    claimed: tuple[ClaimedDrop, ...]
    unsettled: int
    """Files that may still be growing: look again in a moment."""
    more: bool
    """The limit was reached: look again at once."""


def scan(triggers_dir: Path, now: datetime, limit: int = 500) -> DropScan:
    """Claim the JSON files in `triggers_dir`, at most `limit` of them, in the order of their names.

    Raises:
        OSError: the folder cannot be read, or nothing can be moved into `claimed/`; what was claimed so far lies there.
    """
    names = sorted(_candidates(triggers_dir))
    claimed: list[ClaimedDrop] = []
    unsettled = 0
    for taken, name in enumerate(names):
        if len(claimed) == limit:
            return DropScan(_settled(claimed, triggers_dir), unsettled, more=taken < len(names))
        path = triggers_dir / name
        if not _is_settled(path, now, is_json=True):
            unsettled += 1
        elif (drop := _claim(path, triggers_dir, now)) is not None:
            claimed.append(drop)
    return DropScan(_settled(claimed, triggers_dir), unsettled, more=False)


def claim_trigger_file(path: Path, triggers_dir: Path, now: datetime) -> ClaimedDrop | None:
    """Claim one named file, such as `trigger_training.txt`; None if it is not there or may still be growing.

    Raises:
        OSError: it cannot be moved into `claimed/` of `triggers_dir`.
    """
    if not trigger_file_waits(path, now):
        return None
    drop = _claim(path, triggers_dir, now)
    if drop is not None:
        fsync_folder(triggers_dir / CLAIMED)
    return drop


def finish_claims(path: Path, triggers_dir: Path) -> None:
    """At start: complete the claims of this trigger file that a kill interrupted between two file systems; what comes
    of it lies in `claimed/`.

    Raises:
        OSError: a file cannot be moved.
    """
    for hidden in sorted(path.parent.glob(f".*-{path.name}{_ON_ITS_WAY}")):
        name = hidden.name.removeprefix(".").removesuffix(_ON_ITS_WAY)
        if _CLAIMED_NAME.match(name):
            (triggers_dir / CLAIMED).mkdir(parents=True, exist_ok=True)
            _move_across(hidden, triggers_dir / CLAIMED / name)


def trigger_file_waits(path: Path, now: datetime) -> bool:
    """True if that file is there and has settled."""
    return path.is_file() and not path.is_symlink() and _is_settled(path, now, is_json=False)


def unrecorded(triggers_dir: Path, known: Container[Path]) -> list[ClaimedDrop]:
    """The claimed files of which no row tells: a kill came between claim and record. `known`: claimed paths with a row.

    Raises:
        OSError: the folder cannot be read.
    """
    folder = triggers_dir / CLAIMED
    if not folder.is_dir():
        return []
    found = [_read(path) for path in folder.iterdir() if path not in known and _CLAIMED_NAME.match(path.name)]
    return sorted(found, key=lambda drop: (drop.received_at, drop.original_name))


def archive(claimed_path: Path, outcome: str) -> Path:
    """Move a recorded drop to `archived/`, with its outcome in a file beside it; returns where it lies. Repeatable.

    Raises:
        OSError: it cannot be moved.
    """
    return _move_on(claimed_path, ARCHIVED, ".outcome.txt", outcome)


def reject(claimed_path: Path, reason: str) -> Path:
    """Move a drop to `rejected/`, with the reason in a file beside it; returns where it lies. Repeatable.

    Raises:
        OSError: it cannot be moved.
    """
    return _move_on(claimed_path, REJECTED, ".reason.txt", reason)


def _move_on(claimed_path: Path, to: str, suffix: str, text: str) -> Path:
    """The text first: a moved file always has it, and a kill in between is repaired by doing it again."""
    folder = claimed_path.parent.parent / to
    target = folder / claimed_path.name
    if not claimed_path.exists() and target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / (claimed_path.name + suffix), text.rstrip() + "\n")
    claimed_path.replace(target)
    fsync_folder(folder)
    return target


def _candidates(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_drop_name(entry.name) and entry.is_file(follow_symlinks=False):
                    yield entry.name
    except FileNotFoundError:
        return  # removed while we run: nothing can lie in it


def is_drop_name(name: str) -> bool:
    """True for names that the drop folder's scan takes up."""
    return name.endswith(".json") and not name.startswith(".")


def _is_settled(path: Path, now: datetime, *, is_json: bool) -> bool:
    """A whole JSON object cannot be the beginning of a longer one; anything else must have been left alone a while.
    A file from the future (a clock was set) counts as settled, or it would wait for years."""
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b""
        age_s = now.timestamp() - path.stat().st_mtime
    except FileNotFoundError:
        return False
    except OSError:
        return True  # claimed and rejected with what the system says
    if not -60 <= age_s < (SETTLE_JSON_S if is_json else SETTLE_TEXT_S):
        return True
    try:
        read_drop(data, is_json=True)
    except ValueError:
        return False
    return True


def _claim(path: Path, triggers_dir: Path, now: datetime) -> ClaimedDrop | None:
    folder = triggers_dir / CLAIMED
    folder.mkdir(parents=True, exist_ok=True)
    stamp = now.astimezone(UTC).strftime(_STAMP)
    target = folder / f"{stamp}-{uuid.uuid4().hex}-{path.name[-_MAX_NAME:]}"
    try:
        path.rename(target)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # The working folder lies on another file system: take it out of sight there, under the name it will bear.
        hidden = path.with_name(f".{target.name}{_ON_ITS_WAY}")
        path.rename(hidden)
        _move_across(hidden, target)
    return _read(target)


def _move_across(hidden: Path, target: Path) -> None:
    """The copy appears whole under its one name, so doing it again after a kill changes nothing."""
    moved_on = [target.parent.parent / folder / target.name for folder in (CLAIMED, ARCHIVED, REJECTED)]
    if not any(place.exists() for place in moved_on):
        write_atomic(target, hidden.read_bytes())
    hidden.unlink()


def _read(path: Path) -> ClaimedDrop:
    match = _CLAIMED_NAME.match(path.name)
    assert match, path
    received_at = datetime.strptime(match.group(1), _STAMP).replace(tzinfo=UTC)
    name = match.group(3)
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_BYTES + 1)
    except OSError as error:
        return ClaimedDrop(path, name, received_at, "", None, f"cannot be read: {error.strerror}")
    digest = sha256(data).hexdigest()
    try:
        return ClaimedDrop(path, name, received_at, digest, read_drop(data, is_json=name.endswith(".json")))
    except ValueError as error:
        return ClaimedDrop(path, name, received_at, digest, None, str(error))


def _settled(claimed: list[ClaimedDrop], triggers_dir: Path) -> tuple[ClaimedDrop, ...]:
    if claimed:
        fsync_folder(triggers_dir / CLAIMED)
    return tuple(claimed)
