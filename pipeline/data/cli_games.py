"""The official CLI's output file (`battlesnake play -o FILE`): the game, one request body a turn, the result last."""

from collections.abc import Sequence
from typing import Any

from pipeline.data.foreign_game import ForeignGame
from pipeline.data.frames import FrameWriter, SeenBoard, SeenSnake
from schemas.game import GameLogSettings


def is_cli_game(lines: Sequence[Any]) -> bool:
    """True if these parsed lines begin as such a file does."""
    first = lines[0] if lines else None
    return isinstance(first, dict) and "ruleset" in first and "id" in first and "timeout" in first


def read_cli_game(lines: Sequence[Any]) -> ForeignGame:
    """The game of such a file's lines.

    Raises:
        ValueError, KeyError, TypeError: the game did not end, or a line is not what it must be.
    """
    game, turns, result = lines[0], lines[1:-1], lines[-1]
    if "winnerId" not in result:
        raise ValueError("the game has not ended: its last line tells of no winner or draw")
    boards = FrameWriter()
    for number, line in enumerate(turns, start=2):
        try:
            boards.add(_board(line))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"line {number}: {type(error).__name__}: {error}") from error
    rules = game["ruleset"]["settings"]
    return ForeignGame(
        game_id=game["id"],
        ruleset=game["ruleset"]["name"],
        map_id=game["map"],
        source=game["source"],
        timeout_ms=game["timeout"],
        settings=GameLogSettings(
            foodSpawnChance=rules["foodSpawnChance"],
            minimumFood=rules["minimumFood"],
            hazardDamagePerTurn=rules["hazardDamagePerTurn"],
            shrinkEveryNTurns=rules["royale"]["shrinkEveryNTurns"],
        ),
        width=turns[0]["board"]["width"] if turns else 1,
        height=turns[0]["board"]["height"] if turns else 1,
        boards=boards,
    )


def _board(line: dict[str, Any]) -> SeenBoard:
    board = line["board"]
    snakes = [
        SeenSnake(snake["id"], snake["name"], snake["health"], _cells(snake["body"])) for snake in board["snakes"]
    ]
    return SeenBoard(line["turn"], snakes, _cells(board["food"]), _cells(board["hazards"]))


def _cells(points: Sequence[dict[str, int]]) -> list[int]:
    return [number for point in points for number in (point["x"], point["y"])]
