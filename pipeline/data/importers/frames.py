"""Boards that a file shows, read into the frames of a game log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.game import GameLogDeath, GameLogFrame, GameLogSnake


@dataclass(frozen=True, slots=True)
class SeenSnake:
    """A living snake of one turn; `body` head first, as x, y, x, y, ..."""

    snake_id: str
    name: str
    health: int
    body: list[int]
    latency_ms: int | None = None
    """None: not told."""
    shout: str = ""


@dataclass(frozen=True, slots=True)
class SeenBoard:
    """One turn as an imported file tells of it; `food` and `hazards` as x, y, x, y, ..."""

    turn: int
    snakes: Sequence[SeenSnake]
    food: list[int]
    hazards: list[int]


@dataclass
class FrameReader:
    """Takes boards in the order of their turns. `snakes` grows in the order of first appearance."""

    snakes: list[GameLogSnake] = field(default_factory=list)
    frames: list[GameLogFrame] = field(default_factory=list)
    deaths: list[GameLogDeath] = field(default_factory=list)
    _index: dict[str, int] = field(default_factory=dict)
    _last: SeenBoard | None = None

    @property
    def living(self) -> list[GameLogSnake]:
        """The snakes of the last board."""
        return [self.snakes[entry[0]] for entry in self.frames[-1].s] if self.frames else []

    def add(self, board: SeenBoard) -> None:
        """Append a board; one that was seen already is passed over.

        Raises:
            ValueError: a snake without a body, two with one id, a turn that was seen otherwise, or turns that go back.
        """
        last = self._last
        if last is not None and board.turn <= last.turn:
            if board == last:
                return
            again = "comes twice, with different boards" if board.turn == last.turn else f"follows turn {last.turn}"
            raise ValueError(f"turn {board.turn} {again}")
        _refuse_one_id_twice(board)
        entries = [(self._number(snake), snake) for snake in board.snakes]
        food, hazards = (last.food, last.hazards) if last is not None else ([], [])
        after_gap = last is None or board.turn != last.turn + 1
        self.frames.append(
            GameLogFrame(
                t=board.turn,
                s=[(at, seen.health, len(seen.body) // 2, seen.body[0], seen.body[1]) for at, seen in entries],
                b=[(at, seen.body) for at, seen in entries] if after_gap else None,
                f=board.food if board.food != food else None,
                z=board.hazards if board.hazards != hazards else None,
                l=[(at, seen.latency_ms) for at, seen in entries if seen.latency_ms is not None] or None,
                w=[(at, seen.shout) for at, seen in entries if seen.shout] or None,
            )
        )
        self._last = board

    def tell_death(self, snake_id: str, turn: int, cause: str, by_id: str) -> None:
        """Note how a snake died, once; one that no board showed is passed over."""
        at = self._index.get(snake_id)
        if at is None or any(death.snake == at for death in self.deaths):
            return
        self.deaths.append(GameLogDeath(snake=at, turn=turn, cause=cause, by=self._index.get(by_id)))

    def _number(self, snake: SeenSnake) -> int:
        if len(snake.body) < 2:
            raise ValueError(f"snake {snake.name!r} has no body")
        at = self._index.get(snake.snake_id)
        if at is None:
            at = self._index[snake.snake_id] = len(self.snakes)
            self.snakes.append(GameLogSnake(id=snake.snake_id, name=snake.name))
        return at


def _refuse_one_id_twice(board: SeenBoard) -> None:
    ids = [snake.snake_id for snake in board.snakes]
    for snake_id in ids:
        if ids.count(snake_id) > 1:
            raise ValueError(f"turn {board.turn} shows {ids.count(snake_id)} snakes with the same id {snake_id!r}")


def latency_of(snake: Mapping[str, Any]) -> int | None:
    """The time of a snake's answer in ms, which servers tell as a number or as text; None: not told."""
    told = snake.get("latency")
    text = str(told) if isinstance(told, int | str) else ""
    return int(text) if text.isascii() and text.isdigit() and int(text) < 1_000_000 else None


def shout_of(snake: Mapping[str, Any]) -> str:
    """What it shouted; "" for nothing."""
    told = snake.get("shout")
    return told if isinstance(told, str) else ""
