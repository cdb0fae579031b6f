"""Random states, one turn each, through our rules and through the official Go engine: how many come out otherwise.

Run from anywhere: `python tests/benchmarks/rule_states.py --count 20000 --seed 1`; it ends with 1 where a state
differs, and prints the first. Boards from 1x1 to 25x25, snakes from length 1, every ruleset, hazards stacked, harmful
and healing, dead snakes, stacked tails, moves that are none. `--record FILE` keeps the states as vectors
(`tests/pipeline/engine/vectors`); `narrow.jsonl.gz` there is of `--count 6000 --seed 5 --most-side 4`.
"""

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from engine_turns import build_official

from pipeline.engine import Game
from pipeline.engine.layout import CAUSE_WORDS, RULESETS

_BATCH = 2000
_STEPS = ((0, 1), (0, -1), (-1, 0), (1, 0))
_LETTERS = {"up": "u", "down": "d", "left": "l", "right": "r"}


def flat(cells: list[list[int]]) -> list[int]:
    return [number for cell in cells for number in cell]


def pairs(numbers: list[int]) -> list[list[int]]:
    return [list(pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]


def a_body(
    chance: random.Random, size: tuple[int, int], wrapped: bool, taken: set[tuple[int, int]], shortest: int
) -> list:
    """A connected body on free cells, copies stacked on its tail now and then; [] where the board is full."""
    width, height = size
    tries = ((chance.randrange(width), chance.randrange(height)) for _ in range(20))
    body = [next((cell for cell in tries if cell not in taken), (-1, -1))]
    if body[0] == (-1, -1):
        return []
    longest = chance.choice((1, 1, 2, 2, 3, 3, 4, 6, 10, 30))
    while len(body) < longest:
        x, y = body[-1]
        beside = [(x + dx, y + dy) for dx, dy in _STEPS]
        if wrapped:
            beside = [(x % width, y % height) for x, y in beside]
        open_cells = [
            c for c in beside if c not in taken and c not in body and 0 <= c[0] < width and 0 <= c[1] < height
        ]
        if not open_cells:
            break
        body.append(chance.choice(open_cells))
    taken |= set(body)
    copies = chance.choice((0, 0, 0, 1, 2)) if len(body) >= shortest else shortest - len(body) + chance.choice((0, 1))
    return [list(cell) for cell in [*body, *body[-1:] * copies]]


def a_state(chance: random.Random, most_side: int) -> dict[str, Any]:
    """One state, with the moves of a turn, in the form of `official_engine/states.go`."""
    narrow = chance.random() < 0.5
    size = tuple(chance.randint(1, min(4, most_side) if narrow else most_side) for _ in range(2))
    ruleset = chance.choice(list(RULESETS))
    # The official engine crashes where a constrictor has one body entry: it looks at the last two.
    shortest = 2 if "constrictor" in ruleset else 1
    taken: set[tuple[int, int]] = set()
    snakes = []
    for _ in range(chance.choice((1, 2, 2, 3, 4, 6, 8, 12))):
        dead = chance.random() < 0.1
        body = a_body(chance, size, "wrapped" in ruleset, set() if dead else taken, shortest)
        if body:
            cause = chance.choice(CAUSE_WORDS[1:]) if dead else ""
            health = chance.choice((1, 1, 2, 15, 50, 99, 100)) if not dead else chance.randint(0, 100)
            snakes.append({"health": health, "body": flat(body), "cause": cause, "by": -1, "on": 1 if dead else 0})
    cells = [[x, y] for x in range(size[0]) for y in range(size[1])]
    spots = chance.sample(cells, len(cells) // 5) if chance.random() < 0.4 else []
    hazards = [cell for cell in spots for _ in range(chance.choice((1, 1, 2, 3)))]
    moves = [chance.choice(("up", "down", "left", "right", "up", "down", "left", "right", "Up", "")) for _ in snakes]
    return {
        "ruleset": ruleset,
        "solo": chance.random() < 0.3,
        "settings": {"damagePerTurn": str(chance.choice((0, 14, 14, 50, 100, -5, -30))), "shrinkEveryNTurns": "5"},
        "width": size[0],
        "height": size[1],
        "turn": chance.randint(0, 30),
        "food": flat(chance.sample(cells, min(int(len(cells) * chance.random() * 0.4 + 0.5), 40))),
        "hazards": flat(hazards),
        "snakes": snakes,
        "moves": moves if chance.random() < 0.95 else [],
    }


def plain_state(state: dict[str, Any]) -> dict[str, Any]:
    """The state in the form of `Game.to_state`."""
    snakes = []
    for index, snake in enumerate(state["snakes"]):
        snakes.append({"id": f"s{index}", "health": snake["health"], "body": pairs(snake["body"])})
        if snake["cause"]:
            by = f"s{snake['by']}" if snake["by"] >= 0 else ""
            snakes[-1] |= {"cause": snake["cause"], "by": by, "on": snake["on"]}
    cells = {name: pairs(state[name]) for name in ("food", "hazards")}
    return {name: state[name] for name in ("turn", "width", "height")} | cells | {"snakes": snakes}


def ours(state: dict[str, Any], hazards: list[list[int]]) -> dict[str, Any]:
    """The state after our rules, the hazards given put in place (royale draws its own)."""
    settings = {name: int(value) for name, value in state["settings"].items()}
    game = Game.from_state(plain_state(state), state["ruleset"], settings, state["solo"])
    moves = {f"s{index}": move for index, move in enumerate(state["moves"])}
    game.step(moves, food=[], hazards=hazards)
    return game.to_state()


def differs(state: dict[str, Any], answer: dict[str, Any]) -> bool:
    """Whether ours comes out otherwise; at turn 0 without moves the engine only initialises, as ours does."""
    if answer["error"]:
        raise ValueError(f"the official engine refuses {json.dumps(state)}: {answer['error']}")
    wanted = plain_state(answer)
    wanted["turn"] += 1
    return ours(state, wanted["hazards"]) != wanted


def vector(state: dict[str, Any], answer: dict[str, Any], name: str) -> dict[str, Any]:
    """The turn as a record of `tests/pipeline/engine/vectors`."""
    before, after = state["snakes"], answer["snakes"]

    def events(snakes: list[dict[str, Any]], dead: list[dict[str, Any]] | None) -> list[list[Any]]:
        new = [i for i, s in enumerate(snakes) if s["cause"] and (dead is None or not dead[i]["cause"])]
        return [[i, snakes[i]["cause"], snakes[i]["by"], snakes[i]["on"]] for i in new]

    now = {
        "m": "".join("." if s["cause"] else _LETTERS.get(m, "x") for s, m in zip(before, state["moves"], strict=True))
    }
    now["s"] = [
        0 if old["cause"] and old == new else [new["health"], new["body"]]
        for old, new in zip(before, after, strict=True)
    ]
    now |= {"e": events(after, before), "f": answer["food"], "z": answer["hazards"]}
    alive = [i for i, s in enumerate(after) if not s["cause"]]
    return {
        "id": name,
        "kind": "fuzz",
        "ruleset": state["ruleset"],
        "map": None,
        "w": state["width"],
        "h": state["height"],
        "n": len(before),
        "solo": state["solo"],
        "settings": {key: int(value) for key, value in state["settings"].items()},
        "init": {
            "t": state["turn"],
            "s": [[s["health"], s["body"]] for s in before],
            "f": state["food"],
            "z": state["hazards"],
            "e": events(before, None),
        },
        "turns": [now],
        "end": {"over": len(alive) <= (0 if state["solo"] or state["ruleset"] == "solo" else 1), "alive": alive},
    }


def answered(program: Path, count: int, seed: int, most_side: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """States and the official engine's answers."""
    chance = random.Random(seed)
    while count > 0:
        states = [a_state(chance, most_side) for _ in range(min(count, _BATCH))]
        asked = b"\n".join(orjson.dumps(state) for state in states)
        told = subprocess.run([program, "-states"], input=asked, check=True, capture_output=True).stdout
        yield from zip(states, map(orjson.loads, told.splitlines()), strict=True)
        count -= len(states)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most-side", type=int, default=25)
    parser.add_argument("--record", type=Path)
    options = parser.parse_args()
    records, different = [], []
    with tempfile.TemporaryDirectory() as folder:
        program = build_official(Path(folder))
        if program is None:
            sys.exit("error: there is no Go toolchain to build the official engine with")
        for state, answer in answered(program, options.count, options.seed, options.most_side):
            if differs(state, answer):
                different.append((state, answer))
            if options.record and state["moves"] and not answer["over"]:
                records.append(vector(state, answer, f"narrow-{options.seed}-{len(records)}"))
    if options.record:
        with gzip.GzipFile(options.record, "wb", mtime=0) as file:
            file.write(b"".join(orjson.dumps(record) + b"\n" for record in records))
    sys.stdout.write(f"{len(different)} of {options.count} states differ (seed {options.seed})\n")
    for state, answer in different[:1]:
        mine = ours(state, pairs(answer["hazards"]))
        sys.stdout.write(f"{json.dumps(state)}\nofficial: {json.dumps(answer)}\nours: {json.dumps(mine)}\n")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
