"""Games of other programs as stored games: game logs of our snakes and whatever the importers read."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pipeline.data.collected import RefusedGame
from pipeline.data.game_making import games_of_tapes, winners
from pipeline.data.importers.documents import Unreadable, in_words
from pipeline.data.importers.imported_game import to_game_log
from pipeline.data.importers.reading import ReadGame, games_in
from pipeline.data.rebuild import tape_of
from pipeline.data.stored_game import IMPORTED, StoredGame
from pipeline.engine.layout import ALIVE_CAUSE
from schemas.errors import OuroborosError
from schemas.game import GameLog, GameOutcome

SNAKE = "snake:"


def stored_games(paths: Sequence[Path], now: datetime) -> Iterator[StoredGame | RefusedGame]:
    """Yield each game of these files, or of the game files directly in these folders, or why it cannot be stored.

    Args:
        now: when they were played, for logs that do not tell.

    Raises:
        BadInputError: a path does not exist.
    """
    for found in games_in(paths):
        log = _log_of(found)
        where = str(found.path)
        yield RefusedGame(where, log.reason) if isinstance(log, Unreadable) else stored_log(log, now, where)


def _log_of(found: ReadGame) -> GameLog | Unreadable:
    game = found.game
    if isinstance(game, GameLog | Unreadable):
        return game
    try:
        return to_game_log(game, game.winner_id, found.path.name)  # as the winner's, so that the log names it
    except ValueError as error:
        return Unreadable(in_words(error))


def stored_log(log: GameLog, now: datetime, where: str = "") -> StoredGame | RefusedGame:
    """Return the game of a log, or why it cannot be stored; the winner's seat is the one to learn from."""
    played_at = log.ended_at or log.started_at or now
    players = tuple(SNAKE + snake.name for snake in log.snakes)
    try:
        game = games_of_tapes([tape_of(log)], [players], IMPORTED, played_at, winners)[0]
    except OuroborosError as error:
        return RefusedGame(where or f"game {log.game_id}", str(error))
    return _with_told_winner(game, log)


def _with_told_winner(game: StoredGame, log: GameLog) -> StoredGame:
    """A log whose boards stop before the last turn may still tell who won: then that one is first alone."""
    living = [seat for seat, cause in enumerate(game.causes) if cause == ALIVE_CAUSE]
    others = [seat for seat in living if seat != log.you]
    won = {GameOutcome.WIN: [log.you], GameOutcome.LOSS: others}.get(log.outcome, [])
    if len(living) < 2 or len(won) != 1 or won[0] not in living:
        return game
    ranks = tuple(rank if seat == won[0] else max(rank, 2) for seat, rank in enumerate(game.ranks))
    return replace(game, ranks=ranks, seats_to_learn=winners(game.players, ranks))
