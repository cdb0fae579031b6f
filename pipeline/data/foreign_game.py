"""A finished game of somebody else's file, brought into our form."""

from dataclasses import dataclass

from pipeline.data.frames import FrameWriter
from schemas.game import GameLog, GameLogSettings, GameOutcome


@dataclass(frozen=True, slots=True)
class ForeignGame:
    """What a file tells of a game, in whatever form it was."""

    game_id: str
    ruleset: str
    map_id: str
    source: str
    timeout_ms: int
    settings: GameLogSettings
    width: int
    height: int
    boards: FrameWriter


def to_game_log(game: ForeignGame, you: str | None, imported_from: str) -> GameLog:
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
        outcome=_outcome({entry[0] for entry in boards.frames[-1].s}, index, alone=len(boards.snakes) == 1),
        turns=boards.frames[-1].t,
        imported_from=imported_from,
        frames=boards.frames,
    )


def _index_of(game: ForeignGame, you: str | None) -> int:
    if you is None:
        return 0
    for index, snake in enumerate(game.boards.snakes):
        if you in {snake.name, snake.id}:
            return index
    names = ", ".join(snake.name for snake in game.boards.snakes)
    raise ValueError(f"no snake {you!r} took part, only {names}")


def _outcome(living: set[int], you: int, *, alone: bool) -> GameOutcome:
    """By who lives at the end, as the Go snake judges its own games: a snake alone never wins."""
    if you in living:
        return GameOutcome.DRAW if len(living) > 1 or alone else GameOutcome.WIN
    return GameOutcome.LOSS if living or alone else GameOutcome.DRAW
