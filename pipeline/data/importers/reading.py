"""Reading files of games, whatever program wrote them: `games_in` gives each game, or why it cannot be read."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pipeline.data.importers.cli_output import read_cli_game
from pipeline.data.importers.documents import FIELD_ERRORS, UnreadablePlace, at, documents, in_words, unpacked
from pipeline.data.importers.engine_frames import read_frames_game
from pipeline.data.importers.frames import ImportedGame
from pipeline.data.importers.grouping import CliLines, FrameParts, Group, LogLine, groups_of
from schemas.errors import BadInputError
from schemas.game import GameLog

_GAME_FILE: Final = re.compile(r"(?!\.).*\.(json|jsonl|ndjson)(\.(gz|zst|zstd))?", re.IGNORECASE)
_PART_OF_NAME: Final = re.compile(r"[-_ .]*(game|info|frames?|events?|page|part)?[-_ .]*\d*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReadGame:
    """What came of a game in a file: the game, or, in words, why it cannot be read."""

    path: Path
    game: GameLog | ImportedGame | UnreadablePlace


def games_in(paths: Sequence[Path]) -> Iterator[ReadGame]:
    """Yield the games of these files, and of the game files directly in these folders.

    A game's description and its frames may lie in different files: those belong together whose names differ in no more
    than a word like `info` or `frames-2`, or tell the game's id, or that are the only ones of their folder.

    Raises:
        BadInputError: a path does not exist.
    """
    apart = _Apart()
    for path in files_at(paths):
        for group in _groups_in(path):
            if isinstance(group, FrameParts) and not group.whole:
                apart.take(path, group)
            else:
                yield ReadGame(path, _read(group))
    yield from apart.games()


def files_at(paths: Sequence[Path]) -> list[Path]:
    """Return these files, and the game files (`.json`, `.jsonl`, packed too) directly in these folders.

    Raises:
        BadInputError: a path does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(entry for entry in path.iterdir() if entry.is_file() and _GAME_FILE.fullmatch(entry.name))
        elif path.exists():
            found.append(path)
        else:
            raise BadInputError("no such file or folder", where=str(path), remedy="Check the path.")
    return found


def _groups_in(path: Path) -> Iterator[Group]:
    try:
        data = unpacked(path)
    except (OSError, ValueError) as error:
        yield UnreadablePlace(str(error))
        return
    if not data.strip():
        yield UnreadablePlace("the file is empty")
        return
    found = False
    for group in groups_of(documents(data)):
        found = True
        yield group
    if not found:
        yield UnreadablePlace("there is no game in it")


def _read(group: Group) -> GameLog | ImportedGame | UnreadablePlace:
    if isinstance(group, UnreadablePlace):
        return group
    try:
        if isinstance(group, LogLine):
            return _read_log(group)
        if group.fault:
            return UnreadablePlace(group.fault)
        return read_cli_game(group.lines) if isinstance(group, CliLines) else _read_frames(group)
    except FIELD_ERRORS as error:
        return UnreadablePlace(in_words(error))


def _read_log(log: LogLine) -> GameLog:
    try:
        game = GameLog.model_validate(log.line.tree)
        _refuse_half_cells(game)
    except ValueError as error:
        raise ValueError(at(log.line.where, in_words(error))) from error
    return game


def _refuse_half_cells(game: GameLog) -> None:
    for frame in game.frames:
        cells = [frame.f or (), frame.z or (), *(body for _, body in frame.b or ())]
        if any(len(each) % 2 for each in cells):
            raise ValueError(f"turn {frame.t}: a list of x and y has an odd end")


def _read_frames(parts: FrameParts) -> ImportedGame:
    if parts.game is None:
        raise ValueError(at(parts.where, "frames of a game without its description (id and size of the board)"))
    if parts.from_events and not parts.ended:
        turns = [frame.tree.get("turn") for frame in parts.frames if isinstance(frame.tree, dict)]
        last = f"; the last turn it has is {turns[-1]}" if turns else ""
        raise ValueError(at(parts.where, f"the game has not ended: there is no game_end event{last}"))
    game = replace(parts.game, status="complete") if parts.ended else parts.game
    try:
        return read_frames_game(game, parts.frames)
    except FIELD_ERRORS as error:
        raise ValueError(at(parts.where, in_words(error))) from error


@dataclass(slots=True)
class _Apart:
    """Descriptions without frames and frames without a description, to be brought together."""

    described: list[tuple[Path, FrameParts]] = field(default_factory=list)
    frames: list[tuple[Path, FrameParts]] = field(default_factory=list)

    def take(self, path: Path, parts: FrameParts) -> None:
        (self.described if parts.game is not None else self.frames).append((path, parts))

    def games(self) -> Iterator[ReadGame]:
        for path, parts in self.described:
            assert parts.game is not None
            mine = [other for other in self.frames if self._belong(path, parts.game.game_id, other[0])]
            self.frames = [other for other in self.frames if other not in mine]
            if not mine:
                yield ReadGame(path, UnreadablePlace(at(parts.where, _NO_FRAMES)))
                continue
            yield ReadGame(path, _read(_together(parts, [found for _, found in mine])))
        for path, parts in self.frames:
            yield ReadGame(path, UnreadablePlace(at(parts.where, _NO_DESCRIPTION)))

    def _belong(self, description: Path, game_id: str, frames: Path) -> bool:
        if description.parent != frames.parent:
            return False
        alone = sum(path.parent == frames.parent for path, _ in self.described) == 1
        return alone or str(game_id) in frames.name or _name_of(description) == _name_of(frames)


_NO_FRAMES: Final = (
    "a game without its frames: give the file of its frames too, named alike (X.info.json, X.frames.json)"
)
_NO_DESCRIPTION: Final = (
    "frames of a game without its description (id and size of the board): give that file too, named alike "
    "(X.info.json, X.frames.json)"
)


def _together(description: FrameParts, pages: Sequence[FrameParts]) -> FrameParts:
    frames = [frame for page in pages for frame in page.frames]
    return FrameParts(
        where=description.where,
        game=description.game,
        frames=frames,
        from_events=any(page.from_events for page in pages),
        ended=any(page.ended for page in pages),
    )


def _name_of(path: Path) -> str:
    return _PART_OF_NAME.sub("", path.name.partition(".")[0]).lower()
