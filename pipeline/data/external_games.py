"""Games of other programs as stored games: game logs of our snakes, official CLI output, exported engine JSON."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import orjson

from pipeline.data.collected import RefusedGame
from pipeline.data.foreign_game import to_game_log
from pipeline.data.game_logs import file_bytes, files_at, games_in, in_words
from pipeline.data.game_making import games_of_tapes, winners
from pipeline.data.rebuild import tape_of
from pipeline.data.stored_game import IMPORTED, StoredGame
from schemas.errors import OuroborosError
from schemas.game import GAME_LOG_FORMAT, GameLog

SNAKE = "snake:"


def stored_games(paths: Sequence[Path], now: datetime) -> Iterator[StoredGame | RefusedGame]:
    """Yield each game of these files, or of the game files directly in these folders, or why it cannot be stored.

    Args:
        now: when they were played, for logs that do not tell.

    Raises:
        BadInputError: a path does not exist.
    """
    for path in files_at(paths):
        for log in logs_in(path):
            yield RefusedGame(str(path), log) if isinstance(log, str) else stored_log(log, now, str(path))


def stored_log(log: GameLog, now: datetime, where: str = "") -> StoredGame | RefusedGame:
    """Return the game of a log, or why it cannot be stored; the sole survivor's seat is the one to learn from."""
    played_at = log.ended_at or log.started_at or now
    players = tuple(SNAKE + snake.name for snake in log.snakes)
    try:
        return games_of_tapes([tape_of(log)], [players], IMPORTED, played_at, winners)[0]
    except OuroborosError as error:
        return RefusedGame(where or f"game {log.game_id}", str(error))


def logs_in(path: Path) -> Iterator[GameLog | str]:
    """Yield the games of one file as logs, or, in words, why one (or the file) cannot be read."""
    try:
        lines = file_bytes(path).splitlines()
    except (OSError, EOFError, ValueError) as error:
        yield in_words(error)
        return
    if lines and _is_log(lines[0]):
        for number, line in enumerate(lines, start=1):
            try:
                yield GameLog.model_validate_json(line)
            except ValueError as error:
                yield f"line {number}: {in_words(error)}"
        return
    for game in games_in(path):
        try:
            yield game if isinstance(game, str) else to_game_log(game, None, path.name)
        except ValueError as error:
            yield in_words(error)


def _is_log(line: bytes) -> bool:
    try:
        tree = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(tree, dict) and tree.get("format") == GAME_LOG_FORMAT
