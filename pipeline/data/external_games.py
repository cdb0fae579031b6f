"""Games of other programs as stored games: their tapes found between boards, and each board proved by playing it."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.data.game_making import games_of_tapes, winners
from pipeline.data.importers.documents import UnreadablePlace, in_words
from pipeline.data.importers.frames import to_game_log
from pipeline.data.importers.reading import ReadGame, games_in
from pipeline.data.stored_game import IMPORTED, RefusedGame, StoredGame
from pipeline.engine import layout
from pipeline.engine.game_spec import RuleSettings, rules_bits
from pipeline.engine.grid import neighbour
from pipeline.engine.layout import ALIVE_CAUSE, HEADER, SNAKE_FIELDS, Records
from pipeline.engine.map_names import map_limits
from pipeline.engine.rules import apply_rules, is_over
from pipeline.engine.starts import place_snake
from pipeline.engine.state import load_hazards, put_food, write_header
from pipeline.engine.state_checks import Cell, read_food, read_hazards
from pipeline.engine.state_reading import food_cells, hazard_cells
from pipeline.engine.tape import hazards_print, put_start, put_turn, with_head
from pipeline.engine.turn import blank
from schemas.errors import DataError, GameStateError, OuroborosError
from schemas.game import GameLog, GameLogFrame, GameLogOutcome

SNAKE = "snake:"
_TAPE_START: Final = 2048
_TAPE_TURN: Final = 2048
_MOST_DEATHS_TRIED: Final = 6
"""Snakes dying on one turn beyond which 4^n tries are too many."""


def stored_games(paths: Sequence[Path], now: datetime) -> Iterator[StoredGame | RefusedGame]:
    """Yield each game of these files, or of the game files directly in these folders, or why it cannot be stored.

    Args:
        now: when they were played, for logs that do not tell.

    Raises:
        BadInputError: a path does not exist.
    """
    for found in games_in(paths):
        log = _log_of(found)
        where = str(found.path)
        yield RefusedGame(where, log.reason) if isinstance(log, UnreadablePlace) else stored_log(log, now, where)


def _log_of(found: ReadGame) -> GameLog | UnreadablePlace:
    game = found.game
    if isinstance(game, GameLog | UnreadablePlace):
        return game
    try:
        return to_game_log(game, game.winner_id, found.path.name)  # as the winner's, so that the log names it
    except ValueError as error:
        return UnreadablePlace(in_words(error))


def stored_log(log: GameLog, now: datetime, where: str = "") -> StoredGame | RefusedGame:
    """Return the game of a log, or why it cannot be stored; the winner's seat is the one to learn from."""
    played_at = log.ended_at or log.started_at or now
    players = tuple(SNAKE + snake.name for snake in log.snakes)
    try:
        game = games_of_tapes([tape_of(log)], [players], IMPORTED, played_at, winners)[0]
    except OuroborosError as error:
        return RefusedGame(where or f"game {log.game_id}", str(error))
    return _with_told_winner(game, log)


def _with_told_winner(game: StoredGame, log: GameLog) -> StoredGame:
    """A log whose boards stop before the last turn may still tell who won: then that one is first alone."""
    living = [seat for seat, cause in enumerate(game.causes) if cause == ALIVE_CAUSE]
    others = [seat for seat in living if seat != log.you]
    won = {GameLogOutcome.WIN: [log.you], GameLogOutcome.LOSS: others}.get(log.outcome, [])
    if len(living) < 2 or len(won) != 1 or won[0] not in living:
        return game
    ranks = tuple(rank if seat == won[0] else max(rank, 2) for seat, rank in enumerate(game.ranks))
    return replace(game, ranks=ranks, seats_to_learn=winners(game.players, ranks))


def tape_of(log: GameLog) -> bytes:
    """Return the tape of a logged game; its seed is 0, since nobody knows it.

    Raises:
        DataError: the log does not tell all that a tape holds, or is of a game that the rules do not explain.
    """
    frames = _as_played(log.frames)
    if gap := _gap_in(frames):
        raise DataError(f"its boards do not run from turn 0 without a gap: {gap}", where=f"game {log.game_id}")
    if {entry[0] for entry in frames[0].s} != set(range(len(log.snakes))):
        raise DataError("not every snake is on its first board", where=f"game {log.game_id}")
    try:
        return _Rebuilding(log).run(frames)
    except GameStateError as error:
        raise DataError(f"a board is none that a game can show: {error}", where=f"game {log.game_id}") from error


def _as_played(frames: Sequence[GameLogFrame]) -> Sequence[GameLogFrame]:
    """The frames by the turns that were played: the official CLI's `/end` counts one more (`schemas.game`).

    To a survivor, a last frame shows the board before again: every living snake moves each turn, so a board on which
    none has moved is no turn that was played, though the CLI lets the map spawn food and hazards in it. To a snake that
    died on the last turn, and was not asked again, it is that turn's board under the next number.
    """
    if len(frames) < 2:
        return frames
    *before, last = frames
    if last.s == before[-1].s:
        return before
    return [*before, last.model_copy(update={"t": last.t - 1})] if last.t == before[-1].t + 2 else frames


def _gap_in(frames: Sequence[GameLogFrame]) -> str:
    """The first turns that are missing, in words; "" if none is."""
    if len(frames) < 2:
        return f"there is {len(frames)} of them"
    for expected, frame in enumerate(frames):
        if frame.t != expected:
            missing = f"turn {expected}" if frame.t == expected + 1 else f"turns {expected} to {frame.t - 1}"
            return f"{missing} missing"
    return ""


def _pairs(numbers: Sequence[int] | None) -> list[list[int]]:
    flat = list(numbers or ())
    if len(flat) % 2:
        raise GameStateError("a list of x and y has an odd end")
    return [[x, y] for x, y in zip(flat[::2], flat[1::2], strict=True)]


def _cell_of(pair: Sequence[int]) -> Cell:
    return pair[0], pair[1]


class _Rebuilding:
    """One game being played again, board by board."""

    def __init__(self, log: GameLog) -> None:
        count = len(log.snakes)
        size = (log.width, log.height, count)
        if not (3 <= log.width <= layout.MAX_SIDE and 3 <= log.height <= layout.MAX_SIDE):
            raise DataError(f"a board of {log.width}x{log.height}", where=f"game {log.game_id}")
        if count > layout.MAX_SNAKES:
            raise DataError(f"{count} snakes", where=f"game {log.game_id}")
        told = log.settings
        settings = RuleSettings(
            told.hazardDamagePerTurn, told.foodSpawnChance, told.minimumFood, told.shrinkEveryNTurns
        )
        self._log = log
        self._records: Records = layout.allocate(1, [size], corpses=False)
        self._game: Final = self._records.game(0)
        self._moves: NDArray[np.uint8] = np.zeros(count, np.uint8)
        rules, number = rules_bits(log.ruleset, count == 1), map_limits(log.map).number
        write_header(self._records, 0, size, rules, number, settings)
        self._tape: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._lengths: NDArray[np.int32] = np.zeros(1, np.int32)

    def run(self, frames: Sequence[GameLogFrame]) -> bytes:
        self._tape = np.zeros(_TAPE_START + _TAPE_TURN * len(frames), np.uint8)
        self._begin(frames[0])
        put_start(self._game, self._tape, self._lengths)
        for frame in frames[1:]:
            if self._game.fields[layout.OVER]:
                raise self._refusal(frame, "the game was over by the rules before this turn")
            self._turn(frame)
        length = int(self._lengths[0])
        if length < 0:
            raise DataError("it holds more than a tape can", where=f"game {self._log.game_id}")
        return with_head(self._records, 0, 0, self._tape[:length].tobytes())

    def _begin(self, frame: GameLogFrame) -> None:
        bodies = {index: set(map(tuple, _pairs(body))) for index, body in frame.b or ()}
        blank(self._game)
        for index, health, length, x, y in sorted(frame.s):
            if length != layout.START_LENGTH or health != layout.MAX_HEALTH or bodies.get(index) != {(x, y)}:
                raise self._refusal(frame, f"snake {self._log.snakes[index].name!r} does not begin curled up in a cell")
            if not (0 <= x < self._log.width and 0 <= y < self._log.height):
                raise self._refusal(frame, f"a snake begins on {[x, y]}")
            if self._game.grid[self._cell((x, y))] & layout.OWNER:
                raise self._refusal(frame, f"two snakes begin on {[x, y]}")
            place_snake(self._game, index, x, y)
        put_food(self._records, 0, self._food(frame))
        load_hazards(self._records, 0, self._hazards(frame))
        self._game.fields[layout.OVER] = is_over(self._game)

    def _turn(self, frame: GameLogFrame) -> None:
        food = self._food(frame) if frame.f is not None else tuple(map(_cell_of, food_cells(self._records, 0)))
        self._find_moves(frame, set(food))
        food_before, print_before = int(self._game.fields[layout.FOOD]), np.uint64(hazards_print(self._game))
        there = {_cell_of(cell) for cell in food_cells(self._records, 0)}
        put_food(self._records, 0, [cell for cell in food if cell not in there])
        if frame.z is not None and sorted(map(list, self._hazards(frame))) != sorted(hazard_cells(self._records, 0)):
            load_hazards(self._records, 0, self._hazards(frame))
        put_turn(self._game, self._tape, self._lengths, food_before, print_before)
        self._game.clock[layout.TURN] += 1

    def _find_moves(self, frame: GameLogFrame, food: set[Cell]) -> None:
        """Play the moves that lead to the snakes of `frame` and leave no food but `food`."""
        arrays: tuple[NDArray[Any], ...] = self._records[:3]
        before = [array.copy() for array in arrays]
        for guess in self._guesses(frame):
            self._moves[:] = guess
            apply_rules(self._game, self._moves, True)
            left = {_cell_of(cell) for cell in food_cells(self._records, 0)}
            if self._stands() == sorted(frame.s) and left <= food:
                return
            for array, old in zip(arrays, before, strict=True):
                array[:] = old
        raise self._refusal(frame, "no moves lead from the board before to this one")

    def _guesses(self, frame: GameLogFrame) -> Iterator[tuple[int, ...]]:
        heads = {index: (x, y) for index, _, _, x, y in frame.s}
        options = [self._options(frame, seat, heads.get(seat)) for seat in range(len(self._log.snakes))]
        if sum(len(choices) > 1 for choices in options) > _MOST_DEATHS_TRIED:
            raise self._refusal(frame, "too many snakes died on this turn to find out how")
        return itertools.product(*options)

    def _options(self, frame: GameLogFrame, seat: int, head: Cell | None) -> list[int]:
        fields, at = self._game.fields, HEADER + seat * SNAKE_FIELDS
        if fields[at + layout.CAUSE] != layout.ALIVE_CAUSE:
            return [layout.UP]
        facing = int(fields[at + layout.FACING])
        if head is None:
            return sorted(range(4), key=lambda move: move != facing)
        here = int(fields[at + layout.HEAD])
        ways = [move for move in range(4) if neighbour(self._game, here, move) == self._cell(head)]
        if not ways:
            raise self._refusal(frame, f"snake {self._log.snakes[seat].name!r} jumped to {list(head)}")
        return ways[:1]

    def _stands(self) -> list[tuple[int, int, int, int, int]]:
        fields = self._records.fields[0]
        stride = int(fields[layout.STRIDE])
        standing = []
        for seat in range(len(self._log.snakes)):
            block = fields[HEADER + seat * SNAKE_FIELDS : HEADER + (seat + 1) * SNAKE_FIELDS].tolist()
            if block[layout.CAUSE] == layout.ALIVE_CAUSE:
                head = block[layout.HEAD]
                standing.append(
                    (seat, block[layout.HEALTH], block[layout.LENGTH], head % stride - 1, head // stride - 1)
                )
        return standing

    def _cell(self, cell: Cell) -> int:
        return (cell[1] + 1) * int(self._records.fields[0, layout.STRIDE]) + cell[0] + 1

    def _food(self, frame: GameLogFrame) -> tuple[Cell, ...]:
        return read_food(_pairs(frame.f), "food", self._log.width, self._log.height)

    def _hazards(self, frame: GameLogFrame) -> tuple[Cell, ...]:
        return read_hazards(_pairs(frame.z), "hazards", self._log.width, self._log.height)

    def _refusal(self, frame: GameLogFrame, what: str) -> DataError:
        return DataError(what, where=f"game {self._log.game_id}, turn {frame.t}")
