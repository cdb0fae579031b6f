"""The game engine's own JSON, as its game and frames endpoints and the websocket of a board give it.

One object `{"Game": {...}, "Frames": [...]}`, or a line for the game and one for each event `{"Type": "frame", "Data":
{...}}` up to `game_end`. Keys are read whatever their case: exporters disagree about it. Dead snakes stay in the
frames, with their `Death`; the ruleset's numbers are strings.
"""

from collections.abc import Sequence
from typing import Any

from pipeline.data.foreign_game import ForeignGame
from pipeline.data.frames import FrameWriter, SeenBoard, SeenSnake
from schemas.game import GameLogSettings


def is_engine_game(tree: Any) -> bool:
    """True for an object with a game and its frames."""
    return isinstance(tree, dict) and {"game", "frames"} <= {str(key).lower() for key in tree}


def is_engine_events(lines: Sequence[Any]) -> bool:
    """True for the lines of a board's websocket, or of a replay file of the official CLI's board."""
    first = lines[0] if len(lines) > 1 else None
    return isinstance(first, dict) and [str(key).lower() for key in first] == ["game"]


def read_engine_events(lines: Sequence[Any]) -> ForeignGame:
    """As `read_engine_game`, from the lines of the events.

    Raises:
        ValueError, KeyError, TypeError: as `read_engine_game`.
    """
    events = [_lowered(line) for line in lines[1:]]
    frames = [event["data"] for event in events if event["type"] == "frame"]
    if not any(event["type"] == "game_end" for event in events):
        raise ValueError("the game has not ended: there is no game_end event")
    return read_engine_game({"game": {**_lowered(lines[0])["game"], "status": "complete"}, "frames": frames})


def read_engine_game(tree: Any) -> ForeignGame:
    """The game of such an object.

    Raises:
        ValueError, KeyError, TypeError: the game did not end, or a field is not what it must be.
    """
    lowered = _lowered(tree)
    game = lowered["game"]
    if game.get("status", "complete") != "complete":
        raise ValueError(f"the game has not ended: its status is {game['status']!r}")
    rules = game.get("ruleset") or {}
    boards = FrameWriter()
    for frame in lowered["frames"]:
        boards.add(_board(frame))
    return ForeignGame(
        game_id=game["id"],
        ruleset=rules.get("name") or game.get("rulesetname") or "standard",
        map_id=game.get("map") or "standard",
        source=game.get("source") or "",
        timeout_ms=int(game.get("snaketimeout") or 0),
        settings=_settings(rules),
        width=game["width"],
        height=game["height"],
        boards=boards,
    )


def _settings(rules: dict[str, Any]) -> GameLogSettings:
    names = {
        "foodSpawnChance": ("foodspawnchance",),
        "minimumFood": ("minimumfood",),
        "hazardDamagePerTurn": ("hazarddamageperturn", "damageperturn"),
        "shrinkEveryNTurns": ("shrinkeverynturns",),
    }
    told = {field: int(rules[key]) for field, keys in names.items() for key in keys if rules.get(key) not in {None, ""}}
    return GameLogSettings.model_validate(told)


def _board(frame: dict[str, Any]) -> SeenBoard:
    snakes = [
        SeenSnake(snake["id"], snake["name"], snake["health"], _cells(snake["body"]))
        for snake in frame["snakes"]
        if not snake.get("death")
    ]
    return SeenBoard(frame["turn"], snakes, _cells(frame["food"]), _cells(frame.get("hazards")))


def _cells(points: Sequence[dict[str, int]] | None) -> list[int]:
    return [number for point in points or () for number in (point["x"], point["y"])]


def _lowered(tree: Any) -> Any:
    """The same tree with all keys in lower case."""
    if isinstance(tree, dict):
        return {str(key).lower(): _lowered(value) for key, value in tree.items()}
    return [_lowered(item) for item in tree] if isinstance(tree, list) else tree
