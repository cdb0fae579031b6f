"""What came of one game: who won, why each snake died, what went wrong on the wire."""

from array import array
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pipeline.referee.schedule import ScheduledGame


class Failure(StrEnum):
    """Why a snake's answer could not be used; its last valid move was played instead."""

    TIMEOUT = "timeout"
    """No whole answer within the API's time-out, connecting included."""
    CONNECTION = "connection"
    """Refused, reset, or closed in the middle of an answer."""
    BAD_HTTP = "bad_http"
    """Not HTTP, or larger than any answer may be."""
    BAD_STATUS = "bad_status"
    """A status other than 200."""
    BAD_JSON = "bad_json"
    """A body that is no JSON object, or whose `move` is no text."""
    BAD_MOVE = "bad_move"
    """A missing or misspelt `move` (the four words are lower-case)."""


class Ending(StrEnum):
    """How a game ended."""

    WON = "won"
    DRAW = "draw"
    TURN_LIMIT = "turn_limit"
    SOLO = "solo"
    """A game of one snake: it ends with that snake's death, won by nobody."""


@dataclass(frozen=True, slots=True)
class SnakeOutcome:
    """What came of one seat in one game."""

    contestant: int
    cause: str
    """The rules' word for why it died; empty: alive at the end."""
    killer: int | None
    """The seat that killed it; None: nobody, or alive. A self-collision names the snake's own seat."""
    died_on_turn: int | None
    length: int
    failures: dict[Failure, int] = field(default_factory=dict)
    """Move requests that failed, by kind; absent kinds did not happen."""
    ignored_failures: int = 0
    """Failed `/start` and `/end` requests, which the official command ignores too: no harm to the game."""
    reconnects: int = 0
    """Kept-alive connections that the server had closed just as a request went out; the request was sent again."""
    first_failure: str = ""
    """The first of `failures` or `ignored_failures` in words, with its turn; empty: there was none."""
    latencies_ms: "array[float]" = field(default_factory=lambda: array("f"))
    """Time of every move request, failed ones included."""

    @property
    def survived(self) -> bool:
        """Whether it lived when the game ended."""
        return self.cause == ""


@dataclass(frozen=True, slots=True)
class GameOutcome:
    """A finished game."""

    spec: ScheduledGame
    ending: Ending
    turns: int
    winner: int | None
    """The winning seat; None unless `ending` is WON."""
    snakes: tuple[SnakeOutcome, ...]
    """By seat."""
    duration_s: float
    transcript: str = ""
    """See `transcript_hash`."""
    replay: Path | None = None

    @property
    def failed(self) -> bool:
        """Whether any snake timed out, broke off or answered nonsense at least once."""
        return any(snake.failures for snake in self.snakes)

    def score(self, contestant: int) -> float:
        """Return the contestant's share of the point: the last ones standing share 1 between them.

        A win is 1, a draw of two 0.5 each. At the turn limit the living share; in a draw those who died last.
        """
        last = self._last_standing()
        return sum(self.snakes[seat].contestant == contestant for seat in last) / len(last)

    def _last_standing(self) -> list[int]:
        alive = [seat for seat, snake in enumerate(self.snakes) if snake.survived]
        if alive:
            return alive
        final = max(snake.died_on_turn or 0 for snake in self.snakes)
        return [seat for seat, snake in enumerate(self.snakes) if snake.died_on_turn == final]


@dataclass(frozen=True, slots=True)
class PairOutcome:
    """All games of one seed, every seating played: the unit that statistics may count."""

    pair: int
    seed: int
    games: tuple[GameOutcome, ...]
    """In the order of the schedule."""

    def score(self, contestant: int) -> float:
        """Return the contestant's mean score over the seatings, 0 to 1."""
        return sum(game.score(contestant) for game in self.games) / len(self.games)
