"""The rows of games: listed once, kept once, with what follows from a game in the transaction that keeps it."""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, func, insert, select, tuple_, update

from pipeline.ladder.answers import ListedGame, SnakeInGame
from pipeline.ladder.game_files import FilePlace
from pipeline.ladder.reading import CHALLENGE, LadderGame
from pipeline.ladder.tables import challenges, games, opponents, results
from schemas.game import GameLog, GameLogOutcome
from schemas.ladder import GameWhy
from schemas.outside_text import REASON_LIMIT, line
from schemas.times import from_text, to_text

LISTED: Final = "listed"
RUNNING: Final = "running"
KEPT: Final = "kept"
REFUSED: Final = "refused"
FAILED: Final = "failed"
MOST_ATTEMPTS: Final = 3
"""A game that cannot be read is asked for again at the next synchronisations, so often in all."""
_SCORES: Final = {GameLogOutcome.WIN.value: 1.0, GameLogOutcome.DRAW.value: 0.5, GameLogOutcome.LOSS.value: 0.0}


def note_listed(connection: Connection, listed: Iterable[ListedGame], own: Collection[str]) -> int:
    """Write down games of a list that are new, and how far those are that were not over; return how many are new."""
    new = 0
    for game in listed:
        row = connection.execute(select(games.c.state).where(games.c.game_id == game.id)).first()
        if row is None:
            connection.execute(insert(games).values(_first_row(connection, game, own)))
            new += 1
        elif row.state == RUNNING and _state(game) != RUNNING:
            values = {"state": _state(game), "ended_at": to_text(game.updated_at)}
            connection.execute(update(games).where(games.c.game_id == game.id).values(**values))
    return new


def is_known(connection: Connection, game_id: str) -> bool:
    """Return whether a row of the game is there and nothing more is expected of lists."""
    state = connection.execute(select(games.c.state).where(games.c.game_id == game_id)).scalar()
    return state is not None and state != RUNNING


def _first_row(connection: Connection, game: ListedGame, own: Collection[str]) -> dict[str, object]:
    ours = [snake for snake in game.snakes if snake.id in own]
    asked = select(challenges.c.id).where(challenges.c.game_id == game.id)
    return {
        "game_id": game.id,
        "state": _state(game),
        "challenged": connection.execute(asked).first() is not None,
        "snake_id": ours[0].id if ours else "",
        "snake_name": ours[0].name if ours else "",
        "own_seats": len(ours),
        "board": game.board,
        "game_type": game.game_type,
        "snakes_json": json.dumps([{**snake.model_dump(), "own": snake.id in own} for snake in game.snakes]),
        "created_at": to_text(game.created_at),
        "ended_at": to_text(game.updated_at) if game.over else None,
        "attempts": 0,
        "reason": "",
    }


def _state(game: ListedGame) -> str:
    return LISTED if game.over else FAILED if game.failed else RUNNING


def note_status(connection: Connection, game_id: str, status: str, updated_at: datetime) -> None:
    """Write down that a game which ran has ended, or that the Arena gave it up."""
    over, failed = status in {"finished", "complete"}, status == "failed"
    if over or failed:
        values = {"state": LISTED if over else FAILED, "ended_at": to_text(updated_at)}
        ran = (games.c.game_id == game_id) & (games.c.state == RUNNING)
        connection.execute(update(games).where(ran).values(**values))


def running(connection: Connection, limit: int) -> list[str]:
    """Return games that had not ended when last heard of, the oldest first."""
    query = select(games.c.game_id).where(games.c.state == RUNNING).order_by(games.c.created_at).limit(limit)
    return list(connection.execute(query).scalars())


def next_listed(connection: Connection, after: tuple[str, str], limit: int) -> Sequence[RowMapping]:
    """Return games that have ended and are not kept yet, the oldest first.

    Args:
        after: when the last one began that was looked at, and its id.
    """
    beyond = tuple_(games.c.created_at, games.c.game_id) > tuple_(*after)
    query = select(games).where((games.c.state == LISTED) & beyond).order_by(games.c.created_at, games.c.game_id)
    return connection.execute(query.limit(limit)).mappings().all()


def newest_listed(connection: Connection) -> RowMapping | None:
    """Return the newest game that has ended and is not kept yet; None: there is none."""
    query = select(games).where(games.c.state == LISTED).order_by(games.c.created_at.desc(), games.c.game_id.desc())
    return connection.execute(query.limit(1)).mappings().first()


def listed_again(row: RowMapping, winner: str | None) -> ListedGame:
    """Return the game as a list would show it, out of its row."""
    created = from_text(row["created_at"])
    return ListedGame(
        id=row["game_id"],
        status="finished",
        winner=winner,
        snakes=[SnakeInGame.model_validate(snake) for snake in json.loads(row["snakes_json"])],
        board=row["board"],
        game_type=row["game_type"],
        created_at=created,
        updated_at=from_text(row["ended_at"]) if row["ended_at"] else created,
    )


def known_to(connection: Connection) -> dict[str, int]:
    """Return up to which byte of each file of games the rows know."""
    end = func.max(games.c.offset_bytes + games.c.length_bytes)
    query = select(games.c.file, end).where(games.c.file.is_not(None)).group_by(games.c.file)
    return {file: int(found) for file, found in connection.execute(query)}


def keep(connection: Connection, game: LadderGame, place: FilePlace, now: datetime) -> bool:
    """Write down where a game stands, and what follows from it. False: it was kept already; nothing is changed."""
    game_id = game.log.game_id
    row = connection.execute(select(games).where(games.c.game_id == game_id)).mappings().first()
    if row is None or row["state"] == KEPT:
        return False
    log = game.log
    values = {
        "state": KEPT,
        "outcome": log.outcome.value,
        "turns": log.turns,
        "cause": game.cause,
        "killed_by": game.killed_by,
        "last_move": game.last_move,
        "kept_at": to_text(now),
        "file": place.file,
        "offset_bytes": place.offset_bytes,
        "length_bytes": place.length_bytes,
        "reason": "",
    }
    connection.execute(update(games).where(games.c.game_id == game_id).values(**values))
    others = _others(row)
    _note_met(connection, others, log, now)
    if others and row["own_seats"] == 1 and not row["challenged"]:
        connection.execute(insert(results).values(_result(connection, row, others, log)))
    return True


def note_read(connection: Connection, game: LadderGame) -> None:
    """Before the line: write down what it will not tell, so that a kill in between loses nothing."""
    values = {"cause": game.cause, "killed_by": game.killed_by, "last_move": game.last_move}
    connection.execute(update(games).where(games.c.game_id == game.log.game_id).values(**values))


def adopt(connection: Connection, log: GameLog, place: FilePlace, now: datetime) -> bool:
    """Keep a game whose line a killed process left without its row's knowing. False: it was kept already."""
    row = connection.execute(select(games).where(games.c.game_id == log.game_id)).mappings().first()
    if row is None:
        connection.execute(insert(games).values(_row_of_line(log)))
    told = (row["cause"], row["killed_by"], row["last_move"]) if row else (None, None, None)
    game = LadderGame(log, *told)
    return keep(connection, game, place, now)


def _row_of_line(log: GameLog) -> dict[str, object]:
    """For a line whose row was lost (a database put back from a backup): its snakes' registered ids are not known."""
    mine = log.snakes[log.you].name
    started = log.started_at or log.ended_at
    return {
        "game_id": log.game_id,
        "state": LISTED,
        "challenged": log.imported_from == CHALLENGE,
        "snake_id": "",
        "snake_name": mine,
        "own_seats": sum(snake.name == mine for snake in log.snakes),
        "board": f"{log.width}x{log.height}",
        "game_type": log.ruleset,
        "snakes_json": "[]",
        "created_at": to_text(started) if started else "",
        "ended_at": to_text(log.ended_at) if log.ended_at else None,
        "attempts": 0,
        "reason": "",
    }


def refuse(connection: Connection, game_id: str, reason: str) -> bool:
    """Write down that a game could not be read; True once it was tried often enough, and is given up."""
    attempts = select(games.c.attempts).where(games.c.game_id == game_id)
    tried = int(connection.execute(attempts).scalar_one()) + 1
    state = REFUSED if tried >= MOST_ATTEMPTS else LISTED
    values = {"attempts": tried, "state": state, "reason": line(reason, REASON_LIMIT)}
    connection.execute(update(games).where(games.c.game_id == game_id).values(**values))
    return state == REFUSED


def listed_since(connection: Connection) -> tuple[set[str], str]:
    """Return all games that have ended and are not kept, and when the oldest of them began (UTC text)."""
    rows = connection.execute(select(games.c.game_id, games.c.created_at).where(games.c.state == LISTED)).all()
    return {row.game_id for row in rows}, min((row.created_at for row in rows), default="")


def of_snake(connection: Connection, snake_id: str) -> bool:
    """Return whether any game of the snake is known."""
    return connection.execute(select(games.c.game_id).where(games.c.snake_id == snake_id).limit(1)).first() is not None


def lost_game(connection: Connection, game_id: str | None) -> RowMapping | None:
    """Return a lost game that is kept; without an id the newest one."""
    lost = (games.c.state == KEPT) & (games.c.outcome == GameLogOutcome.LOSS.value)
    query = select(games).where(lost if game_id is None else lost & (games.c.game_id == game_id))
    return connection.execute(query.order_by(games.c.created_at.desc()).limit(1)).mappings().first()


def lost_unexplained(connection: Connection, limit: int) -> list[RowMapping]:
    """Return ladder games that were lost and not thought over, the newest first."""
    lost = (games.c.state == KEPT) & (games.c.outcome == GameLogOutcome.LOSS.value) & games.c.why_at.is_(None)
    query = select(games).where(lost & games.c.challenged.is_(False)).order_by(games.c.created_at.desc()).limit(limit)
    return list(connection.execute(query).mappings())


def note_why(connection: Connection, found: GameWhy) -> None:
    """Keep what our snake thinks of a lost game."""
    values = {"why_at": to_text(found.made_at), "why_json": found.model_dump_json()}
    connection.execute(update(games).where(games.c.game_id == found.game_id).values(**values))


def count(connection: Connection, state: str) -> int:
    """Return how many games stand so."""
    return connection.execute(select(func.count()).select_from(games).where(games.c.state == state)).scalar_one()


def _others(row: RowMapping) -> list[SnakeInGame]:
    """The registered snakes of others in the game; none where its row was lost."""
    return [SnakeInGame.model_validate(snake) for snake in json.loads(row["snakes_json"]) if not snake["own"]]


def _note_met(connection: Connection, others: Sequence[SnakeInGame], log: GameLog, now: datetime) -> None:
    won, lost = log.outcome is GameLogOutcome.WIN, log.outcome is GameLogOutcome.LOSS
    ended = to_text(log.ended_at or now)
    for snake in {other.id: other for other in others}.values():
        query = select(opponents.c.last_lost_at).where(opponents.c.snake_id == snake.id)
        row = connection.execute(query).first()
        if row is None:
            first = {"snake_id": snake.id, "name": snake.name, "owner": "", "games": 0, "won": 0, "lost": 0}
            connection.execute(insert(opponents).values(first))
        lost_at = [instant for instant in (row and row.last_lost_at, lost and ended) if instant]
        values = {
            "name": snake.name,
            "games": opponents.c.games + 1,
            "won": opponents.c.won + int(won),
            "lost": opponents.c.lost + int(lost),
            "last_lost_at": max(lost_at, default=None),
        }
        connection.execute(update(opponents).where(opponents.c.snake_id == snake.id).values(**values))


def _result(connection: Connection, row: RowMapping, others: Sequence[SnakeInGame], log: GameLog) -> dict[str, object]:
    ids = [snake.id for snake in others]
    query = select(opponents.c.snake_id, opponents.c.rating).where(opponents.c.snake_id.in_(ids))
    rating_of = {snake_id: rating for snake_id, rating in connection.execute(query) if rating is not None}
    found = [rating_of[snake_id] for snake_id in ids if snake_id in rating_of]
    return {
        "game_id": row["game_id"],
        "snake_id": row["snake_id"],
        "snake_name": row["snake_name"],
        "opponents": len(ids),
        "opponent_rating": sum(found) / len(found) if found else None,
        "score": _SCORES[log.outcome.value],
        "ended_at": row["ended_at"] or row["created_at"],
    }
