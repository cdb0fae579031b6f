"""What came of collecting or importing games."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.data.stored_game import StoredGame


@dataclass(frozen=True, slots=True)
class CollectedGames:
    """Games just played; `len` is their number, iterating gives them.

    new: those the store did not hold yet (0 where they were not stored). unstored: games too long for a tape.
    """

    games: list[StoredGame]
    new: int = 0
    unstored: int = 0

    def __len__(self) -> int:
        return len(self.games)

    def __iter__(self) -> Iterator[StoredGame]:
        return iter(self.games)

    @property
    def statistics(self) -> dict[str, float]:
        """games, samples (moves of all seats), new_games, average_game_length (turns), average_quality_score."""
        count = max(len(self.games), 1)
        return {
            "games": len(self.games),
            "samples": sum(game.decisions for game in self.games),
            "new_games": self.new,
            "average_game_length": sum(game.turns for game in self.games) / count,
            "average_quality_score": sum(game.quality for game in self.games) / count,
        }


@dataclass(frozen=True, slots=True)
class RefusedGame:
    """A game, or a whole file, that could not be imported."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportedGames:
    """What came of an import; `len` is the number of games that are new."""

    new: int = 0
    already_there: int = 0
    refused: list[RefusedGame] = field(default_factory=list)

    def __len__(self) -> int:
        return self.new
