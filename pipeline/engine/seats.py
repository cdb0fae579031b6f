"""Moves by chance among the legal ones: the player inside a batch's loop, which benchmarks and smoke tests use.

The heuristic players (`pipeline.engine.players`) have a memory of their own to carry, so their loops call
`turn.play_turn` themselves.
"""

from typing import Any, Final

from pipeline.engine import layout
from pipeline.engine.compile_cache import inlined
from pipeline.engine.grid import following, is_leaving_tail, neighbour, unsigned, ways_of
from pipeline.engine.layout import Moves, Record
from pipeline.engine.record import Board
from pipeline.engine.rng import PLAYER, choice, choices_of, count_of, draw, neighbour_stream

CALLER: Final = 255  # no player's kind: the seat's move is the caller's, what stands in the actions


@inlined
def legal_moves(game: Record, snake: int) -> int:
    """Return a mask (bit = move) of the moves that hit neither the wall nor a body that is still there next turn."""
    snake_at = layout.HEADER + snake * layout.SNAKE_FIELDS
    head = int(game.fields[snake_at + layout.HEAD])
    mask = 0
    for move in range(4):
        cell = neighbour(game, head, move)
        mask |= int(game.grid[cell] & layout.OWNER == 0) << move
    blocked = 15 - mask
    if game.fields[snake_at + layout.LENGTH] > 2:
        blocked &= ~(1 << (game.fields[snake_at + layout.FACING] ^ 1))  # the neck is no leaving tail
    while blocked:
        move = choice(choices_of(blocked), 0)
        blocked &= blocked - 1
        if is_leaving_tail(game, neighbour(game, head, move)):
            mask |= 1 << move
    return mask


@inlined
def set_leaving_tails(board: Board, game: Record, standing: int) -> None:
    """Take the tails that move away this turn out of the grid (`standing` 0), or put them back (1)."""
    for snake in range(board.snakes):
        snake_at = layout.HEADER + snake * layout.SNAKE_FIELDS
        if game.fields[snake_at + layout.CAUSE] == layout.ALIVE_CAUSE and game.fields[snake_at + layout.STACK] == 1:
            tail = int(game.fields[snake_at + layout.TAIL])
            game.grid[unsigned(tail)] = (game.grid[unsigned(tail)] & (255 - layout.OWNER)) | standing * (snake + 1)


@inlined
def random_free(board: Board, game: Record, snake: int, key: int) -> int:
    """Return a uniform move on to a cell without owner, drawn from the stream `key`, or up where there is none."""
    head = int(game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.HEAD])
    mask = 0
    ways, wrapped = ways_of(board.width + 2), board.rules & layout.WRAPPED != 0
    for move in range(4):
        there = following(game, head, move, ways, wrapped)
        mask |= int(game.grid[unsigned(there)] & layout.OWNER == 0) << move
    choices = choices_of(mask)
    return choice(choices, draw(key, 0, count_of(choices)))


@inlined
def choose_moves(board: Board, game: Record, actions: Moves, key: Any) -> None:
    """Write the random player's move for each living snake; `key` is the `turn_key`.

    The tails that leave are lifted for all at once: asked cell by cell, as `legal_moves` does, whether an occupied cell
    is one of them is a guess that the processor loses so often that it costs as much as all the rules.
    """
    set_leaving_tails(board, game, 0)
    for snake in range(board.snakes):
        if game.fields[layout.HEADER + snake * layout.SNAKE_FIELDS + layout.CAUSE] == layout.ALIVE_CAUSE:
            actions[snake] = random_free(board, game, snake, neighbour_stream(key, PLAYER + snake))
    set_leaving_tails(board, game, 1)
