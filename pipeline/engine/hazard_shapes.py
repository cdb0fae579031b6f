"""Maps whose hazards are a shape: still ones drawn at set-up, and growing ones drawn turn by turn.

A growing shape is a function of seed and turn alone: each call draws its whole past again, as the official engine
does, so nothing needs remembering and hazards put there by others do not disturb it.
"""

from pipeline.engine.compile_cache import compiled
from pipeline.engine.grid import add_hazard, cell_of, clear_hazards
from pipeline.engine.layout import AREA, HAZARDS, HEIGHT, SEED, SHRINK, SHRUNK, TURN, WIDTH, Record
from pipeline.engine.rng import HAZARD_MAP, draw, stream


@compiled
def add_if_on_board(game: Record, x: int, y: int) -> None:
    """Stack one hazard on (x, y), if that is a cell of the board."""
    if 0 <= x < game.fields[WIDTH] and 0 <= y < game.fields[HEIGHT]:
        add_hazard(game, cell_of(game, x, y), 1)
        game.fields[SHRUNK] = -1


@compiled
def add_ring(game: Record, left: int, right: int, bottom: int, top: int) -> None:
    """Stack one hazard on every board cell of a rectangle's outline."""
    for x in range(left, right + 1):
        for y in range(bottom, top + 1):
            if left < x < right and bottom < y < top:
                continue
            add_if_on_board(game, x, y)


@compiled
def draw_rings(game: Record, last: int) -> None:
    """Rings whose corners lie 1, 3, 5 .. `last` cells in from the edge."""
    width, height = int(game.fields[WIDTH]), int(game.fields[HEIGHT])
    for inset in range(1, last + 1, 2):
        if inset <= width - 1 - inset and inset <= height - 1 - inset:
            add_ring(game, inset, width - 1 - inset, inset, height - 1 - inset)


@compiled
def draw_columns(game: Record, spare_starts: bool) -> None:
    """All cells with both coordinates odd; `spare_starts`: but for the four starts of hazard pits on 11x11."""
    for x in range(1, game.fields[WIDTH], 2):
        for y in range(1, game.fields[HEIGHT], 2):
            if not spare_starts or not ((x == 1 or x == 9) and (y == 1 or y == 9)):  # noqa: PLR1714
                add_if_on_board(game, x, y)


@compiled
def farthest_edge(game: Record, x: int, y: int) -> int:
    """Return how many rings around (x, y) may still touch the board."""
    return max(max(x, y), max(game.fields[WIDTH] - x, game.fields[HEIGHT] - y))  # noqa: PLW3301 - compiled


@compiled
def random_start(game: Record, margin: int, square: bool) -> int:
    """Return the number of a random cell, coordinates in margin .. side - margin; `square`: both by the width."""
    key = stream(game.clock[SEED], 0, HAZARD_MAP)
    width = int(game.fields[WIDTH])
    height = width if square else int(game.fields[HEIGHT])
    x = margin + draw(key, 0, width - 2 * margin + 1)
    y = margin + draw(key, 1, height - 2 * margin + 1)
    return x * 64 + y


@compiled
def grow_spiral(game: Record) -> None:
    """Every 3 turns one more step of a clockwise spiral around a point near the middle."""
    turn = game.clock[TURN] + 1
    if turn % 3 != 0:
        return
    width, height = int(game.fields[WIDTH]), int(game.fields[HEIGHT])
    key = stream(game.clock[SEED], 0, HAZARD_MAP)
    margin_x, margin_y = 3 * width // 10, 3 * height // 10
    x = margin_x + draw(key, 0, width - 2 * margin_x)
    y = margin_y + draw(key, 1, height - 2 * margin_y)
    step = turn // 3 - 1  # 0 is the start itself
    if step == 0:
        add_if_on_board(game, x, y)
        return
    ring = 1
    while step > 8 * ring:
        step -= 8 * ring
        ring += 1
    if ring > farthest_edge(game, x, y):
        return
    # A ring begins right of its top left corner, at (x - ring + 1, y + ring), and ends on that corner.
    side = 2 * ring
    along = step - 1
    if along < side:
        add_if_on_board(game, x - ring + 1 + along, y + ring)
    elif along < 2 * side:
        add_if_on_board(game, x + ring, y + ring - (along - side + 1))
    elif along < 3 * side:
        add_if_on_board(game, x + ring - (along - 2 * side + 1), y - ring)
    else:
        add_if_on_board(game, x - ring, y - ring + (along - 3 * side + 1))


@compiled
def scrambled(key: int, size: int, position: int) -> int:
    """Return which of 0..size-1 stands at `position` of a random order (size up to 1024), without making the order.

    A keyed Feistel network on 10 bits, walked until it lands below `size` (Black and Rogaway, "Ciphers with
    arbitrary finite domains", CT-RSA 2002).
    """
    value = position
    while True:
        left, right = value >> 5, value & 31
        for round_number in range(8):
            left, right = right, left ^ draw(key, 32 * round_number + right, 32)
        value = (left << 5) | right
        if value < size:
            return value


@compiled
def scatter(game: Record) -> None:
    """Every 2 turns one more cell of the whole board, in random order."""
    turn = game.clock[TURN] + 1
    width, height = int(game.fields[WIDTH]), int(game.fields[HEIGHT])
    position = (turn - 2) // 2
    if turn % 2 != 0 or position >= width * height:
        return
    spot = scrambled(stream(game.clock[SEED], 0, HAZARD_MAP), width * height, position)
    add_if_on_board(game, spot // height, spot % height)


@compiled
def grow_box(game: Record) -> None:
    """Every 12 turns a box grows by one row or column on a random side that has room."""
    turn = game.clock[TURN] + 1
    if (turn - 1) % 12 != 0:
        return
    width, height = int(game.fields[WIDTH]), int(game.fields[HEIGHT])
    start = random_start(game, 2, False)
    left, bottom = start // 64, start % 64
    right, top = left, bottom
    steps = (turn - 1) // 12
    if steps == 0:
        add_if_on_board(game, left, bottom)
        return
    key = stream(game.clock[SEED], 0, HAZARD_MAP)
    for step in range(steps):
        old_left, old_right, old_bottom, old_top = left, right, bottom, top
        room = (left > 0) + (top < height - 1) + (right < width - 1) + (bottom > 0)
        if room == 0:
            return
        chosen = draw(key, 2 + step, room)
        if left > 0:
            left -= chosen == 0
            chosen -= 1
        if old_top < height - 1:
            top += chosen == 0
            chosen -= 1
        if old_right < width - 1:
            right += chosen == 0
            chosen -= 1
        if old_bottom > 0:
            bottom -= chosen == 0
    for x in range(left, right + 1):
        for y in range(bottom, top + 1):
            if x < old_left or x > old_right or y < old_bottom or y > old_top:
                add_if_on_board(game, x, y)


@compiled
def expand_box(game: Record) -> None:
    """Every 20 turns a square ring is added around a random point."""
    turn = game.clock[TURN] + 1
    if (turn - 1) % 20 != 0:
        return
    start = random_start(game, 2, True)
    x, y = start // 64, start % 64
    ring = turn // 20
    if ring <= farthest_edge(game, x, y):
        add_ring(game, x - ring, x + ring, y - ring, y + ring)


@compiled
def on_board_of_ring(game: Record, x: int, y: int, ring: int, wanted: int) -> int:
    """Return the number of board cells in a square ring, or, with `wanted` >= 0, that one of them as x * 64 + y."""
    found = 0
    for cell_x in range(max(x - ring, 0), min(x + ring, game.fields[WIDTH] - 1) + 1):
        for cell_y in range(max(y - ring, 0), min(y + ring, game.fields[HEIGHT] - 1) + 1):
            if abs(cell_x - x) == ring or abs(cell_y - y) == ring:
                if found == wanted:
                    return cell_x * 64 + cell_y
                found += 1
    return found


@compiled
def expand_scatter(game: Record) -> None:
    """Every 2 turns one more cell: rings around a random point, each filled in random order."""
    turn = game.clock[TURN] + 1
    if (turn - 1) % 2 != 0:
        return
    start = random_start(game, 1, True)
    x, y = start // 64, start % 64
    if turn == 1:
        add_if_on_board(game, x, y)
        return
    position = turn // 2 - 1
    for ring in range(1, farthest_edge(game, x, y) + 1):
        size = on_board_of_ring(game, x, y, ring, -1)
        if position < size:
            order = scrambled(stream(game.clock[SEED], -ring, HAZARD_MAP), size, position)
            cell = on_board_of_ring(game, x, y, ring, order)
            add_if_on_board(game, cell // 64, cell % 64)
            return
        position -= size


@compiled
def grow_sinkhole(game: Record) -> None:
    """Every SHRINK turns (10 where that is not set) a larger disc is laid over the middle."""
    turn = game.clock[TURN]
    every = game.clock[SHRINK] if game.clock[SHRINK] > 0 else 10
    width = int(game.fields[WIDTH])
    most = 3 if width == 7 else (7 if width == 19 else 5)
    x, y = width // 2, int(game.fields[HEIGHT]) // 2
    if turn == 1:
        add_if_on_board(game, x, y)
    elif turn > 1 and turn <= every * most and (turn - 1) % every == 0:
        size = (turn - 1) // every
        for dx in range(-size, size + 1):
            for dy in range(-size, size + 1):
                if abs(dx) != size or abs(dy) != size:
                    add_if_on_board(game, x + dx, y + dy)


@compiled
def fill_pits(game: Record) -> None:
    """Every SHRINK turns the pits stand one layer higher, up to four; after seven steps they start empty again."""
    turn, every = game.clock[TURN], game.clock[SHRINK]
    if every > 0 and turn % every == 0:
        clear_hazards(game)
        game.fields[SHRUNK] = -1
        for _ in range(min(turn // every % 7, 4)):
            draw_columns(game, True)


@compiled
def place_pools(game: Record) -> None:
    """One to four single cells: a random one of the arrangements there are for this size."""
    key = stream(game.clock[SEED], 0, HAZARD_MAP)
    width = int(game.fields[WIDTH])
    if width == 7:
        add_if_on_board(game, 3, 3)
    elif width == 11:
        choice = draw(key, 0, 4)
        x, y = (5, 3) if choice == 3 else (3, 5 if choice == 2 else 3)
        if choice == 1:
            y = 7
        add_if_on_board(game, x, y)
        add_if_on_board(game, 10 - x, 10 - y)
    elif draw(key, 0, 2) == 0:
        for corner in range(4):
            add_if_on_board(game, 13 if corner & 1 else 5, 13 if corner & 2 else 5)
    else:
        add_if_on_board(game, 5, 10)
        add_if_on_board(game, 13, 10)
        add_if_on_board(game, 10, 13)
        add_if_on_board(game, 10, 5)


@compiled
def drain_pool(game: Record) -> None:
    """Every SHRINK turns, not on turn 0, one random pool vanishes."""
    turn, every = game.clock[TURN], game.clock[SHRINK]
    if turn == 0 or every <= 0 or turn % every != 0 or game.fields[HAZARDS] == 0:
        return
    chosen = draw(stream(game.clock[SEED], turn, HAZARD_MAP), 0, game.fields[HAZARDS])
    area = game.fields[AREA]
    for at in range(area, 2 * area):
        if game.grid[at] > 0:
            if chosen == 0:
                game.grid[at] = 0
                game.fields[HAZARDS] -= 1
                game.fields[SHRUNK] = -1
                return
            chosen -= 1
