"""A finished game of another program's file, brought into our form."""

from dataclasses import dataclass

from pipeline.data.importers.frames import FrameReader
from schemas.game import GameLog, GameLogSettings, GameOutcome


@dataclass(frozen=True, slots=True)
class Verdict:
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
    verdict: Verdict | None = None
    """None: as its last board shows."""

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


def _outcome(game: ImportedGame, you: int) -> GameOutcome:
    """As the Go snake judges its own games: a snake alone never wins."""
    snakes = game.boards.snakes
    if len(snakes) == 1:
        return GameOutcome.DRAW if game.boards.living else GameOutcome.LOSS
    if game.winner_id is None:
        return GameOutcome.DRAW
    return GameOutcome.WIN if snakes[you].id == game.winner_id else GameOutcome.LOSS
