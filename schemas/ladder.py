"""The public Arena: how it is spoken to, what a snake is held to there, and why a game was lost."""

from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter, field_validator

from schemas.base import Frozen
from schemas.outside_text import LineText, NameText

TOKEN_VARIABLE = "OUROBOROS_ARENA_TOKEN"
_ON_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


class ArenaSettings(Frozen):
    """The Arena's address, and how much is asked of it. Nothing is asked before there is a token."""

    base_url: str = "https://arena.battlesnake.com"
    """Where the Arena is."""
    token_file: Path | None = None
    """A file that only its owner may read (mode 0600); None: `arena/token` in the state folder, where `ouroboros arena
    login` puts the token. The environment's OUROBOROS_ARENA_TOKEN goes before both."""
    sync_minutes: float = Field(default=15, ge=0)
    """How often the daemon fetches what is new; 0: never. The Arena's matchmaker runs every 15 minutes."""
    sync_limit_s: float = Field(default=600, ge=5)
    """A synchronisation goes on at most so long; the next one goes on where it stopped."""
    call_limit_s: float = Field(default=30, gt=0, le=600)
    """A single call, from the look-up of its name to the last byte."""
    requests_per_s: float = Field(default=2, gt=0, le=1000)
    """Questions a second at most."""
    register_after_games: int = Field(default=100, ge=10)
    """Ladder games after which a snake's win rate by rating of the opponents is registered by itself."""
    explain_losses: int = Field(default=3, ge=0)
    """Lost games whose last turns are thought over after each synchronisation of the daemon, the newest first."""
    explain_turns: int = Field(default=40, ge=1, le=1000)
    """How many turns before a death are thought over at most."""
    explain_budget: int = Field(default=4000, ge=10, le=1_000_000)
    """Positions scored for each move of each of those turns."""

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError("it must be like https://arena.battlesnake.com")
        if parts.scheme == "http" and parts.hostname not in _ON_THIS_MACHINE:
            raise ValueError("the token would travel readable for all: write https://")
        return value.rstrip("/")


class RatingBand(Frozen):
    """What a snake scored against opponents of about one rating."""

    opponents: int = Field(ge=1)
    """Other snakes in the game."""
    rating_from: float | None
    """Mean rating of the rated opponents, from here on; None: from below."""
    rating_below: float | None
    """And below this; None: to above."""
    rated: bool
    """False: games in which no opponent had a rating."""
    games: int = Field(ge=1)
    score: float = Field(ge=0)
    """Points: 1 a win, 1/2 a draw."""
    win_rate: float = Field(ge=0, le=1)
    low: float
    high: float
    """With its 95 % interval (Wilson)."""

    def holds(self, opponents: int, rating: float | None) -> bool:
        """Return whether a game against so many opponents of that mean rating (None: none rated) belongs here."""
        if opponents != self.opponents or self.rated != (rating is not None):
            return False
        if rating is None:
            return True
        return (self.rating_from is None or rating >= self.rating_from) and (
            self.rating_below is None or rating < self.rating_below
        )


_BANDS = TypeAdapter(list[RatingBand])


def rating_bands(text: str) -> list[RatingBand]:
    """Read bands from JSON text.

    Raises:
        ValueError: it is none.
    """
    return _BANDS.validate_json(text)


class LadderRegistration(Frozen):
    """What a snake is held to on the ladder."""

    number: int
    snake_id: str
    snake_name: str
    games: int
    """Behind the bands."""
    up_to_result: int
    """Games of a higher number are tested against them."""
    bands: list[RatingBand]


class LadderResult(Frozen):
    """A ladder game that counts."""

    number: int
    """In the order in which they came."""
    opponents: int
    opponent_rating: float | None
    score: float


class LadderRating(Frozen):
    """A rating of a snake of ours, from `at` until the next one."""

    number: int
    at: datetime
    leaderboard_id: str
    leaderboard_name: str
    snake_id: str
    snake_name: str
    rating: float
    rank: int | None
    """None: not ranked yet."""
    games_played: int


class SyncReport(Frozen):
    """What a synchronisation with the Arena did."""

    games: int = 0
    """Kept, with their lines in the games folder."""
    refused: int = 0
    """That could not be read, and are given up."""
    waiting: int = 0
    """Listed and not kept yet."""
    running: int = 0
    requests: int = 0
    bytes_read: int = 0
    trouble: LineText = ""
    """What ended it early or could not be had, in a sentence; empty: all went well."""
    token_refused: bool = False
    notes: list[LineText] = Field(default_factory=list)
    """What else a person should know."""


class MoveThought(Frozen):
    """What the search says of one move."""

    move: str
    value: float
    """Points, by the snake's own weights, against the worst reply it finds."""
    holds: bool
    """It lives as far as the search looks, whatever the nearest opponents do."""
    depth: int = Field(ge=0)
    """Turns looked ahead."""
    positions: int = Field(ge=0)


class TurnThoughts(Frozen):
    """What our snake thinks of one turn of a game."""

    turn: int = Field(ge=0)
    played: str
    """The move that was made; empty: it cannot be told from the boards."""
    chosen: str
    """The move that our snake would make now."""
    depth: int
    positions: int
    moves: list[MoveThought]
    """Every move that does not run into a wall or a body at once, the best first."""

    @property
    def other_holding(self) -> list[MoveThought]:
        """Moves that hold, but for the one that was made."""
        return [move for move in self.moves if move.holds and move.move != self.played]


class GameWhy(Frozen):
    """Why a game was lost, as our snake sees it now."""

    game_id: str
    snake: NameText
    died_on: int
    cause: str
    killed_by: NameText
    budget: int
    """Positions scored for each move."""
    weights_sha256: str
    """Of the weights that it thought by."""
    made_at: datetime
    turns: list[TurnThoughts]
    """In the order of the game; the last one is the turn of the fatal move."""
    last_chance: int | None
    """The last turn at which a move held other than the one that was made; None: none of `turns`."""
    verdict: LineText
