"""The rules of one turn, on one game's record. The only place where a snake moves, eats, grows or dies.

Every function follows `battlesnake-rules` of the official engine (movement, starvation, hazards, feeding,
elimination, constrictor; the royale stage draws, so `turn.py` adds it). Work per turn is in the number of snakes,
not of cells: heads are written into the grid only after everybody's fate is known, so that the grid holds exactly
the body entries 1.. of all snakes while collisions are judged, and a dead snake's cells are cleared once.
"""

from typing import Final

from pipeline.engine import layout
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
from pipeline.engine.layout import Moves, Record

ATE: Final = 1
WEAK: Final = 2  # died of a hazard, hunger or the wall


@inlined
def default_move(game: Record, snake_at: int) -> int:
    """Return the move of a snake that named none: straight on, or up while it has no direction."""
    facing = int(game.words[snake_at + layout.FACING])
    if game.words[snake_at + layout.LENGTH] < 2 or facing == layout.NO_DIRECTION:
        return layout.UP
    return facing


@inlined
def move_snake(game: Record, snake_at: int, move: int, ways: int, wrapped: bool) -> None:
    """Advance head and tail; the new head is not in the grid yet."""
    if move > 3:
        move = default_move(game, snake_at)
    head = int(game.words[snake_at + layout.HEAD])
    # The old head becomes a body cell whose next cell lies in `move`.
    game.cells[unsigned(head)] = (game.cells[unsigned(head)] & (layout.OWNER | layout.FOOD_BIT)) | (
        move << layout.DIRECTION_SHIFT
    )
    game.words[snake_at + layout.HEAD] = following(game, head, move, ways, wrapped)
    game.words[snake_at + layout.FACING] = move
    if game.words[snake_at + layout.STACK] > 1:
        game.words[snake_at + layout.STACK] -= 1
    else:
        tail = int(game.words[snake_at + layout.TAIL])
        byte = game.cells[unsigned(tail)]
        direction = (byte >> layout.DIRECTION_SHIFT) & layout.DIRECTION_MASK
        game.words[snake_at + layout.TAIL] = following(game, tail, direction, ways, wrapped)
        game.cells[unsigned(tail)] = byte & layout.FOOD_BIT


@compiled
def lift_head(game: Record, snake_at: int) -> None:
    """Take a head that stays where it is out of the grid (turn without moves)."""
    game.cells[game.words[snake_at + layout.HEAD]] &= layout.FOOD_BIT


@compiled
def hurt_by_hazards(game: Record, snake_at: int) -> None:
    """Apply every hazard stacked under the head, one by one, unless food lies there."""
    head = int(game.words[snake_at + layout.HEAD])
    count = int(game.cells[game.words[layout.AREA] + head])
    if count == 0 or game.cells[head] & layout.FOOD_BIT:
        return
    damage = int(game.words[layout.DAMAGE])
    health = int(game.words[snake_at + layout.HEALTH])
    for _ in range(count):
        health = min(max(health - damage, 0), layout.MAX_HEALTH)
        if health == 0:
            game.words[snake_at + layout.CAUSE] = layout.HAZARD
    game.words[snake_at + layout.HEALTH] = health


@inlined
def eat(game: Record, snake_at: int) -> int:
    """Let a living head on food eat; return ATE, or 0. The food stays for others until `take_eaten_food`."""
    head = int(game.words[snake_at + layout.HEAD])
    if not game.cells[unsigned(head)] & layout.FOOD_BIT or game.words[snake_at + layout.CAUSE] != layout.ALIVE_CAUSE:
        return 0
    game.words[snake_at + layout.LENGTH] += 1
    game.words[snake_at + layout.STACK] += 1
    game.words[snake_at + layout.HEALTH] = layout.MAX_HEALTH
    return ATE


@compiled
def take_eaten_food(game: Record, snakes_end: int) -> None:
    """Remove the food under every living head, once all have eaten of it."""
    for snake_at in range(layout.HEADER, snakes_end, layout.SNAKE_WORDS):
        head = int(game.words[snake_at + layout.HEAD])
        if game.words[snake_at + layout.CAUSE] == layout.ALIVE_CAUSE and game.cells[unsigned(head)] & layout.FOOD_BIT:
            remove_food(game, head)


@inlined
def live_and_move(game: Record, moves: Moves, snake: int, moving: bool, ways: int, wrapped: bool) -> int:
    """Move, starve, hurt and feed one living snake; return what happened, as bits of ATE and WEAK.

    The stages run over all snakes one after another in the official engine; since no snake's part in these
    four depends on another's, each may have all four at once, as long as eaten food stays until the end.
    """
    snake_at = layout.HEADER + snake * layout.SNAKE_WORDS
    if moving:
        move_snake(game, snake_at, moves[snake], ways, wrapped)
    else:
        lift_head(game, snake_at)
    game.words[snake_at + layout.HEALTH] -= 1
    if game.words[layout.HAZARDS] > 0:
        hurt_by_hazards(game, snake_at)
    byte = game.cells[unsigned(game.words[snake_at + layout.HEAD])]
    event = eat(game, snake_at) if byte & layout.FOOD_BIT else 0
    if game.words[snake_at + layout.HEALTH] <= 0 or byte & layout.OWNER == layout.WALL:
        event |= WEAK
    # Healed after a hazard had already killed it: dead all the same.
    if game.words[snake_at + layout.CAUSE] != layout.ALIVE_CAUSE:
        event |= WEAK
    return event


@compiled
def bury(game: Record, snake: int) -> None:
    """Take a snake that has just died out of the grid, keeping its last body where corpses are wanted."""
    snake_at = layout.HEADER + snake * layout.SNAKE_WORDS
    if game.corpses.shape[0] > 0:
        body_path(game, snake_at, game.corpses[snake])
    cell = int(game.words[snake_at + layout.TAIL])
    # By number of cells, not until the head is met: the head may lie on the snake's own body.
    for _ in range(game.words[snake_at + layout.LENGTH] - game.words[snake_at + layout.STACK]):
        onward = neighbour(game, cell, direction_at(game, cell))
        game.cells[unsigned(cell)] &= layout.FOOD_BIT
        cell = onward
    game.words[snake_at + layout.VERDICT] = layout.BURIED
    game.longs[layout.LONGS + snake] = game.longs[layout.TURN] + 1
    game.words[layout.ALIVE] -= 1


@compiled
def meets_a_head(game: Record, snake_at: int, snakes_end: int) -> bool:
    """Return whether another living snake's head is on the same cell."""
    head = game.words[snake_at + layout.HEAD]
    for other_at in range(layout.HEADER, snakes_end, layout.SNAKE_WORDS):
        same_cell = game.words[other_at + layout.HEAD] == head and other_at != snake_at
        if same_cell and game.words[other_at + layout.CAUSE] == layout.ALIVE_CAUSE:
            return True
    return False


@inlined
def doubled(game: Record, snake_at: int) -> bool:
    """Return whether a snake of length 1 has just eaten: its second entry lies under its head, not in the grid."""
    return bool(
        game.words[snake_at + layout.TAIL] == game.words[snake_at + layout.HEAD]
        and game.words[snake_at + layout.LENGTH] > 1
    )


@compiled
def judge_meeting(game: Record, snake_at: int, snakes_end: int) -> None:
    """Write the verdict on a head that shares its cell with other living heads.

    The killer is the longest of those at least as long, the first index among equals; but a doubled snake there
    (all of them have length 2) is a body in the way, whatever the lengths.
    """
    head = game.words[snake_at + layout.HEAD]
    verdict, killer = layout.ALIVE_CAUSE, -1
    longest = int(game.words[snake_at + layout.LENGTH]) - 1
    for other_at in range(layout.HEADER, snakes_end, layout.SNAKE_WORDS):
        if other_at == snake_at or game.words[other_at + layout.HEAD] != head:
            continue
        if game.words[other_at + layout.CAUSE] != layout.ALIVE_CAUSE or verdict == layout.SNAKE_COLLISION:
            continue
        if doubled(game, other_at):
            verdict, killer = layout.SNAKE_COLLISION, (other_at - layout.HEADER) // layout.SNAKE_WORDS
        elif game.words[other_at + layout.LENGTH] > longest:
            longest = int(game.words[other_at + layout.LENGTH])
            verdict, killer = layout.HEAD_COLLISION, (other_at - layout.HEADER) // layout.SNAKE_WORDS
    game.words[snake_at + layout.VERDICT] = verdict
    game.words[snake_at + layout.VERDICT_BY] = killer


@compiled
def first_body(game: Record, snake_at: int, owner: int) -> int:
    """Return whose body kills a head on a cell of `owner`'s: of equally long ones the first index, doubled ones too."""
    if game.words[layout.HEADER + owner * layout.SNAKE_WORDS + layout.LENGTH] == 2:
        for other in range(owner):
            other_at = layout.HEADER + other * layout.SNAKE_WORDS
            here = game.words[other_at + layout.HEAD] == game.words[snake_at + layout.HEAD] and other_at != snake_at
            if here and game.words[other_at + layout.CAUSE] == layout.ALIVE_CAUSE and doubled(game, other_at):
                return other
    return owner


@compiled
def judge(game: Record, snake: int, snakes_end: int) -> int:
    """Write the collision verdict of one snake from the common picture, applying nothing; return the cause."""
    snake_at = layout.HEADER + snake * layout.SNAKE_WORDS
    owner = int(game.cells[game.words[snake_at + layout.HEAD]] & layout.OWNER)
    game.words[snake_at + layout.VERDICT] = layout.ALIVE_CAUSE
    if owner == snake + 1 or doubled(game, snake_at):
        game.words[snake_at + layout.VERDICT] = layout.SELF_COLLISION
        game.words[snake_at + layout.VERDICT_BY] = snake
    elif owner > 0:
        game.words[snake_at + layout.VERDICT] = layout.SNAKE_COLLISION
        game.words[snake_at + layout.VERDICT_BY] = first_body(game, snake_at, owner - 1)
    elif meets_a_head(game, snake_at, snakes_end):
        judge_meeting(game, snake_at, snakes_end)
    return int(game.words[snake_at + layout.VERDICT])


@compiled
def bury_the_weak(game: Record) -> None:
    """Bury who died of a hazard, hunger or the wall this turn: they neither block nor fight."""
    for snake in range(game.words[layout.SNAKES]):
        snake_at = layout.HEADER + snake * layout.SNAKE_WORDS
        if game.words[snake_at + layout.VERDICT] == layout.BURIED:
            continue
        if game.words[snake_at + layout.CAUSE] == layout.ALIVE_CAUSE:
            if game.words[snake_at + layout.HEALTH] <= 0:
                game.words[snake_at + layout.CAUSE] = layout.OUT_OF_HEALTH
            elif game.cells[unsigned(game.words[snake_at + layout.HEAD])] & layout.OWNER == layout.WALL:
                game.words[snake_at + layout.CAUSE] = layout.WALL_COLLISION
            else:
                continue
        bury(game, snake)


@inlined
def write_heads(board: Board, game: Record) -> bool:
    """Write the living heads into the grid; where any meets something, write none and return False."""
    for snake in range(board.snakes):
        snake_at = layout.HEADER + snake * layout.SNAKE_WORDS
        if game.words[snake_at + layout.CAUSE] != layout.ALIVE_CAUSE:
            continue
        head = int(game.words[snake_at + layout.HEAD])
        if game.cells[unsigned(head)] & layout.OWNER or doubled(game, snake_at):
            for before in range(snake):
                before_at = layout.HEADER + before * layout.SNAKE_WORDS
                if game.words[before_at + layout.CAUSE] == layout.ALIVE_CAUSE:
                    game.cells[unsigned(game.words[before_at + layout.HEAD])] &= layout.FOOD_BIT
            return False
        game.cells[unsigned(head)] |= snake + 1
    return True


@compiled
def collide(game: Record, snakes_end: int) -> None:
    """Judge all living snakes by one picture, bury those that fall, write the survivors' heads into the grid."""
    for snake in range(game.words[layout.SNAKES]):
        if game.words[layout.HEADER + snake * layout.SNAKE_WORDS + layout.CAUSE] == layout.ALIVE_CAUSE:
            judge(game, snake, snakes_end)
    for snake in range(game.words[layout.SNAKES]):
        snake_at = layout.HEADER + snake * layout.SNAKE_WORDS
        if game.words[snake_at + layout.CAUSE] == layout.ALIVE_CAUSE and game.words[snake_at + layout.VERDICT] > 0:
            game.words[snake_at + layout.CAUSE] = game.words[snake_at + layout.VERDICT]
            game.words[snake_at + layout.KILLER] = game.words[snake_at + layout.VERDICT_BY]
            bury(game, snake)
    write_heads(board_of(game), game)


@compiled
def grow_constrictors(game: Record, snakes_end: int) -> None:
    """Set every snake's health, dead ones included, and stack its tail for the next turn."""
    for snake_at in range(layout.HEADER, snakes_end, layout.SNAKE_WORDS):
        game.words[snake_at + layout.HEALTH] = layout.MAX_HEALTH
        # Of two entries both are the tail's where the head went round a board one cell wide, back to its own cell.
        # (Snakes loaded dead have no head here.)
        alike = game.words[snake_at + layout.LENGTH] == 2 and game.words[snake_at + layout.HEAD] > 0
        alike = alike and doubled(game, snake_at)
        if game.words[snake_at + layout.STACK] == 1 and game.words[snake_at + layout.LENGTH] > 1 and not alike:
            game.words[snake_at + layout.STACK] = 2
            game.words[snake_at + layout.LENGTH] += 1


@inlined
def is_over(game: Record) -> bool:
    """Return whether nobody lives (solo flag) or at most one does."""
    least = 0 if game.words[layout.RULES] & layout.SOLO else 1
    return bool(game.words[layout.ALIVE] <= least)


@compiled
def initialise(game: Record) -> None:
    """Run the pipeline as before turn 1, without moves: feeding and the constrictor's stages alone have an effect."""
    snakes_end = layout.HEADER + game.words[layout.SNAKES] * layout.SNAKE_WORDS
    for snake_at in range(layout.HEADER, snakes_end, layout.SNAKE_WORDS):
        eat(game, snake_at)
    take_eaten_food(game, snakes_end)
    if game.words[layout.RULES] & layout.CONSTRICTOR:
        clear_food(game)
        grow_constrictors(game, snakes_end)


@inlined
def run_stages(board: Board, game: Record, moves: Moves, moving: bool) -> None:
    """Run the ruleset's stages, but royale's, of one turn of a game that is not over; the turn number stays.

    `moves[snake]` is read for living snakes. With `moving` false nobody moves, but all else happens.
    Corpses, where wanted, keep what `bury` saw; growth after death shows in LENGTH and STACK alone.
    """
    snakes_end = layout.HEADER + board.snakes * layout.SNAKE_WORDS
    ways, wrapped = ways_of(board.width + 2), board.rules & layout.WRAPPED != 0
    events = 0
    for snake in range(board.snakes):
        if game.words[layout.HEADER + snake * layout.SNAKE_WORDS + layout.CAUSE] == layout.ALIVE_CAUSE:
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
    game.words[layout.OVER] = game.words[layout.ALIVE] <= (0 if board.rules & layout.SOLO else 1)


@compiled
def apply_rules(game: Record, moves: Moves, moving: bool) -> None:
    """`run_stages` of any game."""
    run_stages(board_of(game), game, moves, moving)
