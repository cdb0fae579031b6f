"""The Arena's answer to `GET /api/games/{id}/details`: a game as its lists show it, and all of its frames.

Ruleset, map and settings are not in it: the display name of the game's kind stands for them, with the numbers that the
Arena plays. The ids of its `snakes` are those of the registered snakes, not those of the frames: they meet by name.
"""

from typing import Any, Final

from pipeline.data.importers.engine_frames import GameDescription
from schemas.game import GameLogSettings

_KINDS: Final = {
    "standard": ("standard", "standard"),
    "royale": ("royale", "royale"),
    "constrictor": ("constrictor", "empty"),
    "snail": ("standard", "snail_mode"),
    "snail mode": ("standard", "snail_mode"),
    "solo": ("solo", "standard"),
}
"""Name of the kind, in lower case -> ruleset and map."""


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
