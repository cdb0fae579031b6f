"""`ouroboros game show`: a game found by its file or id, and one of its turns as a board to draw."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.board_drawing import DrawnBoard, DrawnSnake
from pipeline.data.game_logs import game_id_in
from pipeline.data.importers.documents import UnreadablePlace
from pipeline.data.importers.frames import ImportedGame, SeenBoard, SeenSnake
from pipeline.data.importers.reading import games_in
from schemas.errors import BadInputError
from schemas.files import open_plain
from schemas.game import GAME_LOG_SUFFIX, GameLog, GameLogFrame, GameLogOutcome, GameLogSnake
from schemas.settings import Settings

if TYPE_CHECKING:
    from pipeline.data.stored_game import StoredGame


@dataclass(frozen=True, slots=True)
class ShownGame:
    """A game with all its boards. `ending`: who won, in words."""

    game_id: str
    about: str
    width: int
    height: int
    wrapped: bool
    names: Sequence[tuple[str, str]]
    """Id and name of every snake."""
    boards: Sequence[SeenBoard]
    ending: str


def game_in_file(path: Path, chosen: str | None) -> tuple[ShownGame, str]:
    """Return a game of a file, and what else is to be said of that file.

    Args:
        chosen: its number in the file, from 1 on, or the beginning of its id; None: the first that can be read.

    Raises:
        BadInputError: the file cannot be read, has no such game, or that one cannot be read; says why.
    """
    found = [read.game for read in games_in([path])]
    at = _place_of(chosen, [game.game_id if not isinstance(game, UnreadablePlace) else "" for game in found])
    if at is None:
        ids = ", ".join(game.game_id for game in found[:5] if not isinstance(game, UnreadablePlace))
        raise BadInputError(f"no game {chosen!r} among its {len(found)}", where=str(path), remedy=f"It has {ids}.")
    game = found[at]
    if isinstance(game, UnreadablePlace):
        raise BadInputError(
            f"the game cannot be read: {game.reason}",
            where=str(path),
            remedy="Give another file, or another of its games with --game.",
        )
    refused = sum(isinstance(other, UnreadablePlace) for other in found)
    parts = [f"game {at + 1} of {len(found)}, --game N shows another"] if len(found) > 1 else []
    parts += [f"{refused} cannot be read"] if refused else []
    return _of_file(game, str(path)), "; ".join(parts)


@dataclass(frozen=True, slots=True)
class FoundGame:
    """A game that was found by its id: a line of the games folder, or a game that training keeps."""

    logged: GameLog | None
    stored: "StoredGame | None"

    def shown(self) -> ShownGame:
        """Return it with all its boards."""
        if self.logged is not None:
            return _of_file(self.logged, "")
        assert self.stored is not None
        return _of_tape(self.stored)

    def to_log(self) -> GameLog:
        """Return it as a line of the game log."""
        if self.logged is not None:
            return self.logged
        from pipeline.data.training_games import to_log

        assert self.stored is not None
        return to_log(self.stored)


def game_of_id(game_id: str, settings: Settings) -> FoundGame:
    """Return the game whose id begins so, from the games folder or from those that training keeps.

    Raises:
        BadInputError: there is none, or several.
        DataError: the store cannot be read.
    """
    logged = {log.game_id: log for log in _logs(game_id, settings.games_dir)}
    stored: dict[str, StoredGame] = {}
    if not logged:
        # Only now: games in files are shown without the engine.
        from pipeline.data.training_games import game_beginning

        stored = {game.game_id: game for game in game_beginning(game_id, settings)}
    found = sorted({*logged, *stored})
    if len(found) != 1:
        what = "several games begin with" if found else "there is neither a file nor a game"
        raise BadInputError(
            f"{what} {game_id!r}",
            where=f"{settings.games_dir}, {settings.training_games_dir} and {settings.pipeline_dir}",
            remedy="Give a game file, or more of the game's id.",
        )
    return FoundGame(logged.get(found[0]), stored.get(found[0]))


def drawn(game: ShownGame, turn: int | None, remark: str) -> DrawnBoard:
    """Return a turn of a game as it is drawn; None: its last.

    Raises:
        BadInputError: the game has no such turn.
    """
    last = game.boards[-1]
    board = last if turn is None else next((board for board in game.boards if board.turn == turn), None)
    if board is None:
        have = f"turns {game.boards[0].turn} to {last.turn}"
        raise BadInputError(f"there is no turn {turn}", where=f"game {game.game_id}", remedy=f"It has {have}.")
    seen = {snake.snake_id: snake for snake in board.snakes}
    return DrawnBoard(
        title=f"turn {board.turn} of {last.turn}, {game.about}, game {game.game_id}",
        width=game.width,
        height=game.height,
        snakes=[_snake(game, seen.get(snake_id), snake_id, name, board.turn) for snake_id, name in game.names],
        food=_cells(board.food),
        hazards=_cells(board.hazards),
        wrapped=game.wrapped,
        footer="; ".join(filter(None, (game.ending if board is last else "", remark))),
    )


def _place_of(chosen: str | None, ids: Sequence[str]) -> int | None:
    if chosen is None:
        return next((at for at, game_id in enumerate(ids) if game_id), 0 if ids else None)
    if chosen.isdecimal() and 1 <= int(chosen) <= len(ids):
        return int(chosen) - 1
    return next((at for at, game_id in enumerate(ids) if game_id.startswith(chosen)), None)


def _logs(game_id: str, games_dir: Path) -> Iterator[GameLog]:
    for path in sorted(games_dir.glob(f"*{GAME_LOG_SUFFIX}")):
        try:
            handle = open_plain(path)
        except OSError:  # another file may hold the game
            continue
        with handle:
            for line in handle:
                if (game_id_in(line) or "").startswith(game_id):
                    yield _log_in(line, path)


def _log_in(line: bytes, path: Path) -> GameLog:
    try:
        return GameLog.model_validate(orjson.loads(line))
    except ValueError as error:
        raise BadInputError("the game's line is damaged", where=f"{path}, game {game_id_in(line)}") from error


def _of_file(game: GameLog | ImportedGame, where: str) -> ShownGame:
    snakes = game.snakes if isinstance(game, GameLog) else game.boards.snakes
    try:
        boards = list(boards_of(snakes, game.frames if isinstance(game, GameLog) else game.boards.frames))
    except ValueError as error:
        raise BadInputError(f"the game cannot be shown: {error}", where=where or f"game {game.game_id}") from error
    if not boards:
        raise BadInputError("the game has no turns", where=where or f"game {game.game_id}")
    map_id = game.map if isinstance(game, GameLog) else game.map_id
    return ShownGame(
        game.game_id,
        f"{game.ruleset} on map {map_id}",
        game.width,
        game.height,
        game.ruleset == "wrapped",
        [(snake.id, snake.name) for snake in snakes],
        boards,
        _told_by(game) if isinstance(game, GameLog) else _ending(game.winner_id, snakes),
    )


def _told_by(log: GameLog) -> str:
    name = log.snakes[log.you].name
    return "a draw" if log.outcome is GameLogOutcome.DRAW else f"a {log.outcome.value} for {name}"


def _ending(winner: str | None, snakes: Sequence[Any]) -> str:
    name = next((snake.name for snake in snakes if snake.id == winner), None)
    return f"won by {name}" if name is not None else "a draw" if len(snakes) > 1 else "over"


def _of_tape(game: "StoredGame") -> ShownGame:
    from pipeline.engine.tape_reading import TapeReader

    boards = [_board_of_state(state, game.players) for state in TapeReader(game.tape).states()]
    ending = "a draw" if game.winner is None else f"won by {game.players[game.winner]}"
    names = [(f"s{seat}", name) for seat, name in enumerate(game.players)]
    about = f"{game.ruleset} on map {game.map_id}"
    wrapped = game.ruleset == "wrapped"
    return ShownGame(game.game_id, about, game.width, game.height, wrapped, names, boards, ending)


def _board_of_state(state: dict[str, Any], names: Sequence[str]) -> SeenBoard:
    snakes = [
        SeenSnake(snake["id"], name, snake["health"], [number for cell in snake["body"] for number in cell])
        for snake, name in zip(state["snakes"], names, strict=True)
        if "cause" not in snake
    ]
    food, hazards = ([number for cell in state[kind] for number in cell] for kind in ("food", "hazards"))
    return SeenBoard(state["turn"], snakes, food, hazards)


def _snake(game: ShownGame, seen: SeenSnake | None, snake_id: str, name: str, turn: int) -> DrawnSnake:
    if seen is not None:
        return DrawnSnake(name, _cells(seen.body), seen.health)
    lived = [b.turn for b in game.boards if b.turn < turn and any(s.snake_id == snake_id for s in b.snakes)]
    return DrawnSnake(name, note=f"last seen on turn {lived[-1]}" if lived else "not seen yet")


def _cells(numbers: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def boards_of(snakes: Sequence[GameLogSnake], frames: Sequence[GameLogFrame]) -> Iterator[SeenBoard]:
    """Yield the board of every frame, in their order.

    Raises:
        ValueError: a snake appears in the middle of the game without its body.
    """
    bodies: dict[int, list[int]] = {}
    food: list[int] = []
    hazards: list[int] = []
    for frame in frames:
        told = dict(frame.b or ())
        bodies = {entry[0]: _body(frame.t, entry, told, bodies) for entry in frame.s}
        food = food if frame.f is None else frame.f
        hazards = hazards if frame.z is None else frame.z
        seen = [SeenSnake(snakes[at].id, snakes[at].name, health, bodies[at]) for at, health, *_ in frame.s]
        yield SeenBoard(frame.t, seen, food, hazards)


def _body(
    turn: int, entry: tuple[int, int, int, int, int], told: dict[int, list[int]], before: dict[int, list[int]]
) -> list[int]:
    at, _, length, x, y = entry
    if at in told:
        return told[at]
    if at not in before:
        raise ValueError(f"turn {turn} shows a snake without its body")
    moved = [x, y, *before[at][:-2]]
    return moved + moved[-2:] * (length - len(moved) // 2)
