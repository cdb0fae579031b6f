"""A game of the Arena as our snake saw it: from its entry in a list and its frames.

The snakes of the frames have ids of their own, one a seat; they meet those of the list by name, and where another one's
snake bears our name, by their author.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.data.importers.arena_details import describe_arena_game
from pipeline.data.importers.documents import FIELD_ERRORS, Document, in_words, lowered
from pipeline.data.importers.engine_frames import read_frames_game
from pipeline.data.importers.imported_game import to_game_log
from pipeline.ladder.answers import ListedGame
from pipeline.ladder.boards import move_between
from schemas.game import GameLog
from schemas.outside_text import NAME_LIMIT, line

CHALLENGE: Final = "arena challenge"
"""`imported_from` of games that we asked for: kept like others', but no sign of how we do in production."""


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
