"""The Arena's games in the games folder: one line each, appended before its row says so, found again after a kill.

A line is written and synced first; then, in one transaction, its row learns where it stands. A kill between the two
leaves a line without a row, or half a line: the next start finds either behind the last place that a row knows.
"""

import itertools
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from pipeline.data.game_logs import game_id_in
from schemas.errors import MachineError
from schemas.files import fsync_folder
from schemas.game import GAME_LOG_SUFFIX, GameLog

PREFIX: Final = "arena-"


@dataclass(frozen=True, slots=True)
class FilePlace:
    """Where a game's line stands."""

    file: str
    offset_bytes: int
    length_bytes: int


def append(games_dir: Path, now: datetime, logs: Sequence[GameLog]) -> list[FilePlace]:
    """Append games to the day's file, on disk when this returns. Only one process does so at a time.

    Raises:
        MachineError: they cannot be written; the file is as it was.
    """
    path = games_dir / f"{PREFIX}{now:%Y%m%d}{GAME_LOG_SUFFIX}"
    lines = [log.to_line().encode() for log in logs]
    try:
        new = not path.exists()
        with path.open("ab", buffering=0) as handle:
            offset = handle.seek(0, os.SEEK_END)
            try:
                _write_all(handle.fileno(), b"".join(lines))
            except OSError:
                handle.truncate(offset)
                raise
            os.fsync(handle.fileno())
        if new:
            fsync_folder(games_dir)
    except OSError as error:
        raise MachineError(
            f"games of the Arena cannot be written: {error.strerror}", where=str(path), remedy="Free some space."
        ) from error
    ends = list(itertools.accumulate((len(line) for line in lines), initial=offset))
    return [FilePlace(path.name, start, len(line)) for start, line in zip(ends, lines, strict=False)]


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def lines_without_row(games_dir: Path, known_to: Mapping[str, int]) -> Iterator[tuple[FilePlace, GameLog]]:
    """Yield the games that stand behind what the rows know, and cut off half a line at a file's end.

    Args:
        known_to: up to which byte of each file the rows know of games.

    Raises:
        MachineError: a file cannot be read or mended.
    """
    for path in sorted(games_dir.glob(f"{PREFIX}*{GAME_LOG_SUFFIX}")):
        try:
            with path.open("r+b") as handle:
                offset = handle.seek(known_to.get(path.name, 0))
                for line in handle:
                    if not line.endswith(b"\n"):
                        handle.truncate(offset)
                        break
                    log = _game_of(line)
                    if log is not None:
                        yield FilePlace(path.name, offset, len(line)), log
                    offset += len(line)
        except OSError as error:
            raise MachineError(f"games of the Arena cannot be read: {error.strerror}", where=str(path)) from error


def lines_of_others(games_dir: Path, wanted: Collection[str], since: datetime) -> Iterator[tuple[FilePlace, GameLog]]:
    """Yield these games as our deployed snake itself wrote them into the games folder.

    Args:
        since: files that nobody has written to since then are passed over.
    """
    for path in sorted(games_dir.glob(f"*{GAME_LOG_SUFFIX}")):
        try:
            if path.name.startswith((PREFIX, ".")) or path.stat().st_mtime < since.timestamp():
                continue
            with path.open("rb") as handle:
                offset = 0
                for line in handle:
                    log = _game_of(line) if game_id_in(line) in wanted else None
                    if log is not None and not log.imported_from:
                        yield FilePlace(path.name, offset, len(line)), log
                    offset += len(line)
        except OSError:
            continue  # rotated away, or not ours to read: the Arena has the game too


def read_line(games_dir: Path, place: FilePlace) -> GameLog:
    """Return the game that stands there.

    Raises:
        MachineError: the file has gone, or holds something else there.
    """
    path = games_dir / place.file
    try:
        with path.open("rb") as handle:
            handle.seek(place.offset_bytes)
            return GameLog.model_validate_json(handle.read(place.length_bytes))
    except (OSError, ValidationError) as error:
        raise MachineError(
            "the game's line is not where it was",
            where=f"{path}, byte {place.offset_bytes}",
            remedy="Files in data/games are only added to; put it back from a backup.",
        ) from error


def _game_of(line: bytes) -> GameLog | None:
    try:
        return GameLog.model_validate_json(line)
    except ValidationError:
        return None  # a person's line: not ours to judge
