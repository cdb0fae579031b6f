"""Which documents of a file make a game together: what stands between a first and a last line, or is told apart.

A kind is recognised by what a document holds. Lines of the official CLI and events of a websocket come game after
game; a description of a game and its frames may stand in one object, in several, or in several files.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import orjson

from pipeline.data.importers.cli_output import is_cli_game, is_cli_result, is_cli_turn
from pipeline.data.importers.documents import FIELD_ERRORS, Document, UnreadablePlace, at, in_words, lowered
from pipeline.data.importers.engine_frames import GameDescription, describe_arena_game, describe_game, is_arena_game
from schemas.game import GAME_LOG_FORMAT

_OUR_LOG = GAME_LOG_FORMAT.rpartition("/")[0]


class Kind(Enum):
    """What a document is."""

    LOG = auto()
    CLI = auto()
    FRAMES = auto()
    NEITHER = auto()


def kind_of(tree: Any) -> Kind:
    """Return what a document is, by the fields it holds."""
    if not isinstance(tree, dict):
        return Kind.NEITHER
    if str(tree.get("format")).startswith(_OUR_LOG):  # of another version: its reading says so
        return Kind.LOG
    if is_cli_game(tree) or is_cli_turn(tree) or is_cli_result(tree):
        return Kind.CLI
    keys = {str(key).lower() for key in tree}
    is_frame, is_event = {"turn", "snakes"} <= keys, {"type", "data"} <= keys
    if is_frame or is_event or "frames" in keys or "game" in keys or is_arena_game(tree):
        return Kind.FRAMES
    return Kind.NEITHER


@dataclass(slots=True)
class LogLine:
    """A game log of ours."""

    line: Document


@dataclass(slots=True)
class CliLines:
    """A game's lines of the official CLI."""

    lines: list[Document] = field(default_factory=list)
    fault: str = ""
    """Why they cannot be read, if a line among them is damaged."""


@dataclass(slots=True)
class FrameParts:
    """A game's frames (keys in lower case), its description, or both."""

    where: str = ""
    game: GameDescription | None = None
    frames: list[Document] = field(default_factory=list)
    has_frames: bool = False
    """Whether frames were told, be it none."""
    from_events: bool = False
    ended: bool = False
    """Whether an event told of the end."""
    fault: str = ""

    @property
    def whole(self) -> bool:
        """Whether both are here, or it is known that they cannot be read."""
        return bool(self.fault) or (self.game is not None and self.has_frames)


Group = LogLine | CliLines | FrameParts | UnreadablePlace


def groups_of(documents: Iterable[Document | UnreadablePlace]) -> Iterator[Group]:
    """Yield a file's games, each as what belongs to it, and the places that cannot be read."""
    taking = _Taking()
    for document in documents:
        yield from taking.take(document)
    yield from taking.close()


class _Taking:
    """A file being taken apart; `open` is the game whose documents are still coming."""

    def __init__(self) -> None:
        self._open: CliLines | FrameParts | None = None

    def close(self) -> Iterator[Group]:
        if self._open is not None:
            yield self._open
            self._open = None

    def take(self, document: Document | UnreadablePlace) -> Iterator[Group]:
        kind = Kind.NEITHER if isinstance(document, UnreadablePlace) else kind_of(document.tree)
        if isinstance(document, UnreadablePlace) or kind is Kind.NEITHER:
            yield from self._take_fault(document)
        elif kind is Kind.LOG:
            yield from self.close()
            yield LogLine(document)
        elif kind is Kind.CLI:
            yield from self._take_cli(document)
        else:
            yield from self._take_frames(document)

    def _take_fault(self, document: Document | UnreadablePlace) -> Iterator[Group]:
        """A damaged line in the middle of a game spoils that game."""
        reason = document.reason if isinstance(document, UnreadablePlace) else _is_neither(document)
        if self._open is None:
            yield UnreadablePlace(reason)
        else:
            self._open.fault = self._open.fault or reason

    def _take_cli(self, document: Document) -> Iterator[Group]:
        if is_cli_game(document.tree) or not isinstance(self._open, CliLines):
            yield from self.close()
            self._open = CliLines()
        self._open.lines.append(document)
        if is_cli_result(document.tree):
            yield from self.close()

    def _take_frames(self, document: Document) -> Iterator[Group]:
        try:
            tree = lowered(document.tree)
        except RecursionError as error:
            yield from self._take_fault(UnreadablePlace(at(document.where, in_words(error))))
            return
        if {"type", "data"} <= tree.keys() and not _tells(str(tree["type"])):
            return  # a ping, and whatever else comes over a websocket
        described = "game" in tree or "game_type" in tree
        parts = self._open if isinstance(self._open, FrameParts) else None
        if parts is None or parts.ended or (described and parts.game is not None):
            yield from self.close()
            parts = FrameParts(document.where)
            self._open = parts
        try:
            _add(parts, Document(document.where, tree), described=described)
        except FIELD_ERRORS as error:
            parts.fault = parts.fault or at(document.where, in_words(error))
        if described and "frames" in tree:
            yield from self.close()  # an object with all there is of its game


def _add(parts: FrameParts, document: Document, *, described: bool) -> None:
    tree = document.tree
    if described:
        parts.game = describe_arena_game(tree) if is_arena_game(tree) else describe_game(tree)
    if "type" in tree and "data" in tree:
        _add_event(parts, document)
    elif "frames" in tree:
        place = f"{document.where}, frame" if document.where else "frame"
        parts.has_frames = True
        parts.frames += [Document(f"{place} {number}", frame) for number, frame in enumerate(tree["frames"])]
    elif "snakes" in tree and "turn" in tree:
        parts.has_frames = True
        parts.frames.append(document)


def _tells(event: str) -> bool:
    return event.lower() == "frame" or "end" in event.lower()


def _add_event(parts: FrameParts, document: Document) -> None:
    parts.from_events = parts.has_frames = True
    kind, data = str(document.tree["type"]).lower(), document.tree["data"]
    data = lowered(orjson.loads(data)) if isinstance(data, str) and data.startswith("{") else data
    if kind == "frame":
        parts.frames.append(Document(document.where, data))
    else:
        parts.ended = True
        told = data.get("game", data) if isinstance(data, dict) else {}  # the official CLI's board sends it bare
        if parts.game is None and isinstance(told, dict) and told.get("width"):
            parts.game = describe_game({"game": told})


def _is_neither(document: Document) -> str:
    known = "neither a game log, nor a line of the official CLI's output, nor a game or frames of the engine"
    return at(document.where, known)
