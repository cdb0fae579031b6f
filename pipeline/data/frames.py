"""Boards turned into the frames of a game log."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.game import GameLogFrame, GameLogSnake


@dataclass(frozen=True, slots=True)
class SeenSnake:
    """A living snake of one turn; `body` head first, as x, y, x, y, ..."""

    snake_id: str
    name: str
    health: int
    body: list[int]


@dataclass(frozen=True, slots=True)
class SeenBoard:
    """One turn as an imported file tells of it; `food` and `hazards` as x, y, x, y, ..."""

    turn: int
    snakes: Sequence[SeenSnake]
    food: list[int]
    hazards: list[int]


@dataclass
class FrameWriter:
    """Takes boards in the order of their turns. `snakes` grows in the order of first appearance."""

    snakes: list[GameLogSnake] = field(default_factory=list)
    frames: list[GameLogFrame] = field(default_factory=list)
    _index: dict[str, int] = field(default_factory=dict)
    _food: list[int] = field(default_factory=list)
    _hazards: list[int] = field(default_factory=list)

    def add(self, board: SeenBoard) -> None:
        """Append a board; a turn that was seen already is passed over.

        Raises:
            ValueError: a snake without a body, or turns that go back.
        """
        last = self.frames[-1].t if self.frames else None
        if last is not None and board.turn <= last:
            if board.turn == last:
                return
            raise ValueError(f"turn {board.turn} follows turn {last}")
        entries = [(self._number(snake), snake) for snake in board.snakes]
        after_gap = last is None or board.turn != last + 1
        self.frames.append(
            GameLogFrame(
                t=board.turn,
                s=[(at, seen.health, len(seen.body) // 2, seen.body[0], seen.body[1]) for at, seen in entries],
                b=[(at, seen.body) for at, seen in entries] if after_gap else None,
                f=board.food if board.food != self._food else None,
                z=board.hazards if board.hazards != self._hazards else None,
            )
        )
        self._food, self._hazards = board.food, board.hazards

    def _number(self, snake: SeenSnake) -> int:
        if len(snake.body) < 2:
            raise ValueError(f"snake {snake.name!r} has no body")
        at = self._index.get(snake.snake_id)
        if at is None:
            at = self._index[snake.snake_id] = len(self.snakes)
            self.snakes.append(GameLogSnake(id=snake.snake_id, name=snake.name))
        return at
