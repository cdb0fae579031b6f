"""A game of the Arena as our snake saw it: from its entry in a list and its frames.

The snakes of the frames have ids of their own, one a seat; they meet those of the list by name, and where another one's
snake bears our name, by their author.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.data.importers.documents import FIELD_ERRORS, Document, in_words, lowered
from pipeline.data.importers.engine_frames import describe_arena_game, read_frames_game
from pipeline.data.importers.frames import to_game_log
from pipeline.ladder.answers import ListedGame
from schemas.game import GameLog, GameLogFrame
from schemas.outside_text import NAME_LIMIT, line

CHALLENGE: Final = "arena challenge"
"""`imported_from` of games that we asked for: kept like others', but no sign of how we do in production."""
USUAL_TIMEOUT_MS: Final = 500
_MOVES: Final = {(0, 1): "up", (0, -1): "down", (-1, 0): "left", (1, 0): "right"}
Cell = tuple[int, int]


@dataclass(frozen=True, slots=True)
class LadderGame:
    """A game that was read."""

    log: GameLog
    cause: str | None
    """Of our snake's death; empty: it lived; None: not told."""
    killed_by: str | None
    """Name of the snake that it died by; empty: none; None: not told."""
    last_move: str | None
    """The move that it died of; empty: it lived; None: not told."""


def read_ladder_game(
    listed: ListedGame, frames: Sequence[object], owners: Mapping[str, str], *, challenged: bool
) -> LadderGame:
    """Return the game, told by the first seat of ours.

    Args:
        frames: as the Arena sends them, from turn 0 to the last.
        owners: ids of our snakes, and the owner's name on the ladder ("": not known).
        challenged: we asked for this game.

    Raises:
        ValueError: it has not ended, its last turns are missing, a frame is not what it must be, or our seat cannot be
            told; names the frame.
    """
    documents = [Document(f"frame {number}", lowered(frame)) for number, frame in enumerate(frames)]
    if not documents:
        raise ValueError("it has no frames")
    try:
        seats = [_Seat.of(snake) for snake in documents[0].tree["snakes"]]
        seat_id = _our_seat(listed, owners, seats)
        imported = read_frames_game(describe_arena_game(_description(listed, seats)), documents)
        log = to_game_log(imported, seat_id, CHALLENGE if challenged else "")
        cause, killer = _death(documents[-1].tree["snakes"], seat_id)
        last_move = _last_move(documents, seat_id, listed.board)
    except FIELD_ERRORS as error:
        raise ValueError(in_words(error)) from error
    times = {"started_at": listed.created_at, "ended_at": listed.updated_at}
    names = {seat.id: seat.name for seat in seats}
    return LadderGame(log.model_copy(update=times), cause, names.get(killer, ""), last_move)


@dataclass(frozen=True, slots=True)
class _Seat:
    id: str
    name: str
    author: str

    @classmethod
    def of(cls, snake: Mapping[str, Any]) -> "_Seat":
        return cls(str(snake["id"]), line(snake["name"], NAME_LIMIT), line(snake.get("author") or "", NAME_LIMIT))


def _description(listed: ListedGame, seats: Sequence[_Seat]) -> dict[str, Any]:
    """As details would have it; a winner that was renamed since is left out."""
    tree = listed.model_dump(mode="json")
    winner = [snake.name for snake in listed.snakes if snake.id == listed.winner]
    return tree if winner and winner[0] in {seat.name for seat in seats} else tree | {"winner": None}


def _our_seat(listed: ListedGame, owners: Mapping[str, str], seats: Sequence[_Seat]) -> str:
    ours = [snake for snake in listed.snakes if snake.id in owners]
    if not ours:
        raise ValueError("no snake of ours takes part")
    ours_id, name = ours[0].id, ours[0].name
    named = [seat for seat in seats if seat.name == name]
    namesakes = [snake for snake in listed.snakes if snake.name == name]
    if named and all(snake.id in owners for snake in namesakes):
        return named[0].id
    if not named:
        return _left_over(listed, name, seats)
    by_owner = [seat for seat in named if owners[ours_id] and seat.author == owners[ours_id]]
    if len(by_owner) != sum(snake.id in owners for snake in namesakes):
        raise ValueError(f"{len(named)} snakes are named {name!r}, and their authors do not tell which is ours")
    return by_owner[0].id


def _left_over(listed: ListedGame, name: str, seats: Sequence[_Seat]) -> str:
    """The seat that bears no listed name, if it is the only one: our snake was renamed since."""
    names = {snake.name for snake in listed.snakes}
    strange = [seat for seat in seats if seat.name not in names]
    if len(strange) != 1 or len(names - {seat.name for seat in seats}) != 1:
        raise ValueError(f"no snake of its frames is named {name!r}, only {', '.join(seat.name for seat in seats)}")
    return strange[0].id


def _death(snakes: Sequence[Mapping[str, Any]], seat_id: str) -> tuple[str, str]:
    """How the snake died, and by whom; two empty words where it lives."""
    mine = next((snake for snake in snakes if str(snake["id"]) == seat_id), None)
    death = mine.get("death") if mine is not None else {"cause": "unknown"}
    if not death:
        return "", ""
    return line(str(death.get("cause") or "unknown"), 32), str(death.get("eliminatedby") or "")


def _last_move(documents: Sequence[Document], seat_id: str, board: str) -> str:
    """The dead stay in the frames as they fell, head first: how they got there is their last move."""
    width, height = (int(side) for side in board.split("x"))
    for document in reversed(documents):
        mine = next((snake for snake in document.tree["snakes"] if str(snake["id"]) == seat_id), None)
        if mine is None or not mine.get("death"):
            return ""
        if mine["death"].get("turn", document.tree["turn"]) == document.tree["turn"]:
            head, neck = ((point["x"], point["y"]) for point in mine["body"][:2])
            return move_between(neck, head, width, height)
    return ""


@dataclass(frozen=True, slots=True)
class AskedTurn:
    """A turn on which our snake was asked."""

    turn: int
    request: dict[str, Any]
    """The body of its `/move` request."""
    played: str
    """Where it went; empty: the boards do not tell (it died of it)."""


def move_between(before: Cell, after: Cell, width: int, height: int) -> str:
    """Return the move from one cell to the next, over an edge too on a wrapped board; empty: none leads there."""
    step = (after[0] - before[0], after[1] - before[1])
    if step in _MOVES:
        return _MOVES[step]
    around = {(width - 1, 0): "left", (1 - width, 0): "right", (0, height - 1): "down", (0, 1 - height): "up"}
    return around.get(step, "")


def asked_turns(log: GameLog) -> Iterator[AskedTurn]:
    """Yield each turn on which the log's own snake lived, in order.

    Raises:
        ValueError: the frames do not begin with whole bodies, or skip turns.
    """
    bodies: dict[int, list[Cell]] = {}
    food: list[Cell] = []
    hazards: list[Cell] = []
    waiting: AskedTurn | None = None
    for frame in log.frames:
        bodies = _bodies(bodies, frame)
        food = _cells(frame.f) if frame.f is not None else food
        hazards = _cells(frame.z) if frame.z is not None else hazards
        if waiting is not None:
            head = bodies[log.you][0] if log.you in bodies else None
            before = waiting.request["you"]["head"]
            played = "" if head is None else move_between((before["x"], before["y"]), head, log.width, log.height)
            yield AskedTurn(waiting.turn, waiting.request, played)
            waiting = None
        if log.you in bodies:
            waiting = AskedTurn(frame.t, _request(log, frame, bodies, food, hazards), "")


def _bodies(before: Mapping[int, list[Cell]], frame: GameLogFrame) -> dict[int, list[Cell]]:
    """As `schemas.game` has it: the new head in front, the last entry gone, then repeated up to the length."""
    if frame.b is not None:
        return {index: _cells(body) for index, body in frame.b}
    found: dict[int, list[Cell]] = {}
    for index, _, length, x, y in frame.s:
        if index not in before:
            raise ValueError(f"turn {frame.t} shows a snake that was not there before")
        body = [(x, y), *before[index][:-1]]
        found[index] = (body + [body[-1]] * length)[:length] if length > len(body) else body[:length]
    return found


def _cells(numbers: list[int] | None) -> list[Cell]:
    flat = numbers or []
    return list(zip(flat[::2], flat[1::2], strict=True))


def _request(
    log: GameLog, frame: GameLogFrame, bodies: Mapping[int, list[Cell]], food: list[Cell], hazards: list[Cell]
) -> dict[str, Any]:
    snakes = {entry[0]: _snake(log, entry[0], entry[1], bodies[entry[0]]) for entry in frame.s}
    told = log.settings
    ruleset = {
        "name": log.ruleset,
        "version": "v1",
        "settings": {
            "foodSpawnChance": told.foodSpawnChance,
            "minimumFood": told.minimumFood,
            "hazardDamagePerTurn": told.hazardDamagePerTurn,
            "royale": {"shrinkEveryNTurns": told.shrinkEveryNTurns},
        },
    }
    timeout_ms = log.timeout_ms or USUAL_TIMEOUT_MS
    return {
        "game": {"id": log.game_id, "ruleset": ruleset, "map": log.map, "source": log.source, "timeout": timeout_ms},
        "turn": frame.t,
        "board": {
            "height": log.height,
            "width": log.width,
            "food": [_point(cell) for cell in food],
            "hazards": [_point(cell) for cell in hazards],
            "snakes": list(snakes.values()),
        },
        "you": snakes[log.you],
    }


def _snake(log: GameLog, index: int, health: int, body: list[Cell]) -> dict[str, Any]:
    cells = [_point(cell) for cell in body]
    known = log.snakes[index]
    return {
        "id": known.id,
        "name": known.name,
        "health": health,
        "body": cells,
        "head": cells[0],
        "length": len(cells),
        "latency": "0",
        "shout": "",
        "squad": "",
    }


def _point(cell: Cell) -> dict[str, int]:
    return {"x": cell[0], "y": cell[1]}
