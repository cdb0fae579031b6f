"""Boards that a file shows, read into the frames of a game log, and a finished game brought into our form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.game import GameLog, GameLogDeath, GameLogFrame, GameLogOutcome, GameLogSettings, GameLogSnake


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


@dataclass(frozen=True, slots=True)
class GameEnding:
    """How a file says that its game ended."""

    winner_id: str | None
    """None: a draw."""


@dataclass(frozen=True, slots=True)
class ImportedGame:
    """What a file tells of a game, in whatever form it was."""

    game_id: str
    ruleset: str
    map_id: str
    source: str
    timeout_ms: int
    settings: GameLogSettings
    width: int
    height: int
    boards: FrameReader
    verdict: GameEnding | None = None
    """None: as its last board shows."""

    def __post_init__(self) -> None:
        if not isinstance(self.game_id, str):
            raise TypeError(f"the game's id is no text: {self.game_id!r}"[:120])

    @property
    def winner_id(self) -> str | None:
        """Who won; None: nobody, or a game of one snake."""
        if self.verdict is not None:
            return self.verdict.winner_id
        living = self.boards.living
        return living[0].id if len(living) == 1 and len(self.boards.snakes) > 1 else None


def to_game_log(game: ImportedGame, you: str | None, imported_from: str) -> GameLog:
    """The game as the snake `you` (name or id) saw it; None: the first snake listed.

    Raises:
        ValueError: it has no turns, or `you` did not take part.
    """
    boards = game.boards
    if len(boards.frames) < 2 or not boards.snakes:
        raise ValueError("it has no turns")
    index = _index_of(game, you)
    return GameLog(
        game_id=game.game_id,
        ruleset=game.ruleset,
        map=game.map_id,
        source=game.source,
        timeout_ms=game.timeout_ms,
        settings=game.settings,
        width=game.width,
        height=game.height,
        you=index,
        snakes=boards.snakes,
        outcome=_outcome(game, index),
        turns=boards.frames[-1].t,
        imported_from=imported_from,
        deaths=boards.deaths or None,
        frames=boards.frames,
    )


def _index_of(game: ImportedGame, you: str | None) -> int:
    if you is None:
        return 0
    for index, snake in enumerate(game.boards.snakes):
        if you in {snake.name, snake.id}:
            return index
    names = ", ".join(snake.name for snake in game.boards.snakes)
    raise ValueError(f"no snake {you!r} took part, only {names}")


def _outcome(game: ImportedGame, you: int) -> GameLogOutcome:
    """As the Go snake judges its own games: a snake alone never wins."""
    snakes = game.boards.snakes
    if len(snakes) == 1:
        return GameLogOutcome.DRAW if game.boards.living else GameLogOutcome.LOSS
    if game.winner_id is None:
        return GameLogOutcome.DRAW
    return GameLogOutcome.WIN if snakes[you].id == game.winner_id else GameLogOutcome.LOSS
