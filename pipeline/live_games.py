"""Shows one of the games that are being played to whoever looks (`schemas/live_game.py`), and never holds one up.

A sample, bounded and lossy: while somebody looks one game at a time is told, turn by turn, and after a game the next
one is told when a person has had time to see this one. A disk that refuses ends the showing, not the game.
"""

import contextlib
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from schemas.game import GameLogFrame
from schemas.live_game import (
    MOST_BYTES,
    TURNS_PER_S,
    WATCHED_FOR_S,
    LiveEnd,
    LiveGame,
    LiveSource,
    live_file,
    watched_file,
)

_LOOK_S = 0.5
"""Between two looks at whether somebody looks."""
_SILENT_S = 30.0
"""A game that tells nothing for so long was dropped: another may be shown."""


class ToldGames(Protocol):
    """Where one game at a time is told while it is played: to eyes (`LiveGames`), or to be kept."""

    def wanted(self) -> bool:
        """Whether the game that begins now may be told."""
        ...

    def begin(
        self, game_id: str, about: str, rules: tuple[str, str], size: tuple[int, int], names: Sequence[str]
    ) -> None:
        """Tell of a game that begins; see `LiveGames.begin`."""
        ...

    def is_showing(self, game_id: str) -> bool:
        """Whether this game is the one that is told."""
        ...

    def turn(self, frame: GameLogFrame) -> None:
        """Tell of a turn of the game that was begun last."""
        ...

    def end(self, causes: Sequence[str]) -> None:
        """Tell that it has ended."""
        ...


class LiveGames:
    """The games of one kind of work. For one thread at a time.

    Args:
        home: the state folder.
        source: the kind of work.
    """

    def __init__(self, home: Path, source: LiveSource) -> None:
        self._path, self._watched, self._source = live_file(home, source), watched_file(home), source
        self._file: int | None = None
        self._game_id = ""
        self._room = 0
        self._turns = 0
        self._began_s = 0.0
        self._told_s = 0.0
        self._look_at_s = 0.0

    def wanted(self) -> bool:
        """Whether somebody looks and has seen the game before: then the game that begins now may be told."""
        now_s = time.monotonic()
        if now_s < self._look_at_s or (self._file is not None and now_s < self._told_s + _SILENT_S):
            return False
        self._look_at_s = now_s + _LOOK_S
        try:
            # The file's time is the wall clock's: one that was set back meanwhile shows no games for a while.
            age_s = time.time() - self._watched.stat().st_mtime
        except OSError:
            return False
        return abs(age_s) < WATCHED_FOR_S

    def begin(
        self, game_id: str, about: str, rules: tuple[str, str], size: tuple[int, int], names: Sequence[str]
    ) -> None:
        """Tell of a game that begins.

        Args:
            about: what it is for.
            rules: the ruleset and the map.
            size: width and height in cells.
            names: by seat.
        """
        self._close()
        game = LiveGame(
            game_id=game_id, source=self._source, about=about, ruleset=rules[0], map=rules[1], width=size[0],
            height=size[1], names=list(names), began_at=datetime.now(UTC),
        )  # fmt: skip
        self._game_id, self._room, self._turns = game_id, MOST_BYTES, 0
        self._began_s = time.monotonic()
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o644)
            self._write(game.model_dump_json())
            fresh.replace(self._path)  # no fsync: nobody needs it after a crash
        except OSError:
            self._close()

    def is_showing(self, game_id: str) -> bool:
        """Whether this game is the one that is told."""
        return self._file is not None and self._game_id == game_id

    def turn(self, frame: GameLogFrame) -> None:
        """Tell of a turn of the game that was begun last."""
        self._turns += 1
        self._write(frame.model_dump_json(exclude_none=True))

    def end(self, causes: Sequence[str]) -> None:
        """Tell that it has ended."""
        if self._file is None:
            return
        self._write(LiveEnd(causes=list(causes)).model_dump_json())
        self._close()
        self._look_at_s = max(self._look_at_s, self._began_s + self._turns / TURNS_PER_S)

    def drop(self) -> None:
        """The game that is told goes on unseen; the next one that begins may be told."""
        self._close()

    def _write(self, line: str) -> None:
        data = line.encode() + b"\n"
        self._told_s = time.monotonic()
        self._room -= len(data)
        if self._file is None or self._room < 0:
            return
        try:
            os.write(self._file, data)
        except OSError:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None
