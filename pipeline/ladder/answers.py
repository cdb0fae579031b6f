"""What the Arena answers, as far as we read it. Fields that we do not know are passed over: its API may grow."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from schemas.outside_text import NameText

_Id = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+$")]
"""An id goes into addresses and rows."""
_Word = Annotated[NameText, Field(min_length=1, max_length=32)]


class ArenaAnswer(BaseModel):
    """Immutable."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class OwnSnake(ArenaAnswer):
    """A snake of ours, as it is registered."""

    id: _Id
    name: NameText
    url: NameText = ""
    is_public: bool = False


class SnakeInGame(ArenaAnswer):
    """A registered snake that takes part; its frames bear another id."""

    id: _Id
    name: NameText


class ListedGame(ArenaAnswer):
    """A game as lists show it."""

    id: _Id
    status: _Word
    winner: _Id | None = None
    snakes: list[SnakeInGame] = Field(max_length=64)
    board: _Word
    game_type: _Word
    created_at: AwareDatetime
    updated_at: AwareDatetime

    @property
    def over(self) -> bool:
        """Nothing will come any more."""
        return self.status in {"finished", "complete"}

    @property
    def failed(self) -> bool:
        """The Arena gave it up."""
        return self.status == "failed"


class GameStatus(ArenaAnswer):
    """How far a game is."""

    id: _Id
    status: _Word
    updated_at: AwareDatetime


class Leaderboard(ArenaAnswer):
    """A ladder."""

    id: _Id
    name: NameText
    active: bool = True


def _scores(value: object) -> object:
    return {} if value is None else value


class RankingEntry(ArenaAnswer):
    """A snake's place on a ladder."""

    rank: int = Field(ge=0)
    battlesnake_id: _Id
    snake_name: NameText
    owner: NameText = ""
    display_score: float
    games_played: int = Field(ge=0)
    first_place_finishes: int = Field(default=0, ge=0)
    scores: Annotated[dict[str, float], BeforeValidator(_scores)] = Field(default_factory=dict)


class Rankings(ArenaAnswer):
    """A ladder's table."""

    leaderboard_id: _Id
    leaderboard_name: NameText
    min_games: int = 0
    ranked: list[RankingEntry]
    placement: list[RankingEntry] = Field(default_factory=list)
    """Snakes with fewer than `min_games` games: not ranked yet."""


class CreatedGame(ArenaAnswer):
    """A game that we asked for."""

    id: _Id
    status: _Word


class FramesPage(ArenaAnswer):
    """A hundred frames at most; a shorter page is the last."""

    count: int = Field(ge=0)
    frames: list[dict[str, object]]
