"""The bundled Go snake as an opponent and a teacher in the simulator: programs of its own that are asked for many
positions at once.

Each thinks of a counted number of positions, by no clock, and of nothing but the position in hand: on processors of
one kind what it plays does not depend on the machine, on how many are asked at once, or on what was asked before.
"""

import contextlib
import os
import select
import subprocess
import time
from collections import deque
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.bundled_snake import bundled_snake
from pipeline.engine.layout import MOVE_WORDS, Records
from pipeline.simulator.move_requests import MoveRequests
from schemas.errors import SnakeError
from schemas.outside_text import REASON_LIMIT, line
from schemas.self_play import SelfPlaySettings

GO_SNAKE: Final = 252
"""Its mark among the player kinds: no compiled player has it."""
GO_SNAKE_NAME: Final = "go_snake"
_START_LIMIT_S: Final = 60.0
_ANSWER_LIMIT_S: Final = 0.1
"""For each answer, and as much again for each 1,000 positions of the budget: a hundred times what they take."""
_PIECE_BYTES: Final = 1 << 16
_MOST_AT_ONCE: Final = 4096
_MOVE_OF: Final = np.full(256, 255, np.uint8)
_MOVE_OF[[ord(word[0]) for word in MOVE_WORDS]] = range(len(MOVE_WORDS))


class GoSnake:
    """The snake, asked by several threads at once: each is answered by a program that nobody else asks meanwhile."""

    def __init__(self, binary: Path, positions: int) -> None:
        """Take the program (`bundled_snake`), and how many positions a move it thinks of; nothing is started yet."""
        self._binary, self._positions = binary, positions
        self._idle: Final[deque[_Program]] = deque()

    def choose(self, records: Records, games: NDArray[np.int64], snakes: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the moves uint8[M] of snake snakes[i] of game games[i] of `records`, int64[M] both; each one lives.

        Raises:
            SnakeError: it does not start, answer in time, or take a position, twice running.
        """
        try:
            return self._ask(records, games, snakes)
        except SnakeError:  # ended by the machine, perhaps (no memory): another one answers the same
            return self._ask(records, games, snakes)

    def _ask(self, records: Records, games: NDArray[np.int64], snakes: NDArray[np.int64]) -> NDArray[np.uint8]:
        moves = np.empty(len(games), np.uint8)
        try:
            program = self._idle.pop()
        except IndexError:
            program = _Program(self._binary, self._positions)
        try:
            for first in range(0, len(games), _MOST_AT_ONCE):
                part = slice(first, first + _MOST_AT_ONCE)
                moves[part] = program.choose(records, games[part], snakes[part])
        except BaseException:
            program.close()
            raise
        self._idle.append(program)
        return moves

    def close(self) -> None:
        """End the programs; whoever is answered at the moment still is."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()


def go_snake_of(settings: SelfPlaySettings, folder: Path) -> GoSnake | None:
    """Return the snake as the settings ask for it, its program kept in `folder`; None: they do not.

    Raises:
        SnakeError: it does not build.
        MachineError: no Go toolchain, or no disk.
    """
    return GoSnake(bundled_snake(folder), settings.go_snake_positions) if settings.asks_go_snake else None


class _Program:
    def __init__(self, binary: Path, positions: int) -> None:
        self._where, self._requests = str(binary), MoveRequests()
        self._limit_s = _ANSWER_LIMIT_S * (1 + positions / 1000)
        command = [self._where, "-choose", str(positions)]
        try:
            # A group of its own: Ctrl+C is for the trainer, who ends the update in hand and then its programs.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, process_group=0
            )
        except OSError as error:
            raise SnakeError(f"our snake cannot be started: {error.strerror}", where=self._where) from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._ask, self._answer = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._ask, False)

    def choose(self, records: Records, games: NDArray[np.int64], snakes: NDArray[np.int64]) -> NDArray[np.uint8]:
        said = self._exchange(self._requests.lines(records, games, snakes), len(games))
        moves = _MOVE_OF[np.frombuffer(said, np.uint8)[::2]] if len(said) == 2 * len(games) else np.empty(0, np.uint8)
        if len(moves) != len(games) or (len(moves) and moves.max() > 3):
            refused = next((answer for answer in said.splitlines() if answer.startswith(b"!")), said)
            raise SnakeError(f"our snake refuses a position: {line(refused, REASON_LIMIT)}", where=self._where)
        return moves

    def _exchange(self, text: memoryview, answers: int) -> bytes:
        """Write the requests and read as many lines: both at once, for neither pipe holds them all."""
        sent, said, lines = 0, bytearray(), 0
        ends_at = time.monotonic() + _START_LIMIT_S + self._limit_s * answers
        poll = select.poll()
        poll.register(self._ask, select.POLLOUT)
        poll.register(self._answer, select.POLLIN)
        while lines < answers:
            left_s = ends_at - time.monotonic()
            if left_s <= 0:
                raise SnakeError(f"our snake has answered {lines} of {answers} positions in time", where=self._where)
            for descriptor, _ in poll.poll(1000 * left_s):
                if descriptor == self._ask:
                    sent += self._write(text[sent : sent + _PIECE_BYTES])
                    if sent == len(text):
                        poll.unregister(self._ask)
                    continue
                piece = os.read(self._answer, _PIECE_BYTES)
                if not piece:
                    raise self._gone()
                said += piece
                lines += piece.count(b"\n")
        return bytes(said)

    def _write(self, piece: memoryview) -> int:
        try:
            return os.write(self._ask, piece)
        except BlockingIOError:
            return 0
        except BrokenPipeError as error:
            raise self._gone() from error

    def _gone(self) -> SnakeError:
        self._process.kill()
        return SnakeError(f"our snake has ended in the middle, by {self._process.wait()}", where=self._where)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
