"""The official CLI's output file (`battlesnake play -o FILE`): the game, one request body a turn, the result last.

Versions before 1.2 name no map and may stop at the board before the last turn; the result line then tells more than
the boards, and counts. Several games may stand in one file.
"""

from collections.abc import Sequence
from typing import Any

from pipeline.data.importers.documents import FIELD_ERRORS, Document, at, in_words, lowered
from pipeline.data.importers.frames import (
    FrameReader,
    GameEnding,
    ImportedGame,
    SeenBoard,
    SeenSnake,
    latency_of,
    shout_of,
)
from schemas.game import GameLogSettings


def is_cli_game(tree: Any) -> bool:
    """Return whether this is a game's first line."""
    return isinstance(tree, dict) and {"id", "ruleset", "timeout"} <= tree.keys() and "board" not in tree


def is_cli_turn(tree: Any) -> bool:
    """Return whether this is the line of a turn: a request body."""
    return isinstance(tree, dict) and {"board", "turn"} <= tree.keys()


def is_cli_result(tree: Any) -> bool:
    """Return whether this is a game's last line; it may name the winner by its id or by its name alone."""
    keys = {str(key).lower() for key in tree} if isinstance(tree, dict) else set()
    return bool(keys & {"winnerid", "winnername", "isdraw"}) and "board" not in keys


def read_cli_game(lines: Sequence[Document]) -> ImportedGame:
    """Return the game of its lines; without a first line, from what the turns say of it.

    Raises:
        ValueError: the game did not end, or a line is not what it must be; names the line.
    """
    turns = [line for line in lines if is_cli_turn(line.tree)]
    if not is_cli_result(lines[-1].tree):
        raise ValueError(_unfinished(lines[0], turns))
    if not turns:
        raise ValueError(at(lines[0].where, "it has no turns"))
    boards = FrameReader()
    for line in turns:
        try:
            boards.add(_board(line.tree))
        except FIELD_ERRORS as error:
            raise ValueError(at(line.where, in_words(error))) from error
    try:
        head = lines[0].tree if is_cli_game(lines[0].tree) else lines[0].tree["game"]
        return _game(head, turns[0].tree["board"], boards, _verdict(lines[-1], boards))
    except FIELD_ERRORS as error:
        raise ValueError(at(lines[0].where, in_words(error))) from error


def _unfinished(first: Document, turns: Sequence[Document]) -> str:
    last = f"; the last turn it has is {turns[-1].tree['turn']}, in {turns[-1].where}" if turns else ""
    return at(first.where, f"the game has not ended: no line tells its winner or a draw{last}")


def _game(head: Any, board: Any, boards: FrameReader, verdict: GameEnding | None) -> ImportedGame:
    rules = head["ruleset"].get("settings") or {}
    named = ("foodSpawnChance", "minimumFood", "hazardDamagePerTurn")
    told = {name: rules[name] for name in named if name in rules}
    if shrink := (rules.get("royale") or {}).get("shrinkEveryNTurns"):
        told["shrinkEveryNTurns"] = shrink
    return ImportedGame(
        game_id=head["id"],
        ruleset=head["ruleset"]["name"],
        map_id=head.get("map") or "standard",
        source=head.get("source") or "",
        timeout_ms=head["timeout"],
        settings=GameLogSettings.model_validate(told),
        width=board["width"],
        height=board["height"],
        boards=boards,
        verdict=verdict,
    )


def _verdict(line: Document, boards: FrameReader) -> GameEnding | None:
    """The result line's word; None where it tells nothing, as in games of one snake."""
    told = lowered(line.tree)
    winner, draw = told.get("winnerid") or told.get("winnername"), told.get("isdraw") or False
    if not isinstance(draw, bool) or not isinstance(winner, str | None):
        raise TypeError(f"isDraw in {line.where} is no truth value, or its winner no text")
    if len(boards.snakes) < 2 or not (winner or draw):
        return None
    if draw and winner:
        raise ValueError(f"{line.where} tells of a draw and names {winner!r} the winner")
    living = boards.living
    if draw and len(living) == 1:
        raise ValueError(f"{line.where} tells of a draw, but {living[0].id!r} alone lives on the last board")
    if draw:
        return GameEnding(None)
    named = [snake.id for snake in living if snake.id == winner] or [s.id for s in living if s.name == winner]
    if len(named) != 1:
        raise ValueError(f"{line.where} names {winner!r} the winner, who does not live on the last board")
    return GameEnding(named[0])


def _board(line: dict[str, Any]) -> SeenBoard:
    board = line["board"]
    snakes = [
        SeenSnake(
            snake["id"], snake["name"], snake["health"], _cells(snake["body"]), latency_of(snake), shout_of(snake)
        )
        for snake in board["snakes"]
    ]
    return SeenBoard(line["turn"], snakes, _cells(board["food"]), _cells(board.get("hazards")))


def _cells(points: Sequence[dict[str, int]] | None) -> list[int]:
    return [number for point in points or () for number in (point["x"], point["y"])]
