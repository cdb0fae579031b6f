"""One game as it is stored (its tape, who played it, how it ended), and what came of collecting or importing many."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from pipeline.engine.layout import ALIVE_CAUSE

IMPORTED = "imported"
"""The source of games that other programs refereed; the sources of our own are values of `DataSource`."""


@dataclass(frozen=True, slots=True)
class StoredGame:
    """A finished game. All that happened is in the tape (`engine.tape`); per seat there are tuples, seat by seat.

    game_id: digest of the tape, so that the same game is recognised wherever it comes from.
    players: `heuristic:<kind>`, `model:<id>` or `snake:<name>`.
    ranks: 1 = best, shared by those who died on one turn. causes: index into `layout.CAUSE_WORDS`, 0 = alive.
    killers: seat, -1 none. deaths: turn, 0 = alive. source: a `DataSource` value, or IMPORTED. played_at: UTC.
    quality: 0..1, see `quality.py`. seats_to_learn: whose moves are worth imitating and known for certain.
    """

    game_id: str
    seed: int
    tape: bytes
    players: tuple[str, ...]
    ranks: tuple[int, ...]
    causes: tuple[int, ...]
    killers: tuple[int, ...]
    deaths: tuple[int, ...]
    lengths: tuple[int, ...]
    turns: int
    width: int
    height: int
    ruleset: str
    map_id: str
    source: str
    played_at: datetime
    quality: float
    seats_to_learn: tuple[int, ...]

    @property
    def decisions(self) -> int:
        """Moves made by all seats together: the positions that this game holds."""
        return sum(self.turns if death == 0 else death for death in self.deaths)

    @property
    def winner(self) -> int | None:
        """The seat that alone holds rank 1 and lives; None for draws, cut games and solo games that ended in death."""
        first = [seat for seat, cause in enumerate(self.causes) if cause == ALIVE_CAUSE and self.ranks[seat] == 1]
        return first[0] if len(first) == 1 else None


def game_id_of(tape: bytes) -> str:
    """Return the id of the game that a tape records: 32 hexadecimal digits."""
    return hashlib.blake2b(tape, digest_size=16).hexdigest()


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
