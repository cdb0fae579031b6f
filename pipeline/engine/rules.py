"""The rules of one turn, on one game's record. The only place where a snake moves, eats, grows or dies.

Every function follows `battlesnake-rules` of the official engine (movement, starvation, hazards, feeding,
elimination, constrictor; the royale stage draws, so `turn.py` adds it). Work per turn is in the number of snakes,
not of cells: heads are written into the grid only after everybody's fate is known, so that the grid holds exactly
the body entries 1.. of all snakes while collisions are judged, and a dead snake's cells are cleared once.
"""

from typing import Final

from pipeline.engine.board import Board, board_of
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.grid import (
    body_path,
    clear_food,
    direction_at,
    following,
    neighbour,
    remove_food,
    unsigned,
    ways_of,
)
from pipeline.engine.layout import (
    ALIVE,
    ALIVE_CAUSE,
    AREA,
    BURIED,
    CAUSE,
    CONSTRICTOR,
    DAMAGE,
    DIRECTION_MASK,
    DIRECTION_SHIFT,
    FACING,
    FOOD_BIT,
    HAZARD,
    HAZARDS,
    HEAD,
    HEAD_COLLISION,
    HEADER,
    HEALTH,
    KILLER,
    LENGTH,
    LONGS,
    MAX_HEALTH,
    NO_DIRECTION,
    OUT_OF_HEALTH,
    OVER,
    OWNER,
    RULES,
    SELF_COLLISION,
    SNAKE_COLLISION,
    SNAKE_WORDS,
    SNAKES,
    SOLO,
    STACK,
    TAIL,
    TURN,
    UP,
    VERDICT,
    VERDICT_BY,
    WALL,
    WALL_COLLISION,
    WRAPPED,
    Cells,
    Longs,
    Moves,
    Words,
)

ATE: Final = 1
WEAK: Final = 2  # died of a hazard, hunger or the wall


@inlined
def default_move(words: Words, game: int, snake_at: int) -> int:
    """Return the move of a snake that named none: straight on, or up while it has no direction."""
    facing = int(words[game, snake_at + FACING])
    if words[game, snake_at + LENGTH] < 2 or facing == NO_DIRECTION:
        return UP
    return facing


@inlined
def move_snake(words: Words, cells: Cells, game: int, snake_at: int, move: int, ways: int, wrapped: bool) -> None:
    """Advance head and tail; the new head is not in the grid yet."""
    if move > 3:
        move = default_move(words, game, snake_at)
    head = int(words[game, snake_at + HEAD])
    # The old head becomes a body cell whose next cell lies in `move`.
    cells[game, unsigned(head)] = (cells[game, unsigned(head)] & (OWNER | FOOD_BIT)) | (move << DIRECTION_SHIFT)
    words[game, snake_at + HEAD] = following(words, cells, game, head, move, ways, wrapped)
    words[game, snake_at + FACING] = move
    if words[game, snake_at + STACK] > 1:
        words[game, snake_at + STACK] -= 1
    else:
        tail = int(words[game, snake_at + TAIL])
        byte = cells[game, unsigned(tail)]
        direction = (byte >> DIRECTION_SHIFT) & DIRECTION_MASK
        words[game, snake_at + TAIL] = following(words, cells, game, tail, direction, ways, wrapped)
        cells[game, unsigned(tail)] = byte & FOOD_BIT


@compiled
def lift_head(words: Words, cells: Cells, game: int, snake_at: int) -> None:
    """Take a head that stays where it is out of the grid (turn without moves)."""
    cells[game, words[game, snake_at + HEAD]] &= FOOD_BIT


@compiled
def hurt_by_hazards(words: Words, cells: Cells, game: int, snake_at: int) -> None:
    """Apply every hazard stacked under the head, one by one, unless food lies there."""
    head = int(words[game, snake_at + HEAD])
    count = int(cells[game, words[game, AREA] + head])
    if count == 0 or cells[game, head] & FOOD_BIT:
        return
    damage = int(words[game, DAMAGE])
    health = int(words[game, snake_at + HEALTH])
    for _ in range(count):
        health = min(max(health - damage, 0), MAX_HEALTH)
        if health == 0:
            words[game, snake_at + CAUSE] = HAZARD
    words[game, snake_at + HEALTH] = health


@inlined
def eat(words: Words, cells: Cells, game: int, snake_at: int) -> int:
    """Let a living head on food eat; return ATE, or 0. The food stays for others until `take_eaten_food`."""
    head = int(words[game, snake_at + HEAD])
    if not cells[game, unsigned(head)] & FOOD_BIT or words[game, snake_at + CAUSE] != ALIVE_CAUSE:
        return 0
    words[game, snake_at + LENGTH] += 1
    words[game, snake_at + STACK] += 1
    words[game, snake_at + HEALTH] = MAX_HEALTH
    return ATE


@compiled
def take_eaten_food(words: Words, cells: Cells, game: int, snakes_end: int) -> None:
    """Remove the food under every living head, once all have eaten of it."""
    for snake_at in range(HEADER, snakes_end, SNAKE_WORDS):
        head = int(words[game, snake_at + HEAD])
        if words[game, snake_at + CAUSE] == ALIVE_CAUSE and cells[game, unsigned(head)] & FOOD_BIT:
            remove_food(words, cells, game, head)


@inlined
def live_and_move(
    words: Words, cells: Cells, moves: Moves, game: int, snake: int, moving: bool, ways: int, wrapped: bool
) -> int:
    """Move, starve, hurt and feed one living snake; return what happened, as bits of ATE and WEAK.

    The stages run over all snakes one after another in the official engine; since no snake's part in these
    four depends on another's, each may have all four at once, as long as eaten food stays until the end.
    """
    snake_at = HEADER + snake * SNAKE_WORDS
    if moving:
        move_snake(words, cells, game, snake_at, moves[game, snake], ways, wrapped)
    else:
        lift_head(words, cells, game, snake_at)
    words[game, snake_at + HEALTH] -= 1
    if words[game, HAZARDS] > 0:
        hurt_by_hazards(words, cells, game, snake_at)
    byte = cells[game, unsigned(words[game, snake_at + HEAD])]
    event = eat(words, cells, game, snake_at) if byte & FOOD_BIT else 0
    if words[game, snake_at + HEALTH] <= 0 or byte & OWNER == WALL:
        event |= WEAK
    # Healed after a hazard had already killed it: dead all the same.
    if words[game, snake_at + CAUSE] != ALIVE_CAUSE:
        event |= WEAK
    return event


@compiled
def bury(words: Words, cells: Cells, longs: Longs, corpses: Words, game: int, snake: int) -> None:
    """Take a snake that has just died out of the grid, keeping its last body where corpses are wanted."""
    snake_at = HEADER + snake * SNAKE_WORDS
    if corpses.shape[0] > 0:
        body_path(words, cells, game, snake_at, corpses[game, snake])
    cell = int(words[game, snake_at + TAIL])
    # By number of cells, not until the head is met: the head may lie on the snake's own body.
    for _ in range(words[game, snake_at + LENGTH] - words[game, snake_at + STACK]):
        onward = neighbour(words, cells, game, cell, direction_at(cells, game, cell))
        cells[game, unsigned(cell)] &= FOOD_BIT
        cell = onward
    words[game, snake_at + VERDICT] = BURIED
    longs[game, LONGS + snake] = longs[game, TURN] + 1
    words[game, ALIVE] -= 1


@compiled
def meets_a_head(words: Words, game: int, snake_at: int, snakes_end: int) -> bool:
    """Return whether another living snake's head is on the same cell."""
    head = words[game, snake_at + HEAD]
    for other_at in range(HEADER, snakes_end, SNAKE_WORDS):
        same_cell = words[game, other_at + HEAD] == head and other_at != snake_at
        if same_cell and words[game, other_at + CAUSE] == ALIVE_CAUSE:
            return True
    return False


@inlined
def doubled(words: Words, game: int, snake_at: int) -> bool:
    """Return whether a snake of length 1 has just eaten: its second entry lies under its head, not in the grid."""
    return bool(words[game, snake_at + TAIL] == words[game, snake_at + HEAD] and words[game, snake_at + LENGTH] > 1)


@compiled
def judge_meeting(words: Words, game: int, snake_at: int, snakes_end: int) -> None:
    """Write the verdict on a head that shares its cell with other living heads.

    The killer is the longest of those at least as long, the first index among equals; but a doubled snake there
    (all of them have length 2) is a body in the way, whatever the lengths.
    """
    head = words[game, snake_at + HEAD]
    verdict, killer = ALIVE_CAUSE, -1
    longest = int(words[game, snake_at + LENGTH]) - 1
    for other_at in range(HEADER, snakes_end, SNAKE_WORDS):
        if other_at == snake_at or words[game, other_at + HEAD] != head:
            continue
        if words[game, other_at + CAUSE] != ALIVE_CAUSE or verdict == SNAKE_COLLISION:
            continue
        if doubled(words, game, other_at):
            verdict, killer = SNAKE_COLLISION, (other_at - HEADER) // SNAKE_WORDS
        elif words[game, other_at + LENGTH] > longest:
            longest = int(words[game, other_at + LENGTH])
            verdict, killer = HEAD_COLLISION, (other_at - HEADER) // SNAKE_WORDS
    words[game, snake_at + VERDICT] = verdict
    words[game, snake_at + VERDICT_BY] = killer


@compiled
def first_body(words: Words, game: int, snake_at: int, owner: int) -> int:
    """Return whose body kills a head on a cell of `owner`'s: of equally long ones the first index, doubled ones too."""
    if words[game, HEADER + owner * SNAKE_WORDS + LENGTH] == 2:
        for other in range(owner):
            other_at = HEADER + other * SNAKE_WORDS
            here = words[game, other_at + HEAD] == words[game, snake_at + HEAD] and other_at != snake_at
            if here and words[game, other_at + CAUSE] == ALIVE_CAUSE and doubled(words, game, other_at):
                return other
    return owner


@compiled
def judge(words: Words, cells: Cells, game: int, snake: int, snakes_end: int) -> int:
    """Write the collision verdict of one snake from the common picture, applying nothing; return the cause."""
    snake_at = HEADER + snake * SNAKE_WORDS
    owner = int(cells[game, words[game, snake_at + HEAD]] & OWNER)
    words[game, snake_at + VERDICT] = ALIVE_CAUSE
    if owner == snake + 1 or doubled(words, game, snake_at):
        words[game, snake_at + VERDICT] = SELF_COLLISION
        words[game, snake_at + VERDICT_BY] = snake
    elif owner > 0:
        words[game, snake_at + VERDICT] = SNAKE_COLLISION
        words[game, snake_at + VERDICT_BY] = first_body(words, game, snake_at, owner - 1)
    elif meets_a_head(words, game, snake_at, snakes_end):
        judge_meeting(words, game, snake_at, snakes_end)
    return int(words[game, snake_at + VERDICT])


@compiled
def bury_the_weak(words: Words, cells: Cells, longs: Longs, corpses: Words, game: int) -> None:
    """Bury who died of a hazard, hunger or the wall this turn: they neither block nor fight."""
    for snake in range(words[game, SNAKES]):
        snake_at = HEADER + snake * SNAKE_WORDS
        if words[game, snake_at + VERDICT] == BURIED:
            continue
        if words[game, snake_at + CAUSE] == ALIVE_CAUSE:
            if words[game, snake_at + HEALTH] <= 0:
                words[game, snake_at + CAUSE] = OUT_OF_HEALTH
            elif cells[game, unsigned(words[game, snake_at + HEAD])] & OWNER == WALL:
                words[game, snake_at + CAUSE] = WALL_COLLISION
            else:
                continue
        bury(words, cells, longs, corpses, game, snake)


@inlined
def write_heads(board: Board, words: Words, cells: Cells, game: int) -> bool:
    """Write the living heads into the grid; where any meets something, write none and return False."""
    for snake in range(board.snakes):
        snake_at = HEADER + snake * SNAKE_WORDS
        if words[game, snake_at + CAUSE] != ALIVE_CAUSE:
            continue
        head = int(words[game, snake_at + HEAD])
        if cells[game, unsigned(head)] & OWNER or doubled(words, game, snake_at):
            for before in range(snake):
                before_at = HEADER + before * SNAKE_WORDS
                if words[game, before_at + CAUSE] == ALIVE_CAUSE:
                    cells[game, unsigned(words[game, before_at + HEAD])] &= FOOD_BIT
            return False
        cells[game, unsigned(head)] |= snake + 1
    return True


@compiled
def collide(words: Words, cells: Cells, longs: Longs, corpses: Words, game: int, snakes_end: int) -> None:
    """Judge all living snakes by one picture, bury those that fall, write the survivors' heads into the grid."""
    for snake in range(words[game, SNAKES]):
        if words[game, HEADER + snake * SNAKE_WORDS + CAUSE] == ALIVE_CAUSE:
            judge(words, cells, game, snake, snakes_end)
    for snake in range(words[game, SNAKES]):
        snake_at = HEADER + snake * SNAKE_WORDS
        if words[game, snake_at + CAUSE] == ALIVE_CAUSE and words[game, snake_at + VERDICT] > 0:
            words[game, snake_at + CAUSE] = words[game, snake_at + VERDICT]
            words[game, snake_at + KILLER] = words[game, snake_at + VERDICT_BY]
            bury(words, cells, longs, corpses, game, snake)
    write_heads(board_of(words, game), words, cells, game)


@compiled
def grow_constrictors(words: Words, game: int, snakes_end: int) -> None:
    """Set every snake's health, dead ones included, and stack its tail for the next turn."""
    for snake_at in range(HEADER, snakes_end, SNAKE_WORDS):
        words[game, snake_at + HEALTH] = MAX_HEALTH
        # Of two entries both are the tail's where the head went round a board one cell wide, back to its own cell.
        # (Snakes loaded dead have no head here.)
        alike = words[game, snake_at + LENGTH] == 2 and words[game, snake_at + HEAD] > 0
        alike = alike and doubled(words, game, snake_at)
        if words[game, snake_at + STACK] == 1 and words[game, snake_at + LENGTH] > 1 and not alike:
            words[game, snake_at + STACK] = 2
            words[game, snake_at + LENGTH] += 1


@inlined
def is_over(words: Words, game: int) -> bool:
    """Return whether nobody lives (solo flag) or at most one does."""
    least = 0 if words[game, RULES] & SOLO else 1
    return bool(words[game, ALIVE] <= least)


@compiled
def initialise(words: Words, cells: Cells, game: int) -> None:
    """Run the pipeline as before turn 1, without moves: feeding and the constrictor's stages alone have an effect."""
    snakes_end = HEADER + words[game, SNAKES] * SNAKE_WORDS
    for snake_at in range(HEADER, snakes_end, SNAKE_WORDS):
        eat(words, cells, game, snake_at)
    take_eaten_food(words, cells, game, snakes_end)
    if words[game, RULES] & CONSTRICTOR:
        clear_food(words, cells, game)
        grow_constrictors(words, game, snakes_end)


@inlined
def run_stages(
    board: Board, words: Words, cells: Cells, longs: Longs, corpses: Words, moves: Moves, game: int, moving: bool
) -> None:
    """Run the ruleset's stages, but royale's, of one turn of a game that is not over; the turn number stays.

    `moves[game, snake]` is read for living snakes. With `moving` false nobody moves, but all else happens.
    Corpses, where wanted, keep what `bury` saw; growth after death shows in LENGTH and STACK alone.
    """
    snakes_end = HEADER + board.snakes * SNAKE_WORDS
    ways, wrapped = ways_of(board.width + 2), board.rules & WRAPPED != 0
    events = 0
    for snake in range(board.snakes):
        if words[game, HEADER + snake * SNAKE_WORDS + CAUSE] == ALIVE_CAUSE:
            events |= live_and_move(words, cells, moves, game, snake, moving, ways, wrapped)
    if events & ATE:
        take_eaten_food(words, cells, game, snakes_end)
    if events & WEAK:
        bury_the_weak(words, cells, longs, corpses, game)
    if not write_heads(board, words, cells, game):
        collide(words, cells, longs, corpses, game, snakes_end)
    if board.rules & CONSTRICTOR:
        clear_food(words, cells, game)
        grow_constrictors(words, game, snakes_end)
    words[game, OVER] = words[game, ALIVE] <= (0 if board.rules & SOLO else 1)


@compiled
def apply_rules(
    words: Words, cells: Cells, longs: Longs, corpses: Words, moves: Moves, game: int, moving: bool
) -> None:
    """`run_stages` of any game."""
    run_stages(board_of(words, game), words, cells, longs, corpses, moves, game, moving)
