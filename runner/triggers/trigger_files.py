"""Trigger files: claimed by rename, recorded by the caller, then archived or rejected.

The order makes a kill harmless at any point. A file is first renamed into `claimed/` under a name of its own, which
also carries its first name and when it came, so that `unrecorded` finds at the next start what no row tells of. The
caller then records it together with its run, in one transaction, and only after that moves the file on to `archived/`
or `rejected/`; both moves may be repeated. So nothing is lost, and nothing is taken twice.

Left alone without a word: names that begin with a dot or end in `.tmp` or `.part`. Left alone and told of: what is no
plain file or no `.json`, what cannot be moved, and, for writers that do not rename, a file that does not read well
while somebody has it open for writing or wrote to it within the last seconds.
"""

import errno
import os
import re
import uuid
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from runner.triggers.read_trigger_file import MAX_BYTES, open_for_writing, read_request
from schemas.automation import FileRequest
from schemas.files import fsync_folder, give_second_name, write_atomic
from schemas.outside_text import REASON_LIMIT, file_name, line, passage

CLAIMED, ARCHIVED, REJECTED = "claimed", "archived", "rejected"
SETTLE_JSON_S = 5.0
"""A JSON file that cannot be read yet may still be growing for so long after its last write."""
SETTLE_TEXT_S = 1.0
"""An empty or plain trigger file reads well at any length, so it is left alone for so long after its last write."""
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_CLAIMED_NAME = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)-([0-9a-f]{32})-(.+)", re.DOTALL)
_MAX_NAME_BYTES = 100
"""Of the first name within the claimed one: with stamp, number and the ending of what is written beside it, it stays
below the 255 bytes of a file name."""
_ON_ITS_WAY = ".claimed"
_UNFINISHED = (".tmp", ".part")
_OF_THE_FOLDER = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""Errors that would meet every other file too."""


@dataclass(frozen=True, slots=True)
class ClaimedFile:
    """A file that is ours now."""

    path: Path
    """In `claimed/`; unique, and safe to print and to store."""
    original_name: str
    """As it was called, made safe; of a long name that was found again after a kill, its end."""
    received_at: datetime
    sha256: str
    """Of its content; empty if it cannot be read."""
    request: FileRequest | None
    """None: malformed, see `problem`."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class IgnoredFile:
    """Something in the folder that is not taken, or not yet."""

    name: str
    """Made safe."""
    why: str

    def __str__(self) -> str:
        """`link.json: a link; ...`."""
        return f"{self.name}: {self.why}"


@dataclass(frozen=True, slots=True)
class FolderScan:
    """One look at the folder."""

    claimed: tuple[ClaimedFile, ...]
    unsettled: int = 0
    """Files that may still be growing: look again in a moment."""
    more: bool = False
    """The limit was reached: look again at once."""
    ignored_files: tuple[IgnoredFile, ...] = ()
    failure: OSError | None = None
    """Why no file at all can be claimed any more (a full disk); what was claimed before stands in `claimed`."""


def scan(triggers_dir: Path, now: datetime, limit: int = 500) -> FolderScan:
    """Claim the JSON files in `triggers_dir`, at most `limit` of them, in the order of their names.

    One that cannot be claimed is left alone with its reason, and the others are claimed all the same.

    Raises:
        OSError: the folder cannot be read.
    """
    names, ignored_files = _entries(triggers_dir)
    claimed: list[ClaimedFile] = []
    unsettled = 0
    for name in names:
        if len(claimed) == limit:
            return FolderScan(_synced(claimed, triggers_dir), unsettled, True, tuple(ignored_files))
        path = triggers_dir / name
        growing = _growing(path, now, is_json=True)
        if growing is not None:
            unsettled += 1
            ignored_files += [IgnoredFile(line(name), growing)] if growing else []
            continue
        try:
            file = _claim(path, triggers_dir, now)
        except OSError as error:
            if error.errno in _OF_THE_FOLDER or not os.access(triggers_dir, os.W_OK):
                return FolderScan(_synced(claimed, triggers_dir), unsettled, False, tuple(ignored_files), error)
            ignored_files.append(IgnoredFile(line(name), f"it cannot be moved into {CLAIMED}/: {error.strerror}"))
        else:
            claimed += [file] if file is not None else []
    return FolderScan(_synced(claimed, triggers_dir), unsettled, False, tuple(ignored_files))


def ignored_files(triggers_dir: Path, now: datetime) -> list[IgnoredFile]:
    """What lies in the folder and is not taken, or not yet, without touching anything: for `doctor`.

    Raises:
        OSError: the folder cannot be read.
    """
    names, found = _entries(triggers_dir)
    growing = [(name, _growing(triggers_dir / name, now, is_json=True)) for name in names]
    return found + [IgnoredFile(line(name), why) for name, why in growing if why]


def claim_trigger_file(path: Path, triggers_dir: Path, now: datetime) -> ClaimedFile | None:
    """Claim one named file, such as `trigger_training.txt`; None if it is not there or may still be growing.

    Raises:
        OSError: it cannot be moved into `claimed/` of `triggers_dir`.
    """
    if not trigger_file_waits(path, now):
        return None
    file = _claim(path, triggers_dir, now)
    if file is not None:
        fsync_folder(triggers_dir / CLAIMED)
    return file


def finish_claims(path: Path, triggers_dir: Path) -> None:
    """At start: complete the claims of this trigger file that a kill interrupted between two file systems; what comes
    of it lies in `claimed/`.

    Raises:
        OSError: a file cannot be moved.
    """
    _finish(path.parent, triggers_dir, lambda name: name == name_when_claimed(path.name))


def finish_claims_of_folder(triggers_dir: Path) -> None:
    """At start: the same for all files of the triggers folder, whose `claimed/` may lie on another file system.

    Raises:
        OSError: a file cannot be moved.
    """
    _finish(triggers_dir, triggers_dir, lambda _name: True)


def _finish(folder: Path, triggers_dir: Path, wanted: Callable[[str], bool]) -> None:
    for hidden in sorted(folder.glob(f".*{_ON_ITS_WAY}")):
        name = hidden.name.removeprefix(".").removesuffix(_ON_ITS_WAY)
        match = _CLAIMED_NAME.fullmatch(name)
        if match and wanted(match.group(3)):
            (triggers_dir / CLAIMED).mkdir(parents=True, exist_ok=True)
            _move_across(hidden, triggers_dir / CLAIMED / name)


def trigger_file_waits(path: Path, now: datetime) -> bool:
    """True if that file is there and has settled."""
    return path.is_file() and not path.is_symlink() and _growing(path, now, is_json=False) is None


def name_when_claimed(name: str) -> str:
    """What a file of this name is called within its claimed name: safe, and the end of it where it is long."""
    return file_name(name, _MAX_NAME_BYTES)


def unrecorded(triggers_dir: Path, known: Container[Path]) -> list[ClaimedFile]:
    """The claimed files of which no row tells: a kill came between claim and record. `known`: claimed paths with a row.

    Raises:
        OSError: the folder cannot be read.
    """
    folder = triggers_dir / CLAIMED
    if not folder.is_dir():
        return []
    found = [_read(_safely_named(path)) for path in folder.iterdir() if path not in known and _is_claimed(path)]
    return sorted(found, key=lambda file: (file.received_at, file.original_name))


def _is_claimed(path: Path) -> bool:
    match = _CLAIMED_NAME.fullmatch(path.name)
    if match is None:
        return False
    try:
        datetime.strptime(match.group(1), _STAMP)  # noqa: DTZ007 - only whether it is a time
    except ValueError:
        return False  # somebody else's, by a name that only looks like ours
    return True


def _safely_named(path: Path) -> Path:
    """Versions before 0.2 claimed files under names that no database takes: such a file gets a safe one."""
    match = _CLAIMED_NAME.fullmatch(path.name)
    assert match, path
    safe = path.with_name(f"{match.group(1)}-{match.group(2)}-{name_when_claimed(match.group(3))}")
    return path if safe == path else path.rename(safe)


def archive(claimed_path: Path, outcome: str) -> Path:
    """Move a recorded file to `archived/`, with its outcome in a file beside it; returns where it lies. Repeatable.

    Raises:
        OSError: it cannot be moved.
    """
    return _move_on(claimed_path, ARCHIVED, ".outcome.txt", outcome)


def reject(claimed_path: Path, reason: str) -> Path:
    """Move a file to `rejected/`, with the reason in a file beside it; returns where it lies. Repeatable.

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
    write_atomic(folder / (claimed_path.name + suffix), passage(text, REASON_LIMIT).rstrip() + "\n")
    claimed_path.replace(target)
    fsync_folder(folder)
    return target


def _entries(folder: Path) -> tuple[list[str], list[IgnoredFile]]:
    """The names of the files to be claimed, sorted, and what is no such file."""
    names: list[str] = []
    others: list[IgnoredFile] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                why = _why_not(entry)
                if why is None:
                    names.append(entry.name)
                elif why:
                    others.append(IgnoredFile(line(entry.name), why))
    except FileNotFoundError:
        pass  # removed while we run: nothing can lie in it
    return sorted(names), sorted(others, key=str)


def _why_not(entry: "os.DirEntry[str]") -> str | None:
    """None: a file to be claimed; "": nothing to speak of; else why it is left alone."""
    if entry.name.startswith(".") or entry.name.endswith(_UNFINISHED):
        return ""
    if entry.is_symlink():
        return "a link; move the file itself in"
    if entry.is_dir():
        return "" if entry.name in (CLAIMED, ARCHIVED, REJECTED) else "a folder; only files are taken"
    if not entry.is_file():
        return "no plain file (a pipe, socket or device); only plain files are taken"
    return None if is_trigger_file_name(entry.name) else "its name does not end in .json; rename it"


def is_trigger_file_name(name: str) -> bool:
    """True for names that the folder's scan takes up."""
    return name.endswith(".json") and not name.startswith(".")


def _growing(path: Path, now: datetime, *, is_json: bool) -> str | None:
    """None: it has settled, or is gone. Else why it is waited for, "" where that is over in seconds.

    A whole JSON object cannot be the beginning of a longer one; anything else must have been let go of by its writer,
    and left alone a while. A file from the future (a clock was set) has been, or it would wait for years.
    """
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b""
        age_s = now.timestamp() - path.stat().st_mtime
        if _is_whole(data):
            return None
        if open_for_writing(path):
            return "a program still has it open for writing; it is taken once that closes it"
    except OSError:
        return None  # gone, or else claimed and rejected with what the system says
    return "" if -60 <= age_s < (SETTLE_JSON_S if is_json else SETTLE_TEXT_S) else None


def _is_whole(data: bytes) -> bool:
    try:
        read_request(data, is_json=True)
    except ValueError:
        return False
    return True


def _claim(path: Path, triggers_dir: Path, now: datetime) -> ClaimedFile | None:
    folder = triggers_dir / CLAIMED
    folder.mkdir(parents=True, exist_ok=True)
    stamp = now.astimezone(UTC).strftime(_STAMP)
    target = folder / f"{stamp}-{uuid.uuid4().hex}-{name_when_claimed(path.name)}"
    try:
        path.rename(target)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        if path.stat().st_size > MAX_BYTES:  # whatever that is, it is neither copied nor cut
            words = f"it is larger than {MAX_BYTES:,} bytes, and {CLAIMED}/ lies on another file system"
            raise OSError(errno.EFBIG, words) from error
        # The working folder lies on another file system: take it out of sight there, under the name it will bear.
        hidden = path.with_name(f".{target.name}{_ON_ITS_WAY}")
        path.rename(hidden)
        _move_or_put_back(hidden, target, path)
    return _read(target, line(path.name))


def _move_or_put_back(hidden: Path, target: Path, path: Path) -> None:
    """Where it cannot be copied (a full disk), it lies where it lay, for a later look.

    Raises:
        OSError: it could not be moved.
    """
    try:
        _move_across(hidden, target)
    except OSError:
        if not target.exists():
            with suppress(OSError):  # somebody has put another one there: this one is taken up at the next start
                give_second_name(hidden, path)
                hidden.unlink()
        raise


def _move_across(hidden: Path, target: Path) -> None:
    """The copy appears whole under its one name, so doing it again after a kill changes nothing."""
    moved_on = [target.parent.parent / folder / target.name for folder in (CLAIMED, ARCHIVED, REJECTED)]
    if not any(place.exists() for place in moved_on):
        write_atomic(target, hidden.read_bytes())
    hidden.unlink()


def _read(path: Path, name: str = "") -> ClaimedFile:
    match = _CLAIMED_NAME.fullmatch(path.name)
    assert match, path
    received_at = datetime.strptime(match.group(1), _STAMP).replace(tzinfo=UTC)
    name = name or match.group(3)
    try:
        data = _content(path)
    except OSError as error:
        return ClaimedFile(path, name, received_at, "", None, f"cannot be read: {error.strerror or error}")
    digest = sha256(data).hexdigest()
    try:
        return ClaimedFile(path, name, received_at, digest, read_request(data, is_json=name.endswith(".json")))
    except ValueError as error:
        return ClaimedFile(path, name, received_at, digest, None, passage(str(error), REASON_LIMIT))


def _content(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():  # exchanged between the look and the claim
        raise OSError("it is no plain file")
    with path.open("rb") as handle:
        return handle.read(MAX_BYTES + 1)


def _synced(claimed: list[ClaimedFile], triggers_dir: Path) -> tuple[ClaimedFile, ...]:
    if claimed:
        fsync_folder(triggers_dir / CLAIMED)
    return tuple(claimed)
