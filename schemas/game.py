"""Finished games as JSON lines: the format `ouroboros-game-log/1`, one object a line, one file per snake and day.

Snakes append to `data/games/*.jsonl` in the state folder (ours does; its documentation, `deploy/go-snake/gamelog`, has
the same format in Go), importers write the same, triggers count the lines and the trainer reads them. Cells are x, y,
with y growing upward.

A frame tells the board of one turn: `s` the living snakes, `b` their whole bodies on the first frame and after a gap
in turns, `f` food and `z` hazards where they differ from the frame before, `l` how long answers took, `w` shouts, `k`
what our snake thought. In between a body follows from the frame before: the new head in front, then the old body
without its last entry; if the new length is greater, the last entry of the result is repeated until the length is
right. The official CLI's `/end` counts one turn more, so a snake's own
last frame may show the board before it once more, with no head moved (food and hazards may have come); that of a snake
that died on the last turn shows this turn's board under the next number.
"""

from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.base import Frozen
from schemas.outside_text import LineText, NameText
from schemas.times import to_text

GAME_LOG_FORMAT = "ouroboros-game-log/1"
GAME_LOG_SUFFIX = ".jsonl"


def in_utc(instant: datetime) -> datetime:
    """The instant; one that somebody wrote without an offset is UTC, so that it can be compared with any other.

    Raises:
        ValueError: its offset moves it out of the years that there are.
    """
    aware = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
    to_text(aware)
    return aware


_Instant = Annotated[datetime, AfterValidator(in_utc)]


class GameLogOutcome(StrEnum):
    """How a game ended for the snake that tells of it."""

    WIN = "win"
    LOSS = "loss"
    DRAW = "draw"
    """Nobody lived at the end, or the game was stopped while several did."""


class GameLogSettings(Frozen):
    """The rules' numbers, under the API's names."""

    foodSpawnChance: int = 15
    minimumFood: int = 1
    hazardDamagePerTurn: int = 14
    shrinkEveryNTurns: int = 25


class GameLogSnake(Frozen):
    """A snake that took part."""

    id: str = Field(min_length=1)
    name: NameText


class GameLogThought(Frozen):
    """What the snake whose game it is thought of a board, when it answered."""

    m: LineText
    """The move that it made."""
    v: float
    """Its value: of a search in the points of the weights, of a network -1 to 1."""
    d: int = Field(ge=0)
    """Turns looked ahead; 0: a network that does not search."""
    n: int = Field(ge=0)
    """Positions scored."""
    ms: float = Field(ge=0)
    """From the request's arrival to the answer."""
    s: list[tuple[LineText, float]] = Field(max_length=4)
    """The moves that were considered with their values (a network's: its logits), the best first. A search values the
    best alone exactly: another is worth at most what stands here."""


class GameLogFrame(Frozen):
    """The board of one turn."""

    t: int = Field(ge=0)
    s: list[tuple[int, int, int, int, int]]
    """Living snakes: index, health, length, head x, head y."""
    b: list[tuple[int, list[int]]] | None = None
    """Index and body, head first, as x, y, x, y, ...; on the first frame and after a gap in turns."""
    f: list[int] | None = None
    """Food as x, y, ...; None: as in the frame before (at first: none)."""
    z: list[int] | None = None
    """Hazards as x, y, ..., a cell once per layer; None: as in the frame before (at first: none)."""
    l: list[tuple[int, int]] | None = None  # noqa: E741 - a key of the format
    """Index and latency in ms of the answers to the turn before, of those whom the game server tells it of; None: it
    tells of none."""
    w: list[tuple[int, LineText]] | None = None
    """Index and words of the snakes that shouted; None: nobody did, or it is not told."""
    k: GameLogThought | None = None
    """What our snake thought of this board; None: it was not asked, or does not tell."""


class GameLogDeath(Frozen):
    """How a snake died, where an imported file tells."""

    snake: int = Field(ge=0)
    turn: int = Field(ge=0)
    """The first one whose board shows it no more."""
    cause: NameText
    """The rules' word: `wall-collision`, `head-collision`, ..."""
    by: int | None = None
    """Index of the snake that it was eliminated by; None: nobody, or it is not told."""


class GameLog(Frozen):
    """One finished game, as one snake saw it."""

    format: str = Field(default=GAME_LOG_FORMAT, pattern=f"^{GAME_LOG_FORMAT}$")
    game_id: str = Field(min_length=1)
    ruleset: str
    map: str
    source: str
    """As the game server sent it."""
    timeout_ms: int = Field(ge=0)
    settings: GameLogSettings
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    you: int = Field(ge=0)
    """Index into `snakes`: whose game it is."""
    snakes: list[GameLogSnake] = Field(min_length=1)
    outcome: GameLogOutcome
    turns: int = Field(ge=0)
    """The last turn number."""
    started_at: _Instant | None = None
    ended_at: _Instant | None = None
    """None where an imported file does not tell."""
    imported_from: NameText = ""
    """Name of the file it was imported from; empty: a snake of ours wrote it when the game ended."""
    model: NameText = ""
    """Name of the network that played; empty: none did, or it is not told."""
    deaths: list[GameLogDeath] | None = None
    """None: the boards alone tell who died when."""
    frames: list[GameLogFrame]

    @model_validator(mode="after")
    def _indices_are_snakes(self) -> Self:
        if self.you >= len(self.snakes):
            raise ValueError(f"you is {self.you}, but there are {len(self.snakes)} snakes")
        for frame in self.frames:
            if any(not 0 <= entry[0] < len(self.snakes) for entry in frame.s):
                raise ValueError(f"frame of turn {frame.t}: no such snake")
        if any(death.snake >= len(self.snakes) for death in self.deaths or ()):
            raise ValueError("a death of no such snake")
        return self

    def to_line(self) -> str:
        """The game as one line with its line break, the fields a frame does not change left out."""
        return self.model_dump_json(exclude_none=True) + "\n"


def replayed_game_id(run: str, job: str, number: int) -> str:
    """The id of a game of the tuner or of a tournament that was played again: 32 hexadecimal digits.

    Args:
        job: as the ledger of that run names it.
        number: of the game in the job, from 0 on.
    """
    return blake2b("\0".join((run, job, str(number))).encode(), digest_size=16).hexdigest()
