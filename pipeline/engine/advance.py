"""The compiled loops over a batch's games: for any game, and for the games of one board alone.

A kernel knows its `Board` when it is compiled, so that it holds that board's work and nothing else; `advance_any` reads
the same from each game's header, plays every map, and keeps tapes. Both run the same functions and agree bit for bit.
They stop at a game's end; `settle` files it and begins the next. The arrays that all three take are those of `Slots`.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.layout import DEATHS, EPISODE, FOOD, HEADER, OVER, SEED, SNAKE_FIELDS, TURN, Moves, Record
from pipeline.engine.record import Board, board_of, fetch, record_of
from pipeline.engine.rng import derive_seed, turn_key
from pipeline.engine.rules import run_stages
from pipeline.engine.seats import choose_moves
from pipeline.engine.slots import Slots, file_game
from pipeline.engine.spawn import food_dice
from pipeline.engine.tape import hazards_print, put_start, put_turn
from pipeline.engine.turn import begin, draw_by, draw_plain

ENDED: Final = 2  # in `done`, until `settle` has filed the game: it ended, or has waited since it did
_AHEAD: Final = 2  # games; so much earlier than it is played a record is asked for


@compiled
def begin_slot(slots: Slots, slot: int, follows: bool) -> int:
    """Begin the game of the slot's seed, or the one that follows its last; return FINE or why it cannot be."""
    game = record_of(slots, slot)
    if follows:
        game.clock[EPISODE] += 1
        game.clock[SEED] = derive_seed(game.clock[SEED], game.clock[EPISODE])
    problem = begin(game)
    if slots.tape.shape[0] > 0:
        put_start(game, slots.tape[slot], slots.lengths[slot : slot + 1])
    return problem


@compiled
def begin_slots(chosen: Any, problems: Any, follows: bool, *arrays: Any) -> None:
    """`begin_slot` for each of `chosen` int64[M]; `problems` uint8[M] gets what it returns."""
    slots = Slots(*arrays)
    for index in range(chosen.shape[0]):
        problems[index] = begin_slot(slots, chosen[index], follows)


@inlined
def allot(slots: Slots, first: int, end: int, turns: int) -> None:
    """Give the games first..end-1 their turns to play."""
    for slot in range(first, end):
        slots.done[slot] = 0
        slots.left[slot] = turns


@compiled
def settle(slots: Slots, first: int, end: int, auto_reset: bool) -> Any:
    """File the games that ended and begin the next where those are wanted.

    Returns how many were filed, and whether any game has turns left to play.
    """
    filed, going = 0, False
    for slot in range(first, end):
        if slots.done[slot] != ENDED:
            continue
        slots.done[slot] = file_game(slots, slot)
        filed += slots.done[slot]
        if slots.done[slot] and auto_reset:
            begin_slot(slots, slot, True)
            going |= slots.left[slot] > 0
        else:
            slots.left[slot] = 0
    return filed, going


@inlined
def may_play(slots: Slots, slot: int, game: Record, auto_reset: bool) -> bool:
    """Return whether a game has a turn to play; one that has waited to be filed spends this turn on that."""
    if slots.left[slot] > 0 and game.fields[OVER]:
        slots.left[slot] = slots.left[slot] - 1 if auto_reset else 0
        slots.done[slot] = ENDED if auto_reset else 0
        return False
    return slots.left[slot] > 0


@inlined
def choose_and_apply(board: Board, game: Record, moves: Moves, key: Any, random: bool) -> None:
    """Play the rules of a turn, by what stands in `moves` or by random legal moves."""
    if random:
        choose_moves(board, game, moves, key)
    run_stages(board, game, moves, True)


@inlined
def close_turn(slots: Slots, slot: int, game: Record, turn_limit: int) -> bool:
    """Raise the turn number; return whether the game goes on and has turns left."""
    game.clock[TURN] += 1
    slots.left[slot] -= 1
    if turn_limit > 0 and game.clock[TURN] >= turn_limit:
        game.fields[OVER] = 1
    if game.fields[OVER]:
        slots.done[slot] = ENDED
        return False
    return slots.left[slot] > 0


@compiled
def advance_any(first: int, end: int, turns: int, turn_limit: int, auto_reset: bool, random: bool, *arrays: Any) -> int:
    """Play `turns` turns of the games first..end-1, new ones begun where wanted; return the turns played.

    `filed[first]` then says how many games were filed.
    """
    slots, played, filed, going = Slots(*arrays), 0, 0, True
    taped = slots.tape.shape[0] > 0
    allot(slots, first, end, turns)
    while going:
        for slot in range(first, end):
            game, moves = record_of(slots, slot), slots.actions[slot]
            goes_on = may_play(slots, slot, game, auto_reset)
            while goes_on:
                board, key = board_of(game), turn_key(game.clock[SEED], game.clock[TURN])
                choose_and_apply(board, game, moves, key, random)
                food, before = int(game.fields[FOOD]), np.uint64(0)
                if taped:
                    before = hazards_print(game)
                draw_by(board, game, food_dice(key))
                if taped:
                    put_turn(game, slots.tape[slot], slots.lengths[slot : slot + 1], food, before)
                played += 1
                goes_on = close_turn(slots, slot, game, turn_limit)
        ended, going = settle(slots, first, end, auto_reset)
        filed += ended
    if first < end:
        slots.filed[first] = filed
    return played


@cache
def kernel(board: Board) -> Callable[..., int]:
    """Return `advance_any` for the games of this board alone, on a plain map and without tapes; compiled when called.

    Numba's cache on disk tells kernels apart by the numbers that they close over, so these are named one by one.
    """
    width, height, snakes, rules, number = board
    # What a turn reads: all before the hazards.
    size = 8 * (DEATHS + snakes) + 2 * (HEADER + SNAKE_FIELDS * snakes + width * height) + (width + 2) * (height + 2)

    def advance(first: int, end: int, turns: int, turn_limit: int, auto_reset: bool, random: bool, *arrays: Any) -> int:
        slots, played, filed, going = Slots(*arrays), 0, 0, True
        # As numbers like any other: numba would make code of its own for each constant.
        this = Board(
            int(np.int64(width)),
            int(np.int64(height)),
            int(np.int64(snakes)),
            int(np.int64(rules)),
            int(np.int64(number)),
        )
        allot(slots, first, end, turns)
        while going:
            for slot in range(first, end):
                fetch(slots, slot + _AHEAD, size)
                game, moves = record_of(slots, slot), slots.actions[slot]
                goes_on = may_play(slots, slot, game, auto_reset)
                while goes_on:
                    key = turn_key(game.clock[SEED], game.clock[TURN])
                    # Drawn before the rules, though used after: multiplications that the processor works off meanwhile.
                    dice = food_dice(key)
                    choose_and_apply(this, game, moves, key, random)
                    draw_plain(this, game, dice)
                    played += 1
                    goes_on = close_turn(slots, slot, game, turn_limit)
            ended, going = settle(slots, first, end, auto_reset)
            filed += ended
        if first < end:
            slots.filed[first] = filed
        return played

    return compiled(advance)
