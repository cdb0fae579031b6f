"""Reading the recorded games of the official engine into plain states and turns."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "vectors"
FILES = sorted(path.name for path in FOLDER.glob("*.jsonl.gz"))
WORDS = {"u": "up", "d": "down", "l": "left", "r": "right", "x": "sideways"}


@dataclass(frozen=True)
class Turn:
    """One recorded turn: the moves by id, the food that spawned, and the whole state after it."""

    moves: dict[str, str]
    new_food: list[list[int]]
    after: dict[str, Any]


def pairs(flat: list[int]) -> list[list[int]]:
    return [list(pair) for pair in zip(flat[::2], flat[1::2], strict=True)]


def records(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(FOLDER / name, "rt") as lines:
        for line in lines:
            yield json.loads(line)


def death(event: list[Any], ids: list[str]) -> dict[str, Any]:
    _, cause, by, on = event
    return {"cause": cause, "by": ids[by] if by >= 0 else "", "on": on}


def first_state(record: dict[str, Any]) -> dict[str, Any]:
    ids = [f"s{index}" for index in range(record["n"])]
    init = record["init"]
    snakes = [
        {"id": name, "health": health, "body": pairs(body)} for name, (health, body) in zip(ids, init["s"], strict=True)
    ]
    for event in init.get("e", []):
        snakes[event[0]] |= death(event, ids)
    return {
        "turn": init["t"],
        "width": record["w"],
        "height": record["h"],
        "food": pairs(init["f"]),
        "hazards": pairs(init["z"]),
        "snakes": snakes,
    }


def turns(record: dict[str, Any]) -> Iterator[Turn]:
    state = first_state(record)
    ids = [snake["id"] for snake in state["snakes"]]
    for turn in record["turns"]:
        snakes = [dict(snake) for snake in state["snakes"]]
        for snake, after in zip(snakes, turn["s"], strict=True):
            if after != 0:
                snake |= {"health": after[0], "body": pairs(after[1])}
        for event in turn.get("e", []):
            snakes[event[0]] |= death(event, ids)
        new_food = pairs(turn.get("n", []))
        hazards = turn.get("y", turn.get("z"))
        state = {
            "turn": state["turn"] + 1,
            "width": state["width"],
            "height": state["height"],
            "food": (pairs(turn["f"]) if "f" in turn else state["food"]) + new_food,
            "hazards": state["hazards"] if hazards is None else pairs(hazards),
            "snakes": snakes,
        }
        moves = {ids[index]: WORDS[letter] for index, letter in enumerate(turn["m"]) if letter != "."}
        yield Turn(moves, new_food, state)
