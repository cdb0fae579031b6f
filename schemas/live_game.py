"""A game that is being played now, as a file that whoever looks follows: a sample, for eyes alone.

The folder `live` of the state folder holds one small file for each kind of work. Its first line is a `LiveGame`, each
further one a turn (`GameLogFrame`, with whole bodies on the first), the last one a `LiveEnd`. The next game's file
takes its place. Nothing is kept: a restart may lose it, and a reader may miss games.

Who looks touches the file `watched`; who plays writes only while that is young, one game at a time, and after a game
waits as long as a person needs to see it. So what nobody looks at costs one look at a file every half a second.
"""

from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import Field

from schemas.base import Frozen
from schemas.outside_text import LineText, NameText

LIVE_FORMAT = "ouroboros-live-game/1"
WATCHED_FOR_S = 10.0
"""Of the file `watched`: older, and nobody looks any more."""
TURNS_PER_S = 10.0
"""As a person sees them; so long after a game of so many turns the next one is offered."""
MOST_BYTES = 2 << 20
"""Of a file; turns beyond are not shown."""


class LiveSource(StrEnum):
    """Whose games: one file each."""

    TUNER = "tuner"
    TOURNAMENT = "tournament"
    PLAY = "play"
    TRAINING = "training"


class LiveGame(Frozen):
    """What is known of a game from its start."""

    format: str = Field(default=LIVE_FORMAT, pattern=f"^{LIVE_FORMAT}$")
    game_id: str = Field(min_length=1, max_length=200)
    source: LiveSource
    about: LineText
    """What the game is for, in words."""
    ruleset: NameText
    map: NameText
    width: int = Field(ge=1, le=255)
    height: int = Field(ge=1, le=255)
    names: list[NameText] = Field(min_length=1, max_length=16)
    """By seat."""
    began_at: datetime


class LiveEnd(Frozen):
    """The end of a game: by seat why it died, the rules' word; empty: it lives."""

    causes: list[NameText]


def live_file(home: Path, source: LiveSource) -> Path:
    """Where the game of this kind of work is told."""
    return home / "live" / f"{source.value}.jsonl"


def watched_file(home: Path) -> Path:
    """What whoever looks touches."""
    return home / "live" / "watched"
