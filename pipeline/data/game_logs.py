"""Bringing games of other programs into the games folder, in the format of `schemas.game`."""

import gzip
import os
import re
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from pydantic import ValidationError

from pipeline.data.cli_games import is_cli_game, read_cli_game
from pipeline.data.engine_games import is_engine_events, is_engine_game, read_engine_events, read_engine_game
from pipeline.data.foreign_game import ForeignGame, to_game_log
from schemas.errors import BadInputError
from schemas.files import fsync_folder
from schemas.game import GAME_LOG_SUFFIX
from schemas.settings import describe

_SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
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
    """Import the games of these files, or of the `.json` and `.jsonl` files (also gzipped) directly in these folders.

    All go into one new file of the games folder, which appears whole or not at all. A game that the folder has already,
    whoever wrote it, is not imported again. A file that cannot be understood is refused, and the others go on.

    Args:
        you: name or id of the snake whose games they are; None: the first snake listed in each.

    Raises:
        BadInputError: a path does not exist, or the games folder cannot be written to.
    """
    try:
        games_dir.mkdir(parents=True, exist_ok=True)
        return _import(files_at(paths), games_dir, now, you)
    except OSError as error:
        raise BadInputError(
            f"cannot import games: {error.strerror or error}", where=str(error.filename or games_dir)
        ) from error


def _import(files: Sequence[Path], games_dir: Path, now: datetime, you: str | None) -> ImportReport:
    known = {game_id for log in sorted(games_dir.glob(f"*{GAME_LOG_SUFFIX}")) for game_id in game_ids(log)}
    target = games_dir / f"imported-{now.astimezone(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}{GAME_LOG_SUFFIX}"
    temporary = target.with_name(f".{target.name}.tmp")
    made = _Importing(known, you)
    try:
        with temporary.open("xb") as handle:
            for path in files:
                made.take(path, handle)
            handle.flush()
            os.fsync(handle.fileno())
        if made.games:
            temporary.replace(target)
            fsync_folder(games_dir)
    finally:
        temporary.unlink(missing_ok=True)
    return ImportReport(target if made.games else None, made.games, made.already_there, tuple(made.refused))


@dataclass(slots=True)
class _Importing:
    """An import in hand."""

    known: set[str]
    you: str | None
    games: int = 0
    already_there: int = 0
    refused: list[RefusedFile] = field(default_factory=list)

    def take(self, path: Path, handle: BinaryIO) -> None:
        """Write the new games of one file to `handle`."""
        for game in games_in(path):
            if isinstance(game, str):
                self.refused.append(RefusedFile(path, game))
            elif game.game_id in self.known:
                self.already_there += 1
            else:
                self._write(game, path, handle)

    def _write(self, game: ForeignGame, path: Path, handle: BinaryIO) -> None:
        try:
            line = to_game_log(game, self.you, path.name).to_line()
        except ValueError as error:
            self.refused.append(RefusedFile(path, in_words(error)))
            return
        handle.write(line.encode())
        self.games += 1
        self.known.add(game.game_id)


def game_ids(log: Path) -> Iterator[str]:
    """The ids of the games that a file of the games folder tells of."""
    with log.open("rb") as handle:
        for line in handle:
            if match := _GAME_ID.search(line, 0, _ID_WITHIN):
                yield str(orjson.loads(match.group(1)))


def files_at(paths: Sequence[Path]) -> list[Path]:
    """These files, and the game files directly in these folders.

    Raises:
        BadInputError: a path does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(entry for entry in path.iterdir() if entry.is_file() and entry.name.endswith(_SUFFIXES))
        elif path.exists():
            found.append(path)
        else:
            raise BadInputError("no such file or folder", where=str(path), remedy="Check the path.")
    return found


def games_in(path: Path) -> Iterator[ForeignGame | str]:
    """The games of one file, or, in words, why there are none."""
    try:
        data = file_bytes(path)
        for read, tree in _parts(data):
            try:
                yield read(tree)
            except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
                yield in_words(error)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        yield in_words(error)


def file_bytes(path: Path) -> bytes:
    """The content of a file, unpacked if it is gzipped."""
    with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as handle:
        return handle.read()


def in_words(error: Exception) -> str:
    """What an error says of the field it is about."""
    if isinstance(error, ValidationError):
        return describe(error)
    return f"the field {error} is missing" if isinstance(error, KeyError) else str(error)


def _parts(data: bytes) -> Iterator[tuple[Any, Any]]:
    """Each game's reader, and what it reads.

    Raises:
        ValueError: none of the formats we know.
    """
    trees = _trees(data)
    if is_cli_game(trees):
        yield read_cli_game, trees
    elif is_engine_events(trees):
        yield read_engine_events, trees
    else:
        games = trees[0] if len(trees) == 1 and isinstance(trees[0], list) else trees
        if not games or not all(is_engine_game(tree) for tree in games):
            raise ValueError("neither an output file of the official CLI nor an exported game of the engine")
        for tree in games:
            yield read_engine_game, tree


def _trees(data: bytes) -> list[Any]:
    """One JSON document, or one a line."""
    try:
        return [orjson.loads(data)]
    except orjson.JSONDecodeError:
        pass
    trees = []
    for number, line in enumerate(data.splitlines(), start=1):
        if line.strip():
            try:
                trees.append(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                raise ValueError(f"line {number} is no JSON: {error}") from error
    return trees
