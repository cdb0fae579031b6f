"""The rules of one turn, on one game's record. The only place where a snake moves, eats, grows or dies.

Every function follows `battlesnake-rules` of the official engine (movement, starvation, hazards, feeding,
elimination, constrictor; the royale stage draws, so `turn.py` adds it). Work per turn is in the number of snakes,
not of cells: heads are written into the grid only after everybody's fate is known, so that the grid holds exactly
the body entries 1.. of all snakes while collisions are judged, and a dead snake's cells are cleared once.
"""

from typing import Final

from pipeline.engine import layout
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
from pipeline.engine.layout import Moves, Record
from pipeline.engine.record import Board, board_of

ATE: Final = 1
WEAK: Final = 2  # died of a hazard, hunger or the wall


@inlined
def default_move(game: Record, snake_at: int) -> int:
    """Return the move of a snake that named none: straight on, or up while it has no direction."""
    facing = int(game.fields[snake_at + layout.FACING])
    if game.fields[snake_at + layout.LENGTH] < 2 or facing == layout.NO_DIRECTION:
        return layout.UP
    return facing


@inlined
def move_snake(game: Record, snake_at: int, move: int, ways: int, wrapped: bool) -> None:
    """Advance head and tail; the new head is not in the grid yet."""
    if move > 3:
        move = default_move(game, snake_at)
    head = int(game.fields[snake_at + layout.HEAD])
    # The old head becomes a body cell whose next cell lies in `move`.
    game.grid[unsigned(head)] = (game.grid[unsigned(head)] & (layout.OWNER | layout.FOOD_BIT)) | (
        move << layout.DIRECTION_SHIFT
    )
    game.fields[snake_at + layout.HEAD] = following(game, head, move, ways, wrapped)
    game.fields[snake_at + layout.FACING] = move
    if game.fields[snake_at + layout.STACK] > 1:
        game.fields[snake_at + layout.STACK] -= 1
    else:
        tail = int(game.fields[snake_at + layout.TAIL])
        byte = game.grid[unsigned(tail)]
        direction = (byte >> layout.DIRECTION_SHIFT) & layout.DIRECTION_MASK
        game.fields[snake_at + layout.TAIL] = following(game, tail, direction, ways, wrapped)
        game.grid[unsigned(tail)] = byte & layout.FOOD_BIT


@compiled
def lift_head(game: Record, snake_at: int) -> None:
    """Take a head that stays where it is out of the grid (turn without moves)."""
    game.grid[game.fields[snake_at + layout.HEAD]] &= layout.FOOD_BIT


@compiled
def hurt_by_hazards(game: Record, snake_at: int) -> None:
    """Apply every hazard stacked under the head, one by one, unless food lies there."""
    head = int(game.fields[snake_at + layout.HEAD])
    count = int(game.grid[game.fields[layout.AREA] + head])
    if count == 0 or game.grid[head] & layout.FOOD_BIT:
        return
    damage = int(game.fields[layout.DAMAGE])
    health = int(game.fields[snake_at + layout.HEALTH])
    for _ in range(count):
        health = min(max(health - damage, 0), layout.MAX_HEALTH)
        if health == 0:
            game.fields[snake_at + layout.CAUSE] = layout.HAZARD
    game.fields[snake_at + layout.HEALTH] = health


@inlined
def eat(game: Record, snake_at: int) -> int:
    """Let a living head on food eat; return ATE, or 0. The food stays for others until `take_eaten_food`."""
    head = int(game.fields[snake_at + layout.HEAD])
    if not game.grid[unsigned(head)] & layout.FOOD_BIT or game.fields[snake_at + layout.CAUSE] != layout.ALIVE_CAUSE:
        return 0
    game.fields[snake_at + layout.LENGTH] += 1
    game.fields[snake_at + layout.STACK] += 1
    game.fields[snake_at + layout.HEALTH] = layout.MAX_HEALTH
    return ATE


@compiled
def take_eaten_food(game: Record, snakes_end: int) -> None:
    """Remove the food under every living head, once all have eaten of it."""
    for snake_at in range(layout.HEADER, snakes_end, layout.SNAKE_FIELDS):
        head = int(game.fields[snake_at + layout.HEAD])
        if game.fields[snake_at + layout.CAUSE] == layout.ALIVE_CAUSE and game.grid[unsigned(head)] & layout.FOOD_BIT:
            remove_food(game, head)


@inlined
def live_and_move(game: Record, moves: Moves, snake: int, moving: bool, ways: int, wrapped: bool) -> int:
    """Move, starve, hurt and feed one living snake; return what happened, as bits of ATE and WEAK.

    The stages run over all snakes one after another in the official engine; since no snake's part in these
    four depends on another's, each may have all four at once, as long as eaten food stays until the end.
    """
    snake_at = layout.HEADER + snake * layout.SNAKE_FIELDS
    if moving:
        move_snake(game, snake_at, moves[snake], ways, wrapped)
    else:
        lift_head(game, snake_at)
    game.fields[snake_at + layout.HEALTH] -= 1
    if game.fields[layout.HAZARDS] > 0:
        hurt_by_hazards(game, snake_at)
    byte = game.grid[unsigned(game.fields[snake_at + layout.HEAD])]
    event = eat(game, snake_at) if byte & layout.FOOD_BIT else 0
    if game.fields[snake_at + layout.HEALTH] <= 0 or byte & layout.OWNER == layout.WALL:
        event |= WEAK
    # Healed after a hazard had already killed it: dead all the same.
    if game.fields[snake_at + layout.CAUSE] != layout.ALIVE_CAUSE:
        event |= WEAK
    return event


@compiled
def bury(game: Record, snake: int) -> None:
    """Take a snake that has just died out of the grid, keeping its last body where corpses are wanted."""
    snake_at = layout.HEADER + snake * layout.SNAKE_FIELDS
    if game.corpses.shape[0] > 0:
        body_path(game, snake_at, game.corpses[snake])
    cell = int(game.fields[snake_at + layout.TAIL])
    # By number of cells, not until the head is met: the head may lie on the snake's own body.
    for _ in range(game.fields[snake_at + layout.LENGTH] - game.fields[snake_at + layout.STACK]):
        onward = neighbour(game, cell, direction_at(game, cell))
        game.grid[unsigned(cell)] &= layout.FOOD_BIT
        cell = onward
    game.fields[snake_at + layout.VERDICT] = layout.BURIED
    game.clock[layout.DEATHS + snake] = game.clock[layout.TURN] + 1
    game.fields[layout.ALIVE] -= 1


@compiled
def meets_a_head(game: Record, snake_at: int, snakes_end: int) -> bool:
    """Return whether another living snake's head is on the same cell."""
    head = game.fields[snake_at + layout.HEAD]
    for other_at in range(layout.HEADER, snakes_end, layout.SNAKE_FIELDS):
        same_cell = game.fields[other_at + layout.HEAD] == head and other_at != snake_at
        if same_cell and game.fields[other_at + layout.CAUSE] == layout.ALIVE_CAUSE:
            return True
    return False


@inlined
def doubled(game: Record, snake_at: int) -> bool:
    """Return whether a snake of length 1 has just eaten: its second entry lies under its head, not in the grid."""
    return bool(
        game.fields[snake_at + layout.TAIL] == game.fields[snake_at + layout.HEAD]
        and game.fields[snake_at + layout.LENGTH] > 1
    )


@compiled
def judge_meeting(game: Record, snake_at: int, snakes_end: int) -> None:
    """Write the verdict on a head that shares its cell with other living heads.

    The killer is the longest of those at least as long, the first index among equals; but a doubled snake there
    (all of them have length 2) is a body in the way, whatever the lengths.
    """
    head = game.fields[snake_at + layout.HEAD]
    verdict, killer = layout.ALIVE_CAUSE, -1
    longest = int(game.fields[snake_at + layout.LENGTH]) - 1
    for other_at in range(layout.HEADER, snakes_end, layout.SNAKE_FIELDS):
        if other_at == snake_at or game.fields[other_at + layout.HEAD] != head:
            continue
        if game.fields[other_at + layout.CAUSE] != layout.ALIVE_CAUSE or verdict == layout.SNAKE_COLLISION:
            continue
        if doubled(game, other_at):
            verdict, killer = layout.SNAKE_COLLISION, (other_at - layout.HEADER) // layout.SNAKE_FIELDS
        elif game.fields[other_at + layout.LENGTH] > longest:
            longest = int(game.fields[other_at + layout.LENGTH])
            verdict, killer = layout.HEAD_COLLISION, (other_at - layout.HEADER) // layout.SNAKE_FIELDS
    game.fields[snake_at + layout.VERDICT] = verdict
    game.fields[snake_at + layout.VERDICT_BY] = killer


@compiled
def first_body(game: Record, snake_at: int, owner: int) -> int:
    """Return whose body kills a head on a cell of `owner`'s: of equally long ones the first index, doubled ones too."""
    if game.fields[layout.HEADER + owner * layout.SNAKE_FIELDS + layout.LENGTH] == 2:
        for other in range(owner):
            other_at = layout.HEADER + other * layout.SNAKE_FIELDS
            here = game.fields[other_at + layout.HEAD] == game.fields[snake_at + layout.HEAD] and other_at != snake_at
            if here and game.fields[other_at + layout.CAUSE] == layout.ALIVE_CAUSE and doubled(game, other_at):
                return other
    return owner


@compiled
def judge(game: Record, snake: int, snakes_end: int) -> int:
    """Write the collision verdict of one snake from the common picture, applying nothing; return the cause."""
    snake_at = layout.HEADER + snake * layout.SNAKE_FIELDS
    owner = int(game.grid[game.fields[snake_at + layout.HEAD]] & layout.OWNER)
    game.fields[snake_at + layout.VERDICT] = layout.ALIVE_CAUSE
    if owner == snake + 1 or doubled(game, snake_at):
        game.fields[snake_at + layout.VERDICT] = layout.SELF_COLLISION
        game.fields[snake_at + layout.VERDICT_BY] = snake
    elif owner > 0:
        game.fields[snake_at + layout.VERDICT] = layout.SNAKE_COLLISION
        game.fields[snake_at + layout.VERDICT_BY] = first_body(game, snake_at, owner - 1)
    elif meets_a_head(game, snake_at, snakes_end):
        judge_meeting(game, snake_at, snakes_end)
    return int(game.fields[snake_at + layout.VERDICT])


@compiled
def bury_the_weak(game: Record) -> None:
    """Bury who died of a hazard, hunger or the wall this turn: they neither block nor fight."""
    for snake in range(game.fields[layout.SNAKES]):
        snake_at = layout.HEADER + snake * layout.SNAKE_FIELDS
        if game.fields[snake_at + layout.VERDICT] == layout.BURIED:
            continue
        if game.fields[snake_at + layout.CAUSE] == layout.ALIVE_CAUSE:
            if game.fields[snake_at + layout.HEALTH] <= 0:
                game.fields[snake_at + layout.CAUSE] = layout.OUT_OF_HEALTH
            elif game.grid[unsigned(game.fields[snake_at + layout.HEAD])] & layout.OWNER == layout.WALL:
                game.fields[snake_at + layout.CAUSE] = layout.WALL_COLLISION
            else:
                continue
        bury(game, snake)


@inlined
def write_heads(board: Board, game: Record) -> bool:
    """Write the living heads into the grid; where any meets something, write none and return False."""
    for snake in range(board.snakes):
        snake_at = layout.HEADER + snake * layout.SNAKE_FIELDS
        if game.fields[snake_at + layout.CAUSE] != layout.ALIVE_CAUSE:
            continue
        head = int(game.fields[snake_at + layout.HEAD])
        if game.grid[unsigned(head)] & layout.OWNER or doubled(game, snake_at):
            for before in range(snake):
                before_at = layout.HEADER + before * layout.SNAKE_FIELDS
                if game.fields[before_at + layout.CAUSE] == layout.ALIVE_CAUSE:
                    game.grid[unsigned(game.fields[before_at + layout.HEAD])] &= layout.FOOD_BIT
            return False
        game.grid[unsigned(head)] |= snake + 1
    return True


@compiled
def collide(game: Record, snakes_end: int) -> None:
    """Judge all living snakes by one picture, bury those that fall, write the survivors' heads into the grid."""
    for snake in range(game.fields[layout.SNAKES]):
        if game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.CAUSE] == layout.ALIVE_CAUSE:
            judge(game, snake, snakes_end)
    for snake in range(game.fields[layout.SNAKES]):
        snake_at = layout.HEADER + snake * layout.SNAKE_FIELDS
        if game.fields[snake_at + layout.CAUSE] == layout.ALIVE_CAUSE and game.fields[snake_at + layout.VERDICT] > 0:
            game.fields[snake_at + layout.CAUSE] = game.fields[snake_at + layout.VERDICT]
            game.fields[snake_at + layout.KILLER] = game.fields[snake_at + layout.VERDICT_BY]
            bury(game, snake)
    write_heads(board_of(game), game)


@compiled
def grow_constrictors(game: Record, snakes_end: int) -> None:
    """Set every snake's health, dead ones included, and stack its tail for the next turn."""
    for snake_at in range(layout.HEADER, snakes_end, layout.SNAKE_FIELDS):
        game.fields[snake_at + layout.HEALTH] = layout.MAX_HEALTH
        # Of two entries both are the tail's where the head went round a board one cell wide, back to its own cell.
        # (Snakes loaded dead have no head here.)
        alike = game.fields[snake_at + layout.LENGTH] == 2 and game.fields[snake_at + layout.HEAD] > 0
        alike = alike and doubled(game, snake_at)
        if game.fields[snake_at + layout.STACK] == 1 and game.fields[snake_at + layout.LENGTH] > 1 and not alike:
            game.fields[snake_at + layout.STACK] = 2
            game.fields[snake_at + layout.LENGTH] += 1


@inlined
def is_over(game: Record) -> bool:
    """Return whether nobody lives (solo flag) or at most one does."""
    least = 0 if game.fields[layout.RULES] & layout.SOLO else 1
    return bool(game.fields[layout.ALIVE] <= least)


@compiled
def initialise(game: Record) -> None:
    """Run the pipeline as before turn 1, without moves: feeding and the constrictor's stages alone have an effect."""
    snakes_end = layout.HEADER + game.fields[layout.SNAKES] * layout.SNAKE_FIELDS
    for snake_at in range(layout.HEADER, snakes_end, layout.SNAKE_FIELDS):
        eat(game, snake_at)
    take_eaten_food(game, snakes_end)
    if game.fields[layout.RULES] & layout.CONSTRICTOR:
        clear_food(game)
        grow_constrictors(game, snakes_end)


@inlined
def run_stages(board: Board, game: Record, moves: Moves, moving: bool) -> None:
    """Run the ruleset's stages, but royale's, of one turn of a game that is not over; the turn number stays.

    `moves[snake]` is read for living snakes. With `moving` false nobody moves, but all else happens.
    Corpses, where wanted, keep what `bury` saw; growth after death shows in LENGTH and STACK alone.
    """
    snakes_end = layout.HEADER + board.snakes * layout.SNAKE_FIELDS
    ways, wrapped = ways_of(board.width + 2), board.rules & layout.WRAPPED != 0
    events = 0
    for snake in range(board.snakes):
        if game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.CAUSE] == layout.ALIVE_CAUSE:
            events |= live_and_move(game, moves, snake, moving, ways, wrapped)
    if events & ATE:
        take_eaten_food(game, snakes_end)
    if events & WEAK:
        bury_the_weak(game)
    if not write_heads(board, game):
        collide(game, snakes_end)
    if board.rules & layout.CONSTRICTOR:
        clear_food(game)
        grow_constrictors(game, snakes_end)
    game.fields[layout.OVER] = game.fields[layout.ALIVE] <= (0 if board.rules & layout.SOLO else 1)


@compiled
def apply_rules(game: Record, moves: Moves, moving: bool) -> None:
    """`run_stages` of any game."""
    run_stages(board_of(game), game, moves, moving)
