"""Moves by chance among the legal ones: the player inside a batch's loop, which benchmarks and smoke tests use.

The heuristic players (`pipeline.engine.players`) have a memory of their own to carry, so their loops call
`turn.play_turn` themselves.
"""

from typing import Any, Final

from pipeline.engine.board import Board
from pipeline.engine.choices import choice, choices_of, count_of
from pipeline.engine.compile_cache import inlined
from pipeline.engine.grid import following, neighbour, unsigned, ways_of
from pipeline.engine.layout import (
    ALIVE_CAUSE,
    CAUSE,
    FACING,
    HEAD,
    HEADER,
    LENGTH,
    OWNER,
    SNAKE_WORDS,
    STACK,
    TAIL,
    WRAPPED,
    Cells,
    Moves,
    Words,
)
from pipeline.engine.rng import PLAYER, draw, neighbour_stream

CALLER: Final = 255  # no player's kind: the seat's move is the caller's, what stands in the actions


@inlined
def is_leaving_tail(words: Words, cells: Cells, game: int, cell: int) -> bool:
    """Return whether an occupied cell is a tail that moves away this very turn."""
    owner = cells[game, cell] & OWNER
    if owner > 16:
        return False
    owner_at = HEADER + (owner - 1) * SNAKE_WORDS
    return bool(words[game, owner_at + TAIL] == cell and words[game, owner_at + STACK] == 1)


@inlined
def legal_moves(words: Words, cells: Cells, game: int, snake: int) -> int:
    """Return a mask (bit = move) of the moves that hit neither the wall nor a body that is still there next turn."""
    snake_at = HEADER + snake * SNAKE_WORDS
    head = int(words[game, snake_at + HEAD])
    mask = 0
    for move in range(4):
        cell = neighbour(words, cells, game, head, move)
        mask |= int(cells[game, cell] & OWNER == 0) << move
    blocked = 15 - mask
    if words[game, snake_at + LENGTH] > 2:
        blocked &= ~(1 << (words[game, snake_at + FACING] ^ 1))  # the neck is no leaving tail
    while blocked:
        move = choice(choices_of(blocked), 0)
        blocked &= blocked - 1
        if is_leaving_tail(words, cells, game, neighbour(words, cells, game, head, move)):
            mask |= 1 << move
    return mask


@inlined
def set_leaving_tails(board: Board, words: Words, cells: Cells, game: int, standing: int) -> None:
    """Take the tails that move away this turn out of the grid (`standing` 0), or put them back (1)."""
    for snake in range(board.snakes):
        snake_at = HEADER + snake * SNAKE_WORDS
        if words[game, snake_at + CAUSE] == ALIVE_CAUSE and words[game, snake_at + STACK] == 1:
            tail = int(words[game, snake_at + TAIL])
            cells[game, unsigned(tail)] = (cells[game, unsigned(tail)] & (255 - OWNER)) | standing * (snake + 1)


@inlined
def random_free(board: Board, words: Words, cells: Cells, game: int, snake: int, key: int) -> int:
    """Return a uniform move on to a cell without owner, drawn from the stream `key`, or up where there is none."""
    head = int(words[game, HEADER + snake * SNAKE_WORDS + HEAD])
    mask = 0
    ways, wrapped = ways_of(board.width + 2), board.rules & WRAPPED != 0
    for move in range(4):
        there = following(words, cells, game, head, move, ways, wrapped)
        mask |= int(cells[game, unsigned(there)] & OWNER == 0) << move
    choices = choices_of(mask)
    return choice(choices, draw(key, 0, count_of(choices)))


@inlined
def choose_moves(board: Board, words: Words, cells: Cells, actions: Moves, game: int, key: Any) -> None:
    """Write the random player's move for each living snake; `key` is the `turn_key`.

    The tails that leave are lifted for all at once: asked cell by cell, as `legal_moves` does, whether an occupied cell
    is one of them is a guess that the processor loses so often that it costs as much as all the rules.
    """
    set_leaving_tails(board, words, cells, game, 0)
    for snake in range(board.snakes):
        if words[game, HEADER + snake * SNAKE_WORDS + CAUSE] == ALIVE_CAUSE:
            actions[game, snake] = random_free(board, words, cells, game, snake, neighbour_stream(key, PLAYER + snake))
    set_leaving_tails(board, words, cells, game, 1)
