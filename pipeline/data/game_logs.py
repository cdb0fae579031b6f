"""Bringing games of other programs into the games folder, in the format of `schemas.game`."""

import os
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import orjson

from pipeline.data.importers.documents import UnreadablePlace, in_words
from pipeline.data.importers.frames import ImportedGame, to_game_log
from pipeline.data.importers.reading import ReadGame, games_in
from schemas.errors import BadInputError
from schemas.files import fsync_folder, open_plain
from schemas.game import GAME_LOG_SUFFIX, GameLog

_GAME_ID = re.compile(rb'"game_id":\s*("(?:[^"\\]|\\.)*")')
_ID_WITHIN = 400
"""In our lines the game's id stands near the beginning."""


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file, or a game in it, that was not imported."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came of an import."""

    written_to: Path | None
    """None if there was nothing new."""
    games: int
    already_there: int
    """Games whose id the games folder has already."""
    refused: tuple[RefusedFile, ...]


def import_games(paths: Sequence[Path], games_dir: Path, now: datetime, you: str | None = None) -> ImportReport:
    """Import the games of these files, or of the `.json` and `.jsonl` files (packed too) directly in these folders.

    All go into one new file of the games folder, which appears whole or not at all. A game that the folder has already,
    whoever wrote it, is not imported again. A game that cannot be understood is refused, and the others go on.

    Args:
        you: name or id of the snake whose games they are; None: the first snake listed in each. Our own game logs
            tell whose they are.

    Raises:
        BadInputError: a path does not exist, or the games folder cannot be written to.
    """
    try:
        games_dir.mkdir(parents=True, exist_ok=True)
        return _import(paths, games_dir, now, you)
    except OSError as error:
        raise BadInputError(
            f"cannot import games: {error.strerror or error}", where=str(error.filename or games_dir)
        ) from error


def _import(paths: Sequence[Path], games_dir: Path, now: datetime, you: str | None) -> ImportReport:
    known, unread = _games_of(games_dir)
    target = games_dir / f"imported-{now.astimezone(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}{GAME_LOG_SUFFIX}"
    temporary = target.with_name(f".{target.name}.tmp")
    made = _Importing(known, you, refused=unread)
    try:
        with temporary.open("xb") as handle:
            for found in games_in(paths):
                made.take(found, handle)
            handle.flush()
            os.fsync(handle.fileno())
        if made.games:
            temporary.replace(target)
            fsync_folder(games_dir)
    finally:
        temporary.unlink(missing_ok=True)
    return ImportReport(target if made.games else None, made.games, made.already_there, tuple(made.refused))


def _games_of(games_dir: Path) -> tuple[set[str], list[RefusedFile]]:
    """The ids of the games that the folder has, and its files that cannot be asked."""
    known: set[str] = set()
    unread = []
    for log in sorted(games_dir.glob(f"*{GAME_LOG_SUFFIX}")):
        try:
            known.update(game_ids(log))
        except OSError as error:
            unread.append(RefusedFile(log, f"which games it holds already cannot be read: {error.strerror}"))
    return known, unread


@dataclass(slots=True)
class _Importing:
    """An import in hand."""

    known: set[str]
    you: str | None
    games: int = 0
    already_there: int = 0
    refused: list[RefusedFile] = field(default_factory=list)

    def take(self, found: ReadGame, handle: BinaryIO) -> None:
        """Write a game to `handle` if it is new."""
        game = found.game
        if isinstance(game, UnreadablePlace):
            self.refused.append(RefusedFile(found.path, game.reason))
        elif game.game_id in self.known:
            self.already_there += 1
        else:
            self._write(game, found.path, handle)

    def _write(self, game: GameLog | ImportedGame, path: Path, handle: BinaryIO) -> None:
        try:
            log = game if isinstance(game, GameLog) else to_game_log(game, self.you, path.name)
        except ValueError as error:
            self.refused.append(RefusedFile(path, in_words(error)))
            return
        handle.write(log.to_line().encode())
        self.games += 1
        self.known.add(log.game_id)


def game_ids(log: Path) -> Iterator[str]:
    """The ids of the games that a file of the games folder tells of.

    Raises:
        OSError: it cannot be read, or is no plain file.
    """
    with open_plain(log) as handle:
        for line in handle:
            if (found := game_id_in(line)) is not None:
                yield found


def game_id_in(line: bytes) -> str | None:
    """The id of the game that a line of such a file tells of, read off its beginning; None: none stands there."""
    match = _GAME_ID.search(line, 0, _ID_WITHIN)
    try:
        return str(orjson.loads(match.group(1))) if match else None
    except orjson.JSONDecodeError:  # a damaged line
        return None
