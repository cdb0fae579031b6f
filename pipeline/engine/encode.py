"""The observation encoder: one row of planes, features and context for one living snake, as `planes.py` defines them.

Work per row is in what is on the board, not in its cells: a row is cleared, then only occupied cells are written.
What all snakes of a game share (bodies walked, moves open) is gathered once per game into a `Trail`.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import direction_at, following, neighbour, step_towards, unsigned, ways_of
from pipeline.engine.layout import Record, Records
from pipeline.engine.map_names import ROYALE_MAP
from pipeline.engine.planes import CONTEXT, FEATURES, PLANES
from pipeline.engine.record import record_of
from pipeline.engine.symmetry import FACING_UP, MOVE_TO, SWAPS_AXES

Bytes = NDArray[np.uint8]

_MAX_CELLS: Final = (layout.MAX_SIDE + 2) ** 2
FOLLOW_FACING: Final = 255
"""A row's symmetry: turn the frame so that the snake faces up; the encoder writes the symmetry it took in its place."""
DEAD_ROW: Final = 254
"""What the encoder leaves as the symmetry of a row whose seat holds no living snake; the row itself is zero."""

LENS: Final = np.dtype(
    [
        ("place", np.int16, (8, _MAX_CELLS)),
        ("board", np.uint8, (8, layout.MAX_SIDE * layout.MAX_SIDE)),
        ("column", np.int16, (_MAX_CELLS,)),
        ("row", np.int16, (_MAX_CELLS,)),
    ],
    align=True,
)
"""How a board lies in the frame, per symmetry: cell number -> place in a plane, -1 off the board; the plane `board`.
And x and y of each cell, since dividing for them costs more than all else about a distance."""

TRAIL: Final = np.dtype(
    [
        ("cell", np.int16, (layout.MAX_SIDE * layout.MAX_SIDE + layout.MAX_SNAKES,)),
        ("turns", np.uint8, (layout.MAX_SIDE * layout.MAX_SIDE + layout.MAX_SNAKES,)),
        ("start", np.int64, (layout.MAX_SNAKES + 1,)),
        ("next", np.int16, (layout.MAX_SNAKES, 4)),
        ("open", np.uint8, (_MAX_CELLS,)),
        ("game", np.int64),
        ("longest", np.int64),
        ("second", np.int64),
        ("bodies", np.int64),
    ],
    align=True,
)
"""A game's living bodies, tail first, with the turns until each cell is left (snake s: start[s] .. start[s+1]), the
cells each head may enter (-1: wall or body), whether each cell may be entered (as `open_cells.is_open` says, but asked
for the whole board at once: cell by cell the processor guesses wrong too often), the two greatest lengths and the sum
of all."""

_P: Final = {slot.name: index for index, slot in enumerate(PLANES)}
P_FOOD: Final = _P["food"]
P_HAZARDS: Final = _P["hazards"]
P_MY_BODY: Final = _P["my_body"]
P_OTHER_BODIES: Final = _P["other_bodies"]
P_MY_HEAD: Final = _P["my_head"]
P_OTHER_HEADS: Final = _P["other_heads"]
P_STRONGER: Final = _P["stronger_heads"]
P_WEAKER: Final = _P["weaker_heads"]
P_THREATS: Final = _P["threats"]
P_PREY: Final = _P["prey"]
P_LENGTHS: Final = _P["other_lengths"]
_F: Final = {slot.name: index for index, slot in enumerate(FEATURES)}
F_OPEN: Final = _F["open_up"]
F_THREAT: Final = _F["threat_up"]
F_PREY_AT: Final = _F["prey_up"]
F_EXITS_AT: Final = _F["exits_up"]
F_FOOD_AT: Final = _F["food_up"]
F_HEAD_AT: Final = _F["head_up"]
F_FOOD_STEPS: Final = _F["food_steps"]
F_HEAD_STEPS: Final = _F["head_steps"]
F_TAIL_STEPS: Final = _F["tail_steps"]
F_TAIL_WAITS: Final = _F["tail_waits"]
_PLANES: Final = len(PLANES)
_FEATURES: Final = len(FEATURES)
_CONTEXT: Final = len(CONTEXT)


@inlined
def byte(value: int) -> int:
    """Return a count cut to what a byte holds."""
    return min(max(value, 0), 255)


@inlined
def gather_open(trail: Any, game: Record) -> None:
    """Write which cells may be entered: those without owner, and the tails that move away this turn."""
    for cell in range(game.fields[layout.AREA]):
        trail.open[np.uint64(cell)] = game.grid[np.uint64(cell)] & layout.OWNER == 0
    for at in range(
        layout.HEADER, layout.HEADER + game.fields[layout.SNAKES] * layout.SNAKE_FIELDS, layout.SNAKE_FIELDS
    ):
        if game.fields[at + layout.CAUSE] == layout.ALIVE_CAUSE and game.fields[at + layout.STACK] == 1:
            trail.open[unsigned(game.fields[at + layout.TAIL])] = 1


@inlined
def gather(trail: Any, game: Record) -> None:
    """Fill the trail of one game."""
    gather_open(trail, game)
    ways, wrapped = ways_of(game.fields[layout.STRIDE]), bool(game.fields[layout.RULES] & layout.WRAPPED)
    at_entry, longest, second, bodies = 0, 0, 0, 0
    for snake in range(game.fields[layout.SNAKES]):
        trail.start[snake] = at_entry
        at = layout.HEADER + snake * layout.SNAKE_FIELDS
        if game.fields[at + layout.CAUSE] != layout.ALIVE_CAUSE:
            continue
        length, stack, head = (
            int(game.fields[at + layout.LENGTH]),
            int(game.fields[at + layout.STACK]),
            int(game.fields[at + layout.HEAD]),
        )
        cell = int(game.fields[at + layout.TAIL])
        for index in range(length - stack + 1):
            trail.cell[unsigned(at_entry)] = cell
            trail.turns[unsigned(at_entry)] = byte(index + stack)
            at_entry += 1
            if index < length - stack:
                cell = following(game, cell, direction_at(game, cell), ways, wrapped)
        for direction in range(4):
            there = following(game, head, direction, ways, wrapped)
            trail.next[snake, direction] = there if trail.open[unsigned(there)] else -1
        bodies += length
        if length > longest:
            longest, second = length, longest
        else:
            second = max(second, length)
    trail.start[game.fields[layout.SNAKES]] = at_entry
    trail.longest, trail.second, trail.bodies = longest, second, bodies


@inlined
def write_board(lens: Any, game: Record, symmetry: int, row: Bytes, size: int) -> None:
    """Clear the row and write what does not depend on the snake: board, food, hazards."""
    for spot in range(size):
        row[spot] = lens.board[symmetry, spot]
    row[size:] = 0
    place = lens.place[symmetry]
    first = int(game.fields[layout.FOOD_AT])
    for index in range(first, first + game.fields[layout.FOOD]):
        row[unsigned(P_FOOD * size + place[unsigned(game.fields[index])])] = 255
    if game.fields[layout.HAZARDS] > 0:
        area = int(game.fields[layout.AREA])
        for cell in range(area):
            count = game.grid[area + cell]
            if count > 0 and place[cell] >= 0:
                row[P_HAZARDS * size + place[cell]] = count


@inlined
def write_other(lens: Any, trail: Any, game: Record, other: int, mine: int, symmetry: int, row: Bytes,
                size: int) -> None:  # fmt: skip
    """Write another living snake's body, head and reach; `mine` is my length."""
    place = lens.place[symmetry]
    at = layout.HEADER + other * layout.SNAKE_FIELDS
    length = int(game.fields[at + layout.LENGTH])
    for entry in range(trail.start[other], trail.start[other + 1]):
        spot = place[unsigned(trail.cell[unsigned(entry)])]
        row[unsigned(P_OTHER_BODIES * size + spot)] = trail.turns[unsigned(entry)]
        row[unsigned(P_LENGTHS * size + spot)] = byte(length)
    spot = place[unsigned(game.fields[at + layout.HEAD])]
    row[unsigned(P_OTHER_HEADS * size + spot)] = byte(game.fields[at + layout.HEALTH])
    reach = P_THREATS
    if length >= mine:
        row[unsigned(P_STRONGER * size + spot)] = byte(1 + length - mine)
    else:
        row[unsigned(P_WEAKER * size + spot)] = byte(mine - length)
        reach = P_PREY
    for direction in range(4):
        there = trail.next[other, direction]
        if there >= 0:
            row[unsigned(reach * size + place[unsigned(there)])] = 255


@inlined
def offsets(lens: Any, game: Record, start: int, end: int) -> Any:
    """Return the steps up, down, left, right from one cell to another, the shorter way round where edges wrap.

    Both ways are given where both are equally short.
    """
    right = int(lens.column[unsigned(end)]) - int(lens.column[unsigned(start)])
    up = int(lens.row[unsigned(end)]) - int(lens.row[unsigned(start)])
    left, down = -right, -up
    if game.fields[layout.RULES] & layout.WRAPPED:
        width, height = int(game.fields[layout.WIDTH]), int(game.fields[layout.HEIGHT])
        right, left = right + width * (right < 0), left + width * (left < 0)
        up, down = up + height * (up < 0), down + height * (down < 0)
        if right > left:
            right = 0
        elif left > right:
            left = 0
        if up > down:
            up = 0
        elif down > up:
            down = 0
    return max(up, 0), max(down, 0), max(left, 0), max(right, 0)


@inlined
def steps(way: Any) -> int:
    """Return the number of steps of some offsets."""
    return max(way[0], way[1]) + max(way[2], way[3])


@inlined
def write_way(way: Any, symmetry: int, first: int, row: Bytes) -> None:
    """Write offsets into the four feature slots from `first` on, turned with the frame."""
    row[first + MOVE_TO[symmetry, 0]] = byte(way[0])
    row[first + MOVE_TO[symmetry, 1]] = byte(way[1])
    row[first + MOVE_TO[symmetry, 2]] = byte(way[2])
    row[first + MOVE_TO[symmetry, 3]] = byte(way[3])


@inlined
def write_moves(lens: Any, trail: Any, game: Record, snake: int, symmetry: int, planes: Bytes,
                size: int, row: Bytes) -> None:  # fmt: skip
    """Write the features of my four moves; the planes of threats and prey stand already."""
    place = lens.place[symmetry]
    stride, wrapped = int(game.fields[layout.STRIDE]), bool(game.fields[layout.RULES] & layout.WRAPPED)
    for direction in range(4):
        there = int(trail.next[snake, direction])
        to = MOVE_TO[symmetry, direction]
        if there < 0:
            continue
        row[F_OPEN + to] = 255
        row[F_THREAT + to] = planes[unsigned(P_THREATS * size + place[unsigned(there)])]
        row[F_PREY_AT + to] = planes[unsigned(P_PREY * size + place[unsigned(there)])]
        exits = 0
        for onward in range(4):
            beyond = neighbour(game, there, onward) if wrapped else step_towards(there, onward, stride)
            exits += trail.open[unsigned(beyond)]
        row[F_EXITS_AT + to] = exits


@inlined
def write_distances(lens: Any, game: Record, snake: int, symmetry: int, row: Bytes) -> None:
    """Write where the nearest food, the nearest other head and my tail are."""
    head = int(game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.HEAD])
    nearest, least = -1, 255
    first = int(game.fields[layout.FOOD_AT])
    for index in range(first, first + game.fields[layout.FOOD]):
        away = steps(offsets(lens, game, head, int(game.fields[index])))
        if away < least:
            nearest, least = int(game.fields[index]), away
    row[F_FOOD_STEPS] = least
    if nearest >= 0:
        write_way(offsets(lens, game, head, nearest), symmetry, F_FOOD_AT, row)
    nearest, least = -1, 255
    for other in range(game.fields[layout.SNAKES]):
        at = layout.HEADER + other * layout.SNAKE_FIELDS
        if other != snake and game.fields[at + layout.CAUSE] == layout.ALIVE_CAUSE:
            away = steps(offsets(lens, game, head, int(game.fields[at + layout.HEAD])))
            if away < least:
                nearest, least = int(game.fields[at + layout.HEAD]), away
    row[F_HEAD_STEPS] = least
    if nearest >= 0:
        write_way(offsets(lens, game, head, nearest), symmetry, F_HEAD_AT, row)
    tail = int(game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.TAIL])
    row[F_TAIL_STEPS] = byte(steps(offsets(lens, game, head, tail)))


@inlined
def write_context(trail: Any, game: Record, symmetry: int, row: Bytes) -> None:
    """Write the context, slot by slot in the table's order."""
    rules, damage = int(game.fields[layout.RULES]), int(game.fields[layout.DAMAGE])
    width, height = byte(game.fields[layout.WIDTH]), byte(game.fields[layout.HEIGHT])
    row[0] = min(game.clock[layout.TURN] >> 2, 255)
    row[1] = game.fields[layout.ALIVE] - 1
    row[2] = game.fields[layout.SNAKES]
    row[3] = height if SWAPS_AXES[symmetry] else width
    row[4] = width if SWAPS_AXES[symmetry] else height
    row[5] = 255 if rules & layout.WRAPPED else 0
    row[6] = 255 if rules & layout.CONSTRICTOR else 0
    row[7] = 255 if rules & layout.ROYALE or game.fields[layout.MAP] == ROYALE_MAP else 0
    row[8] = 255 if rules & layout.SOLO else 0
    row[9] = byte(damage)
    row[10] = byte(-damage)
    row[11] = byte(game.fields[layout.HAZARDS])
    row[12] = byte(trail.bodies)
    row[13] = byte(game.fields[layout.FOOD])
    row[14] = byte(game.fields[layout.FOOD_CHANCE])
    row[15] = byte(game.fields[layout.MINIMUM_FOOD])


@inlined
def write_row(lens: Any, trail: Any, game: Record, snake: int, symmetry: int,
              planes: Bytes, features: Bytes, context: Bytes) -> None:  # fmt: skip
    """Write the whole row of one living snake."""
    size = planes.shape[0] // _PLANES
    at = layout.HEADER + snake * layout.SNAKE_FIELDS
    mine, place = int(game.fields[at + layout.LENGTH]), lens.place[symmetry]
    write_board(lens, game, symmetry, planes, size)
    for other in range(game.fields[layout.SNAKES]):
        if (
            other != snake
            and game.fields[layout.HEADER + other * layout.SNAKE_FIELDS + layout.CAUSE] == layout.ALIVE_CAUSE
        ):
            write_other(lens, trail, game, other, mine, symmetry, planes, size)
    for entry in range(trail.start[snake], trail.start[snake + 1]):
        planes[unsigned(P_MY_BODY * size + place[unsigned(trail.cell[unsigned(entry)])])] = trail.turns[unsigned(entry)]
    planes[unsigned(P_MY_HEAD * size + place[unsigned(game.fields[at + layout.HEAD])])] = byte(
        game.fields[at + layout.HEALTH]
    )
    features[:] = 0
    features[0] = byte(game.fields[at + layout.HEALTH])
    features[1] = byte(mine)
    longest = trail.second if mine == trail.longest else trail.longest
    features[2] = byte(mine - longest)
    features[3] = byte(longest - mine)
    features[F_TAIL_WAITS] = byte(game.fields[at + layout.STACK] - 1)
    write_moves(lens, trail, game, snake, symmetry, planes, size, features)
    write_distances(lens, game, snake, symmetry, features)
    write_context(trail, game, symmetry, context)


@compiled
def encode_rows(
    lenses: Any, lens_of: NDArray[np.int64], trail: Any, records: Records,
    games: NDArray[np.int64], snakes: NDArray[np.int64], symmetries: Bytes,
    planes: Bytes, features: Bytes, context: Bytes
) -> None:  # fmt: skip
    """Write row i for snake `snakes[i]` of game `games[i]`, seen through `symmetries[i]`; see `observe.Observer`.

    Rows of one game should follow each other: what its snakes share is then gathered once.
    """
    trail.game = -1
    for index in range(games.shape[0]):
        snake = snakes[index]
        game = record_of(records, games[index])
        if (
            snake >= game.fields[layout.SNAKES]
            or game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.CAUSE] != layout.ALIVE_CAUSE
        ):
            planes[index] = 0
            features[index] = 0
            context[index] = 0
            symmetries[index] = DEAD_ROW
            continue
        if trail.game != games[index]:
            gather(trail, game)
            trail.game = games[index]
        symmetry = int(symmetries[index])
        if symmetry == FOLLOW_FACING:
            symmetry = int(FACING_UP[game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.FACING]])
            symmetries[index] = symmetry
        lens = lenses[lens_of[games[index]]]
        write_row(lens, trail, game, snake, symmetry, planes[index], features[index], context[index])


@compiled
def scale_rows(source: Bytes, scales: NDArray[np.float32], target: NDArray[np.float32]) -> None:
    """Write the float form: target[i, s, c] = source[i, s, c] * scales[s], one float32 multiply each."""
    for index in range(source.shape[0]):
        for slot in range(source.shape[1]):
            scale = scales[slot]
            for cell in range(source.shape[2]):
                target[index, slot, cell] = np.float32(source[index, slot, cell]) * scale
