"""Positions of the engine as a game server would send them to a snake."""

from collections.abc import Mapping
from typing import Any


def api_request(
    state: Mapping[str, Any], ruleset: str, map_id: str, settings: Mapping[str, int], you: str, game_id: str
) -> dict[str, Any]:
    """Return the body of `/move` for the living snake `you` of a state (`Game.to_state`); `settings` by our names.

    `seats`, which no game server sends, tells how many snakes began the game.
    """
    snakes = [_snake(snake) for snake in state["snakes"] if not snake.get("cause")]
    return {
        "game": {
            "id": game_id,
            "ruleset": {
                "name": ruleset,
                "version": "1",
                "settings": {
                    "foodSpawnChance": settings["foodSpawnChance"],
                    "minimumFood": settings["minimumFood"],
                    "hazardDamagePerTurn": settings["damagePerTurn"],
                    "royale": {"shrinkEveryNTurns": settings["shrinkEveryNTurns"]},
                },
            },
            "map": map_id,
            "timeout": 500,
            "source": "test",
        },
        "turn": state["turn"],
        "board": {
            "width": state["width"],
            "height": state["height"],
            "food": _points(state["food"]),
            "hazards": _points(state["hazards"]),
            "snakes": snakes,
        },
        "you": next(snake for snake in snakes if snake["id"] == you),
        "seats": len(state["snakes"]),
    }


def _points(cells: list[list[int]]) -> list[dict[str, int]]:
    return [{"x": x, "y": y} for x, y in cells]


def _snake(snake: Mapping[str, Any]) -> dict[str, Any]:
    body = _points(snake["body"])
    return {"id": snake["id"], "name": f"snake {snake['id']}", "latency": "0", "health": snake["health"],
            "body": body, "head": body[0], "length": len(body), "shout": "", "squad": "",
            "customizations": {"color": "#888888", "head": "default", "tail": "default"}}  # fmt: skip
