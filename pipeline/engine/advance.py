"""The compiled loops over a batch: tiles of games that stay in cache, many turns of one tile before the next."""

from typing import Final

import numpy as np
from numba import prange
from numpy.typing import NDArray

from pipeline.engine.compile_cache import compiled, compiled_parallel, inlined
from pipeline.engine.layout import (
    EPISODE,
    FOOD,
    OVER,
    SEED,
    TURN,
    Cells,
    Longs,
    Moves,
    Words,
)
from pipeline.engine.outcomes import file_outcome
from pipeline.engine.rng import derive_seed, turn_key
from pipeline.engine.rules import apply_rules
from pipeline.engine.seats import choose_moves
from pipeline.engine.tape import hazards_print, put_start, put_turn
from pipeline.engine.turn import begin, draw_turn, play_keyed

TILE: Final = 512


@compiled
def begin_slots(
    words: Words,
    cells: Cells,
    longs: Longs,
    slots: NDArray[np.int64],
    problems: Moves,
    tape: Moves,
    lengths: NDArray[np.int32],
) -> None:
    """Set up a game in each of `slots`; problems[i] = FINE or why that is impossible in slots[i]."""
    for index in range(slots.shape[0]):
        game = slots[index]
        problems[index] = begin(words, cells, longs, game)
        if tape.shape[0] > 0:
            put_start(words, cells, tape, lengths, game)


@compiled
def begin_next(words: Words, cells: Cells, longs: Longs, tape: Moves, lengths: NDArray[np.int32], game: int) -> None:
    """Start the slot's next game, with a seed derived from the last one."""
    longs[game, EPISODE] += 1
    longs[game, SEED] = derive_seed(longs[game, SEED], longs[game, EPISODE])
    begin(words, cells, longs, game)
    if tape.shape[0] > 0:
        put_start(words, cells, tape, lengths, game)


@compiled
def begin_next_of(
    words: Words, cells: Cells, longs: Longs, tape: Moves, lengths: NDArray[np.int32], slots: NDArray[np.int64]
) -> None:
    """Start the next game of each of these slots."""
    for slot in slots:
        begin_next(words, cells, longs, tape, lengths, slot)


@compiled
def finish(
    words: Words,
    cells: Cells,
    longs: Longs,
    waiting: NDArray[np.int32],
    games: NDArray[np.int64],
    snakes: NDArray[np.int32],
    kept: NDArray[np.uint8],
    kept_lengths: NDArray[np.int32],
    tape: Moves,
    lengths: NDArray[np.int32],
    game: int,
    auto_reset: bool,
) -> bool:
    """File a finished game and perhaps begin the next; False: the ring is full, the slot must wait."""
    at = waiting[game]
    if at >= games.shape[1]:
        return False
    if tape.shape[0] > 0:
        kept_lengths[game, at] = lengths[game]
        for index in range(lengths[game]):
            kept[game, at, index] = tape[game, index]
    file_outcome(words, longs, waiting, games, snakes, game)
    if auto_reset:
        begin_next(words, cells, longs, tape, lengths, game)
    return True


@compiled
def play_taped(
    words: Words,
    cells: Cells,
    longs: Longs,
    corpses: Words,
    actions: Moves,
    tape: Moves,
    lengths: NDArray[np.int32],
    game: int,
) -> None:
    """Play one whole turn, as `play_turn` does, and append it to the game's tape."""
    apply_rules(words, cells, longs, corpses, actions, game, True)
    food = int(words[game, FOOD])
    fingerprint = hazards_print(words, cells, game)
    draw_turn(words, cells, longs, corpses, game)
    put_turn(words, cells, longs, tape, lengths, game, food, fingerprint)
    longs[game, TURN] += 1


@inlined
def advance_game(
    words: Words,
    cells: Cells,
    longs: Longs,
    corpses: Words,
    actions: Moves,
    done: Moves,
    waiting: NDArray[np.int32],
    games: NDArray[np.int64],
    snakes: NDArray[np.int32],
    kept: NDArray[np.uint8],
    kept_lengths: NDArray[np.int32],
    tape: Moves,
    lengths: NDArray[np.int32],
    game: int,
    turns: int,
    turn_limit: int,
    auto_reset: bool,
    random: bool,
) -> int:
    """Play up to `turns` turns of one slot, by what stands in `actions` or by random legal moves; return how many."""
    done[game] = 0
    played = 0
    for _ in range(turns):
        if words[game, OVER]:
            # Either nobody wants a next game, or this slot waits for its outcomes to be drained.
            if not auto_reset or not finish(
                words, cells, longs, waiting, games, snakes, kept, kept_lengths, tape, lengths, game, auto_reset
            ):
                return played
            done[game] = 1
            continue
        key = turn_key(longs[game, SEED], longs[game, TURN])
        if random:
            choose_moves(words, cells, actions, game, key)
        if tape.shape[0] > 0:
            play_taped(words, cells, longs, corpses, actions, tape, lengths, game)
        else:
            play_keyed(words, cells, longs, corpses, actions, game, key)
        played += 1
        if turn_limit > 0 and longs[game, TURN] >= turn_limit:
            words[game, OVER] = 1
        if words[game, OVER]:
            done[game] = finish(
                words, cells, longs, waiting, games, snakes, kept, kept_lengths, tape, lengths, game, auto_reset
            )
    return played


@compiled
def advance_tile(
    words: Words,
    cells: Cells,
    longs: Longs,
    corpses: Words,
    actions: Moves,
    done: Moves,
    waiting: NDArray[np.int32],
    games: NDArray[np.int64],
    snakes: NDArray[np.int32],
    kept: NDArray[np.uint8],
    kept_lengths: NDArray[np.int32],
    tape: Moves,
    lengths: NDArray[np.int32],
    first: int,
    end: int,
    turns: int,
    turn_limit: int,
    auto_reset: bool,
    random: bool,
) -> int:
    """Advance the games first..end-1; return the turns played."""
    played = 0
    for game in range(first, end):
        played += advance_game(
            words,
            cells,
            longs,
            corpses,
            actions,
            done,
            waiting,
            games,
            snakes,
            kept,
            kept_lengths,
            tape,
            lengths,
            game,
            turns,
            turn_limit,
            auto_reset,
            random,
        )
    return played


@compiled_parallel
def advance_parallel(
    words: Words,
    cells: Cells,
    longs: Longs,
    corpses: Words,
    actions: Moves,
    done: Moves,
    waiting: NDArray[np.int32],
    games: NDArray[np.int64],
    snakes: NDArray[np.int32],
    kept: NDArray[np.uint8],
    kept_lengths: NDArray[np.int32],
    tape: Moves,
    lengths: NDArray[np.int32],
    tile: int,
    turns: int,
    turn_limit: int,
    auto_reset: bool,
    random: bool,
) -> int:
    """Advance all games, tiles spread over threads; return the turns played."""
    count = words.shape[0]
    played = 0
    for index in prange((count + tile - 1) // tile):
        first = index * tile
        played += advance_tile(
            words,
            cells,
            longs,
            corpses,
            actions,
            done,
            waiting,
            games,
            snakes,
            kept,
            kept_lengths,
            tape,
            lengths,
            first,
            min(first + tile, count),
            turns,
            turn_limit,
            auto_reset,
            random,
        )
    return played
