"""The compiled loops over a batch's games: for any game, and for the games of one board alone.

A kernel knows its `Board` when it is compiled, so that it holds that board's work and nothing else; `advance_any` reads
the same from each game's header, plays every map, and keeps tapes. Both run the same functions and agree bit for bit.
They stop at a game's end; `settle` files it and begins the next. The arrays that all three take are those of `Slots`.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np

from pipeline.engine.board import Board, board_of
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.layout import EPISODE, FOOD, OVER, SEED, TURN
from pipeline.engine.rng import derive_seed, turn_key
from pipeline.engine.rules import run_stages
from pipeline.engine.seats import choose_moves
from pipeline.engine.slots import Slots, file_game
from pipeline.engine.spawn import food_dice
from pipeline.engine.tape import hazards_print, put_start, put_turn
from pipeline.engine.turn import begin, draw_by, draw_plain

ENDED: Final = 2  # in `done`, until `settle` has filed the game: it ended, or has waited since it did


@compiled
def begin_slot(slots: Slots, game: int, follows: bool) -> int:
    """Begin the game of the slot's seed, or the one that follows its last; return FINE or why it cannot be."""
    longs = slots.longs
    if follows:
        longs[game, EPISODE] += 1
        longs[game, SEED] = derive_seed(longs[game, SEED], longs[game, EPISODE])
    problem = begin(slots.words, slots.cells, longs, game)
    if slots.tape.shape[0] > 0:
        put_start(slots.words, slots.cells, slots.tape, slots.lengths, game)
    return problem


@compiled
def begin_slots(chosen: Any, problems: Any, follows: bool, *arrays: Any) -> None:
    """`begin_slot` for each of `chosen` int64[M]; `problems` uint8[M] gets what it returns."""
    slots = Slots(*arrays)
    for index in range(chosen.shape[0]):
        problems[index] = begin_slot(slots, chosen[index], follows)


@compiled
def settle(first: int, end: int, auto_reset: bool, *arrays: Any) -> int:
    """File the games that ended and begin the next where those are wanted; return how many have turns left to play."""
    slots, going = Slots(*arrays), 0
    for game in range(first, end):
        if slots.done[game] != ENDED:
            continue
        slots.done[game] = file_game(slots, game)
        if slots.done[game] and auto_reset:
            begin_slot(slots, game, True)
            going += slots.left[game] > 0
        else:
            slots.left[game] = 0
    return going


@inlined
def may_play(slots: Slots, game: int, auto_reset: bool) -> bool:
    """Return whether a game has a turn to play; one that has waited to be filed spends this turn on that."""
    if slots.left[game] > 0 and slots.words[game, OVER]:
        slots.left[game] = slots.left[game] - 1 if auto_reset else 0
        slots.done[game] = ENDED if auto_reset else 0
        return False
    return slots.left[game] > 0


@inlined
def choose_and_apply(board: Board, slots: Slots, game: int, key: Any, random: bool) -> None:
    """Play the rules of a turn, by what stands in `actions` or by random legal moves."""
    if random:
        choose_moves(board, slots.words, slots.cells, slots.actions, game, key)
    run_stages(board, slots.words, slots.cells, slots.longs, slots.corpses, slots.actions, game, True)


@inlined
def close_turn(slots: Slots, game: int, turn_limit: int) -> bool:
    """Raise the turn number; return whether the game ended with this turn."""
    slots.longs[game, TURN] += 1
    slots.left[game] -= 1
    if turn_limit > 0 and slots.longs[game, TURN] >= turn_limit:
        slots.words[game, OVER] = 1
    if slots.words[game, OVER]:
        slots.done[game] = ENDED
    return slots.words[game, OVER] != 0


@compiled
def advance_any(first: int, end: int, turn_limit: int, auto_reset: bool, random: bool, *arrays: Any) -> int:
    """Play the games first..end-1 until each has ended or has no turns left; return the turns played."""
    slots, played = Slots(*arrays), 0
    words, cells, longs = slots.words, slots.cells, slots.longs
    for game in range(first, end):
        going = may_play(slots, game, auto_reset)
        while going and slots.left[game] > 0:
            board = board_of(words, game)
            key = turn_key(longs[game, SEED], longs[game, TURN])
            choose_and_apply(board, slots, game, key, random)
            food, before = int(words[game, FOOD]), np.uint64(0)
            if slots.tape.shape[0] > 0:
                before = hazards_print(words, cells, game)
            draw_by(board, words, cells, longs, slots.corpses, game, food_dice(key))
            if slots.tape.shape[0] > 0:
                put_turn(words, cells, longs, slots.tape, slots.lengths, game, food, before)
            played += 1
            going = not close_turn(slots, game, turn_limit)
    return played


@cache
def kernel(board: Board) -> Callable[..., int]:
    """Return `advance_any` for the games of this board alone, on a plain map and without tapes; compiled when called.

    Numba's cache on disk tells kernels apart by the numbers that they close over, so these are named one by one.
    """
    width, height, snakes, rules, number = board

    def advance(first: int, end: int, turn_limit: int, auto_reset: bool, random: bool, *arrays: Any) -> int:
        slots, played = Slots(*arrays), 0
        # As numbers like any other: numba would make code of its own for each constant.
        this = Board(
            int(np.int64(width)),
            int(np.int64(height)),
            int(np.int64(snakes)),
            int(np.int64(rules)),
            int(np.int64(number)),
        )
        longs = slots.longs
        for game in range(first, end):
            going = may_play(slots, game, auto_reset)
            while going and slots.left[game] > 0:
                key = turn_key(longs[game, SEED], longs[game, TURN])
                # Drawn before the rules, though used after: multiplications that the processor works off meanwhile.
                dice = food_dice(key)
                choose_and_apply(this, slots, game, key, random)
                draw_plain(this, slots.words, slots.cells, longs, game, dice)
                played += 1
                going = not close_turn(slots, game, turn_limit)
        return played

    return compiled(advance)
