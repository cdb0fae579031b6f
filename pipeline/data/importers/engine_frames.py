"""The game engine's own JSON, as its game and frames endpoints, the websocket of a board and the Arena give it.

A description of the game (`{"Game": {...}}`) and its frames, in one object or apart, page by page or one event
`{"Type": "frame", "Data": {...}}` a line. Keys are read whatever their case: exporters disagree about it. Dead snakes
stay in the frames, with their `Death`; the ruleset's numbers are strings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.data.importers.documents import FIELD_ERRORS, Document, at, in_words
from pipeline.data.importers.frames import FrameReader, ImportedGame, SeenBoard, SeenSnake, latency_of, shout_of
from schemas.game import GameLogSettings

_ENDED = ("complete", "finished")
_KINDS: Final = {
    "standard": ("standard", "standard"),
    "royale": ("royale", "royale"),
    "constrictor": ("constrictor", "empty"),
    "snail": ("standard", "snail_mode"),
    "snail mode": ("standard", "snail_mode"),
    "solo": ("solo", "standard"),
}
"""Name of the kind, in lower case -> ruleset and map."""


@dataclass(frozen=True, slots=True)
class GameDescription:
    """What is told of a game beside its frames. `ruleset` "": not told. `last_turn` None: not told."""

    game_id: str
    width: int
    height: int
    ruleset: str = ""
    map_id: str = ""
    source: str = ""
    timeout_ms: int = 0
    settings: GameLogSettings = field(default_factory=GameLogSettings)
    status: str = "complete"
    last_turn: int | None = None
    winner: str = ""
    """By name; empty: not told."""


def describe_game(tree: Any) -> GameDescription:
    """Return the description in `{"Game": ..., "LastFrame"?: ...}`, with its keys in lower case.

    Raises:
        KeyError, ValueError, TypeError, AttributeError: a field is missing, or not what it must be.
    """
    game, last = tree["game"], tree.get("lastframe")
    if not isinstance(game, dict):
        raise TypeError("its game is no object")
    rules = game.get("ruleset") or {}
    return GameDescription(
        game_id=game["id"],
        width=game["width"],
        height=game["height"],
        ruleset=rules.get("name") or game.get("rulesetname") or "",
        map_id=game.get("map") or "",
        source=game.get("source") or "",
        timeout_ms=int(game.get("snaketimeout") or 0),
        settings=_settings(rules),
        status=game.get("status") or "complete",
        last_turn=last["turn"] if last else None,
    )


def read_frames_game(game: GameDescription, frames: Sequence[Document]) -> ImportedGame:
    """Return the game of these frames, whose keys are in lower case; they may come in any order.

    Raises:
        ValueError: the game has not ended, its last turns are missing, or a frame is not what it must be; names it.
    """
    if game.status.lower() not in _ENDED:
        raise ValueError(f"the game has not ended: its status is {game.status!r}")
    boards = FrameReader()
    for frame in _by_turn(frames):
        try:
            boards.add(_board(frame.tree))
            _tell_deaths(frame.tree, boards)
        except FIELD_ERRORS as error:
            raise ValueError(at(frame.where, in_words(error))) from error
    ruleset = game.ruleset or _ruleset_of(boards)
    _refuse_cut(game, boards, ruleset)
    return ImportedGame(
        game_id=game.game_id,
        ruleset=ruleset,
        map_id=game.map_id or ("royale" if _has_hazards(boards) else "standard"),
        source=game.source,
        timeout_ms=game.timeout_ms,
        settings=game.settings,
        width=game.width,
        height=game.height,
        boards=boards,
    )


def _by_turn(frames: Sequence[Document]) -> Sequence[Document]:
    """In the order of their turns; as they are where one tells none."""
    if not all(isinstance(frame.tree, dict) and isinstance(frame.tree.get("turn"), int) for frame in frames):
        return frames
    return sorted(frames, key=lambda frame: int(frame.tree["turn"]))


def _refuse_cut(game: GameDescription, boards: FrameReader, ruleset: str) -> None:
    """A game whose frames end before it does would read as a draw."""
    if not boards.frames:
        raise ValueError("it has no turns")
    turn, living = boards.frames[-1].t, [snake.name for snake in boards.living]
    if game.last_turn is not None and game.last_turn > turn:
        raise ValueError(f"its frames end at turn {turn}, the game at turn {game.last_turn}")
    if len(living) > (0 if ruleset == "solo" else 1):
        raise ValueError(f"its frames end at turn {turn}, where {', '.join(living)} still live: the rest is missing")
    if game.winner and living and game.winner not in living:
        raise ValueError(f"{game.winner} is told to have won, but its last frame, turn {turn}, shows {living[0]} alive")


def _ruleset_of(boards: FrameReader) -> str:
    """The rules of a game whose description names none: those of constrictor show in the first turns."""
    grown = [entry[2] > 3 and entry[1] == 100 for frame in boards.frames[2:4] for entry in frame.s]
    if grown and all(grown) and not any(frame.f for frame in boards.frames):
        return "constrictor"
    if _has_hazards(boards):
        return "royale"
    return "solo" if len(boards.snakes) == 1 else "standard"


def _has_hazards(boards: FrameReader) -> bool:
    return any(frame.z for frame in boards.frames)


def _settings(rules: dict[str, Any]) -> GameLogSettings:
    names = {
        "foodSpawnChance": ("foodspawnchance",),
        "minimumFood": ("minimumfood",),
        "hazardDamagePerTurn": ("hazarddamageperturn", "damageperturn"),
        "shrinkEveryNTurns": ("shrinkeverynturns",),
    }
    told = {name: int(rules[key]) for name, keys in names.items() for key in keys if rules.get(key) not in {None, ""}}
    return GameLogSettings.model_validate(told)


def _board(frame: dict[str, Any]) -> SeenBoard:
    snakes = [
        SeenSnake(
            snake["id"], snake["name"], snake["health"], _cells(snake["body"]), latency_of(snake), shout_of(snake)
        )
        for snake in frame["snakes"]
        if not snake.get("death")
    ]
    return SeenBoard(frame["turn"], snakes, _cells(frame["food"]), _cells(frame.get("hazards")))


def _tell_deaths(frame: dict[str, Any], boards: FrameReader) -> None:
    """Dead snakes stay in the frames, with their `Death`; its turn is that of the first board without them."""
    for snake in frame["snakes"]:
        if death := snake.get("death"):
            boards.tell_death(snake["id"], frame["turn"], str(death["cause"]), str(death.get("eliminatedby") or ""))


def _cells(points: Sequence[dict[str, int]] | None) -> list[int]:
    return [number for point in points or () for number in (point["x"], point["y"])]


def is_arena_game(tree: Any) -> bool:
    """Return whether this is such a game, with its frames or without (keys in lower case)."""
    return isinstance(tree, dict) and {"id", "status", "board", "game_type"} <= tree.keys()


def describe_arena_game(tree: Any) -> GameDescription:
    """Return what it tells of the game.

    Raises:
        KeyError, ValueError, TypeError, AttributeError: a field is missing, or not what it must be.
    """
    kind = tree["game_type"].lower()
    if kind not in _KINDS:
        raise ValueError(f"game_type {tree['game_type']!r} is none of {', '.join(_KINDS)}")
    width, height = (int(side) for side in tree["board"].split("x"))
    names = [snake["name"] for snake in tree["snakes"] if snake["id"] == tree.get("winner")]
    ruleset, map_id = _KINDS[kind]
    return GameDescription(
        game_id=tree["id"],
        width=width,
        height=height,
        ruleset=ruleset,
        map_id=map_id,
        source="arena",
        settings=GameLogSettings(),
        status=tree["status"],
        winner=names[0] if names else "",
    )
