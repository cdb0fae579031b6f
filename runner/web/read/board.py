"""A game log's boards one after another, and how each snake died, as far as the log tells.

The format and its rule for bodies stand in `schemas/game.py`. A log of our own snakes shows boards and no causes: a
death's cause is told only where the last board before it leaves no other; else the possible ones are named.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.game import GameLog, GameLogFrame

Cell = tuple[int, int]
STARVED, HAZARD, WALL = "out-of-health", "hazard", "wall-collision"
SELF, BODY, HEADS = "snake-self-collision", "snake-collision", "head-collision"
_STEPS = ((0, 1), (0, -1), (-1, 0), (1, 0))


@dataclass(frozen=True, slots=True)
class Piece:
    """One living snake of one turn."""

    snake: int
    health: int
    body: tuple[Cell, ...]
    """Head first."""

    @property
    def head(self) -> Cell:
        """Where its head is."""
        return self.body[0]


@dataclass(frozen=True, slots=True)
class ShownBoard:
    """One turn."""

    turn: int
    pieces: tuple[Piece, ...]
    food: tuple[Cell, ...]
    hazards: tuple[Cell, ...]
    """A cell once per layer."""

    def piece(self, snake: int) -> Piece | None:
        """A snake, None where it does not live."""
        return next((piece for piece in self.pieces if piece.snake == snake), None)


@dataclass(frozen=True, slots=True)
class Death:
    """How a snake ended."""

    snake: int
    turn: int
    """The first one without it."""
    causes: tuple[str, ...]
    """The rules' word; several where the log leaves it open; empty: nobody can say."""
    by: int | None = None
    """The snake that it ran into, or lost the heads' meeting to."""

    @property
    def cause(self) -> str:
        """The cause where it is certain, else ""."""
        return self.causes[0] if len(self.causes) == 1 else ""


@dataclass(slots=True)
class _Bodies:
    """Bodies followed from frame to frame."""

    known: dict[int, list[Cell]] = field(default_factory=dict)

    def follow(self, frame: GameLogFrame) -> None:
        """Bring them to this frame."""
        if frame.b is not None:
            self.known = {snake: cells_of(flat) for snake, flat in frame.b}
            return
        living = {}
        for snake, _, length, x, y in frame.s:
            body = [(x, y), *self.known.get(snake, [])]
            del body[max(1, len(body) - 1) :]
            while len(body) < min(length, 4_000):
                body.append(body[-1])
            living[snake] = body
        self.known = living


def cells_of(flat: Sequence[int]) -> list[Cell]:
    """x, y, x, y, ... as pairs."""
    return list(zip(flat[::2], flat[1::2], strict=False))


def boards(log: GameLog) -> Iterator[ShownBoard]:
    """The boards of a game, one frame after another; one is held at a time."""
    bodies = _Bodies()
    food: tuple[Cell, ...] = ()
    hazards: tuple[Cell, ...] = ()
    for frame in log.frames:
        bodies.follow(frame)
        food = food if frame.f is None else tuple(cells_of(frame.f))
        hazards = hazards if frame.z is None else tuple(cells_of(frame.z))
        pieces = tuple(
            Piece(snake, health, tuple(bodies.known.get(snake) or [(x, y)])) for snake, health, _, x, y in frame.s
        )
        yield ShownBoard(frame.t, pieces, food, hazards)


def deaths(log: GameLog) -> list[Death]:
    """How each snake that died did, in the order of their deaths."""
    told = {death.snake: Death(death.snake, death.turn, (death.cause,), death.by) for death in log.deaths or ()}
    found: dict[int, Death] = {}
    last: ShownBoard | None = None
    for board in boards(log):
        if last is not None:
            for piece in last.pieces:
                if board.piece(piece.snake) is None and piece.snake not in found:
                    found[piece.snake] = told.get(piece.snake) or _inferred(log, last, board, piece)
        last = board
    for snake, death in told.items():
        found.setdefault(snake, death)
    return sorted(found.values(), key=lambda death: (death.turn, death.snake))


def _inferred(log: GameLog, before: ShownBoard, after: ShownBoard, piece: Piece) -> Death:
    """What each of its moves would have led to; those that it would have lived through were not made."""
    if after.turn != before.turn + 1:
        return Death(piece.snake, after.turn, ())
    ends: dict[str, int | None] = {}
    back = (piece.body[1][0] - piece.head[0], piece.body[1][1] - piece.head[1]) if len(piece.body) > 1 else None
    for step in sorted(_STEPS, key=lambda step: step == back):
        if step != back or not ends:  # nobody turns back into its own neck who has anywhere else to go
            ends |= _ends_of(log, before, after, piece, step)
    causes = tuple(dict.fromkeys(ends))
    return Death(piece.snake, after.turn, causes, ends[causes[0]] if len(causes) == 1 else None)


def _ends_of(log: GameLog, before: ShownBoard, after: ShownBoard, piece: Piece, step: Cell) -> Mapping[str, int | None]:
    """Causes that this move may have ended in, and who did it."""
    x, y = piece.head[0] + step[0], piece.head[1] + step[1]
    if log.ruleset.startswith("wrapped") or log.map.startswith("wrapped"):
        x, y = x % log.width, y % log.height
    if not (0 <= x < log.width and 0 <= y < log.height):
        return {WALL: None}
    cell = (x, y)
    hurt = before.hazards.count(cell) * log.settings.hazardDamagePerTurn
    if piece.health - 1 <= 0 and cell not in before.food:
        return {STARVED: None}
    if hurt and piece.health - 1 - hurt <= 0 and cell not in before.food:
        return {HAZARD: None}
    if cell in piece.body[:-1]:
        return {SELF: piece.snake}
    return _met(before, after, piece, cell)


def _met(before: ShownBoard, after: ShownBoard, piece: Piece, cell: Cell) -> Mapping[str, int | None]:
    for other in after.pieces:
        if cell == other.head and len(other.body) > len(piece.body):
            return {HEADS: other.snake}
        if cell in other.body[1:]:
            return {BODY: other.snake}
    for other in before.pieces:  # those that died on this turn too left their bodies in the way
        if other.snake == piece.snake or after.piece(other.snake) is not None:
            continue
        if cell in other.body[:-1]:
            return {BODY: other.snake}
        if abs(cell[0] - other.head[0]) + abs(cell[1] - other.head[1]) == 1:
            return {HEADS: other.snake}
    return {}
