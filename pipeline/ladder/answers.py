"""What the Arena answers, as far as we read it. Fields that we do not know are passed over: its API may grow."""

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from schemas.game import in_utc
from schemas.outside_text import NameText

_Id = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+$")]
"""An id goes into addresses and rows."""
_Word = Annotated[NameText, Field(min_length=1, max_length=32)]
_Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""It goes into a row."""
_Instant = Annotated[AwareDatetime, AfterValidator(in_utc)]


def _nothing(value: object) -> object:
    return "" if value is None else value


_TextIfAny = Annotated[NameText, BeforeValidator(_nothing)]
"""Of an account that is no more, say."""


class ArenaAnswer(BaseModel):
    """Immutable."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class OwnSnake(ArenaAnswer):
    """A snake of ours, as it is registered."""

    id: _Id
    name: NameText
    url: _TextIfAny = ""
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
    created_at: _Instant
    updated_at: _Instant

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
    updated_at: _Instant


class Leaderboard(ArenaAnswer):
    """A ladder."""

    id: _Id
    name: NameText
    active: bool = True


class RankingEntry(ArenaAnswer):
    """A snake's place on a ladder."""

    rank: _Count
    battlesnake_id: _Id
    snake_name: NameText
    owner: _TextIfAny = ""
    display_score: float
    games_played: _Count
    first_place_finishes: _Count = 0


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
