"""The encoder against a slow one written from the table alone, its two forms, its symmetries, and the corpus test."""

from typing import Any

import numpy as np
import pytest

from pipeline.engine.encode import DEAD_ROW, FOLLOW_FACING
from pipeline.engine.game import Game
from pipeline.engine.game_spec import CLI_DEFAULTS
from pipeline.engine.observe import Observations, Observer, allocate_observations
from pipeline.engine.planes import (
    CHANNELS,
    CONTEXT,
    CONTEXT_SCALES,
    FEATURE_SCALES,
    FEATURES,
    FRAME,
    PLANE_SCALES,
    PLANES,
)
from pipeline.engine.symmetry import MOVE_TO, SYMMETRIES, cell_map

WAYS = ("up", "down", "left", "right")
STEPS = ((0, 1), (0, -1), (-1, 0), (1, 0))


def observe(game: Game, symmetry: int = 0, dtype: Any = np.uint8) -> Observations:
    seats = np.arange(len(game.snake_ids), dtype=np.int64)
    rows = allocate_observations(len(seats), dtype)
    rows.symmetries[:] = symmetry
    Observer(game.records).observe(np.zeros_like(seats), seats, rows)
    return rows


class Slow:
    """What the table says, from plain data, seen as the board lies."""

    def __init__(self, game: Game, ruleset: str, map_id: str, settings: dict[str, int], me: int) -> None:
        self.state = game.to_state()
        self.settings = {**CLI_DEFAULTS._asdict(), **settings}
        self.ruleset, self.map_id = ruleset, map_id
        self.wrapped, self.constrictor = "wrapped" in ruleset, "constrictor" in ruleset
        self.w, self.h = self.state["width"], self.state["height"]
        self.alive = [i for i, s in enumerate(self.state["snakes"]) if not s.get("cause")]
        self.bodies = {i: [tuple(c) for c in self.state["snakes"][i]["body"]] for i in self.alive}
        self.me = me
        self.planes = {name: np.zeros((FRAME, FRAME), int) for name in CHANNELS}
        self.features = dict.fromkeys((slot.name for slot in FEATURES), 0)
        self.paint()
        self.fill()

    def put(self, plane: str, cell: tuple[int, int], value: int) -> None:
        x, y = cell
        self.planes[plane][y + (FRAME - self.h) // 2, x + (FRAME - self.w) // 2] = min(value, 255)

    def beside(self, cell: tuple[int, int], way: int) -> tuple[int, int] | None:
        x, y = cell[0] + STEPS[way][0], cell[1] + STEPS[way][1]
        if self.wrapped:
            return x % self.w, y % self.h
        return (x, y) if 0 <= x < self.w and 0 <= y < self.h else None

    def is_open(self, cell: tuple[int, int] | None) -> bool:
        if cell is None:
            return False
        for body in self.bodies.values():
            if cell in body and not (body[-1] == cell and body.count(cell) == 1):
                return False
        return True

    def paint(self) -> None:
        for x in range(self.w):
            for y in range(self.h):
                walls = sum(self.beside((x, y), way) is None for way in range(4))
                self.put("board", (x, y), 255 - 85 * walls)
                self.put("hazards", (x, y), sum(tuple(c) == (x, y) for c in self.state["hazards"]))
        for cell in self.state["food"]:
            self.put("food", tuple(cell), 255)
        mine = len(self.bodies[self.me])
        for i, body in self.bodies.items():
            other = i != self.me
            for cell in set(body):
                leaves = max(len(body) - k for k, c in enumerate(body) if c == cell) if cell != body[-1] else (
                    body.count(cell))  # fmt: skip
                self.put("other_bodies" if other else "my_body", cell, leaves)
                if other:
                    self.put("other_lengths", cell, len(body))
            self.put("other_heads" if other else "my_head", body[0], self.state["snakes"][i]["health"])
            if other:
                stronger = len(body) >= mine
                self.put("stronger_heads" if stronger else "weaker_heads", body[0],
                         1 + len(body) - mine if stronger else mine - len(body))  # fmt: skip
                for way in range(4):
                    there = self.beside(body[0], way)
                    if there is not None and self.is_open(there):
                        self.put("threats" if stronger else "prey", there, 255)

    def way(self, start: tuple[int, int], end: tuple[int, int]) -> list[int]:
        dx, dy = end[0] - start[0], end[1] - start[1]
        up, down, left, right = max(dy, 0), max(-dy, 0), max(-dx, 0), max(dx, 0)
        if self.wrapped:
            up, down, left, right = dy % self.h, -dy % self.h, -dx % self.w, dx % self.w
            up, down = (up if up <= down else 0), (down if down <= up else 0)
            left, right = (left if left <= right else 0), (right if right <= left else 0)
        return [up, down, left, right]

    def far(self, start: tuple[int, int], end: tuple[int, int]) -> int:
        up, down, left, right = self.way(start, end)
        return max(up, down) + max(left, right)

    def fill(self) -> None:
        f, body = self.features, self.bodies[self.me]
        head = body[0]
        f["health"], f["length"] = self.state["snakes"][self.me]["health"], len(body)
        longest = max((len(b) for i, b in self.bodies.items() if i != self.me), default=0)
        f["lead"], f["lag"] = max(len(body) - longest, 0), max(longest - len(body), 0)
        for way, name in enumerate(WAYS):
            there = self.beside(head, way)
            if there is None or not self.is_open(there):
                continue
            f[f"open_{name}"] = 255
            y, x = there[1] + (FRAME - self.h) // 2, there[0] + (FRAME - self.w) // 2
            f[f"threat_{name}"], f[f"prey_{name}"] = self.planes["threats"][y, x], self.planes["prey"][y, x]
            f[f"exits_{name}"] = sum(self.is_open(self.beside(there, onward)) for onward in range(4))
        foods = [tuple(c) for c in self.state["food"]]
        heads = [b[0] for i, b in self.bodies.items() if i != self.me]
        for key, cells in (("food", foods), ("head", heads)):
            f[f"{key}_steps"] = 255
            if cells:
                nearest = min(cells, key=lambda cell: self.far(head, cell))
                f[f"{key}_steps"] = self.far(head, nearest)
                for name, steps in zip(WAYS, self.way(head, nearest), strict=True):
                    f[f"{key}_{name}"] = steps
        f["tail_steps"], f["tail_waits"] = self.far(head, body[-1]), body.count(body[-1]) - 1

    def context(self) -> list[int]:
        s = self.settings
        return [
            min(self.state["turn"] // 4, 255), len(self.alive) - 1, len(self.state["snakes"]), self.w, self.h,
            255 * self.wrapped, 255 * self.constrictor, 255 * ("royale" in (self.ruleset, self.map_id)),
            255 * (len(self.state["snakes"]) == 1), max(s["damagePerTurn"], 0), max(-s["damagePerTurn"], 0),
            len({tuple(c) for c in self.state["hazards"]}), sum(map(len, self.bodies.values())),
            len(self.state["food"]), s["foodSpawnChance"], s["minimumFood"],
        ]  # fmt: skip


def test_encoder_says_what_the_table_says(walk, cases):
    for number, case in enumerate(cases):
        for game, ruleset, map_id, settings in walk(case, 25, 100 + number):
            rows = observe(game)
            for me, snake in enumerate(game.to_state()["snakes"]):
                if snake.get("cause"):
                    assert rows.symmetries[me] == DEAD_ROW and not rows.planes[me].any()
                    continue
                slow = Slow(game, ruleset, map_id, settings, me)
                for index, name in enumerate(CHANNELS):
                    np.testing.assert_array_equal(rows.planes[me, index], slow.planes[name], f"{case} {name}")
                assert dict(zip(slow.features, rows.features[me].tolist(), strict=True)) == slow.features, case
                assert rows.context[me].tolist() == slow.context(), case


def test_float_form_is_the_whole_numbers_times_the_scales(walk, cases):
    for game, *_ in walk(cases[1], 30, 5):
        whole, floats = observe(game), observe(game, 0, np.float32)
        np.testing.assert_array_equal(floats.planes, whole.planes.astype(np.float32) * PLANE_SCALES[:, None, None])
        np.testing.assert_array_equal(floats.features, whole.features.astype(np.float32) * FEATURE_SCALES)
        np.testing.assert_array_equal(floats.context, whole.context.astype(np.float32) * CONTEXT_SCALES)


def test_every_slot_carries_information(walk, cases):
    rows = [observe(game) for n, case in enumerate(cases) for game, *_ in walk(case, 60, n)]
    planes = np.concatenate([row.planes[row.symmetries != DEAD_ROW] for row in rows])
    for index, slot in enumerate(PLANES):
        assert planes[:, index].reshape(len(planes), -1).std(0).max() > 0, slot.name
    for table, part in ((FEATURES, "features"), (CONTEXT, "context")):
        values = np.concatenate([getattr(row, part)[row.symmetries != DEAD_ROW] for row in rows])
        for index, slot in enumerate(table):
            assert len(np.unique(values[:, index])) > 1, slot.name


def transformed(state: dict[str, Any], symmetry: int) -> dict[str, Any]:
    """Turn and mirror a whole state of a square board."""
    side = state["width"]
    cells = cell_map(side)[symmetry]

    def to(cell: list[int]) -> list[int]:
        place = int(cells[cell[1] * side + cell[0]])
        return [place % side, place // side]

    snakes = [{**s, "body": [to(c) for c in s["body"]]} for s in state["snakes"]]
    return {**state, "food": [to(c) for c in state["food"]], "hazards": [to(c) for c in state["hazards"]],
            "snakes": snakes}  # fmt: skip


@pytest.mark.parametrize("symmetry", range(SYMMETRIES))
def test_seen_through_a_symmetry_is_seeing_the_transformed_board(walk, cases, symmetry):
    for case in (cases[1], cases[4], cases[6], cases[2], cases[8]):
        for game, ruleset, map_id, settings in walk(case, 12, symmetry):
            state = game.to_state()
            living = {**state, "snakes": [s for s in state["snakes"] if not s.get("cause")]}
            names = {"ruleset": ruleset, "map_id": map_id, "settings": {**CLI_DEFAULTS._asdict(), **settings}}
            here = observe(Game.from_state(living, **names), symmetry)
            there = observe(Game.from_state(transformed(living, symmetry), **names))
            for a, b in zip(here[:3], there[:3], strict=True):
                np.testing.assert_array_equal(a, b)


def test_rows_are_y_from_the_bottom_and_the_egocentric_view_faces_up():
    snake = {"id": "a", "health": 80, "body": [[2, 8], [1, 8], [0, 8]]}
    other = {"id": "b", "health": 50, "body": [[9, 1], [9, 0], [10, 0]]}
    state = {"turn": 9, "width": 11, "height": 11, "food": [[3, 8]], "hazards": [], "snakes": [snake, other]}
    game = Game.from_state(state)
    plain, turned = observe(game), observe(game, FOLLOW_FACING)
    assert plain.planes[0, CHANNELS.index("my_head"), 8, 2] == 80
    assert plain.planes[0, CHANNELS.index("food"), 8, 3] == 255
    # It faces right: turned by a quarter counter-clockwise, so the food to its right is ahead, one row further up.
    y, x = np.argwhere(turned.planes[0, CHANNELS.index("my_head")])[0]
    assert turned.planes[0, CHANNELS.index("food"), y + 1, x] == 255
    assert MOVE_TO[turned.symmetries[0], WAYS.index("right")] == WAYS.index("up")
    assert turned.symmetries[1] == 0, "faces up already"


def test_head_to_head_and_vacating_are_visible():
    long = {"id": "a", "health": 80, "body": [[2, 2], [2, 1], [2, 0], [1, 0]]}
    short = {"id": "b", "health": 50, "body": [[4, 2], [4, 1], [4, 1]]}
    state = {"turn": 9, "width": 11, "height": 11, "food": [], "hazards": [], "snakes": [long, short]}
    rows = observe(Game.from_state(state))
    assert rows.planes[0, CHANNELS.index("weaker_heads"), 2, 4] == 1
    assert rows.planes[1, CHANNELS.index("stronger_heads"), 2, 2] == 2
    assert rows.planes[0, CHANNELS.index("prey"), 2, 3] == 255 == rows.planes[1, CHANNELS.index("threats"), 2, 3]
    mine = rows.planes[0, CHANNELS.index("my_body")]
    assert [mine[y, x] for x, y in ((1, 0), (2, 0), (2, 1), (2, 2))] == [1, 2, 3, 4]
    assert rows.planes[0, CHANNELS.index("other_bodies"), 1, 4] == 2, "a doubled tail stays one turn longer"


def test_wrong_arrays_are_refused():
    game = Game.new(11, 11, ["a", "b"], seed=1)
    observer, rows = Observer(game.records), allocate_observations(2)
    two = np.arange(2, dtype=np.int64)
    with pytest.raises(ValueError, match="planes"):
        observer.observe(np.zeros(2, np.int64), two, rows._replace(planes=rows.planes[:, :5]))
    with pytest.raises(ValueError, match="features is float32"):
        observer.observe(np.zeros(2, np.int64), two, rows._replace(features=rows.features.astype(np.float32)))
    with pytest.raises(IndexError, match="games holds"):
        observer.observe(np.array([0, 7]), two, rows)
    rows.symmetries[:] = 9
    with pytest.raises(ValueError, match="symmetries holds 9"):
        observer.observe(np.zeros(2, np.int64), two, rows)
