"""What a challenger would have played: the lines that shadow mode writes."""

from pydantic import Field

from schemas.base import Frozen

SHADOW_SUFFIX = ".shadow.jsonl"


class ShadowMove(Frozen):
    """One position that was answered, and the challenger's answer to it."""

    champion: str
    challenger: str
    """Model ids."""
    game_id: str
    turn: int = Field(ge=0)
    played: str
    shadow: str
    """Moves, as words."""
    agree: bool
    played_logits: list[float] | None
    """None: the heuristic answered, since the champion could not be asked in time or knows no such game."""
    played_value: float | None
    shadow_logits: list[float]
    shadow_value: float
    dropped_before: int = Field(ge=0)
    """Positions left out since the line before, because too many waited."""


class ShadowReport(Frozen):
    """How often champion and challenger agree."""

    champion: str
    challenger: str
    games: int = Field(ge=1)
    positions: int = Field(ge=1)
    agreement: float = Field(ge=0, le=1)
    """Share of the positions on which both play the same move."""
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    """95 % interval; positions of one game count as the dependent ones they are."""
    heuristic_positions: int = Field(ge=0)
    """Of the positions, those that the heuristic answered in the champion's place."""
    dropped: int = Field(ge=0)
    unreadable_lines: int = Field(ge=0)
