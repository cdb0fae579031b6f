"""Tournaments of snakes: who took part, and each pairing's score with its interval."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class PairingScore:
    """Two entrants of a tournament: the first one's score, with its 95 % interval."""

    first: str
    second: str
    score: float
    low: float
    high: float
    games: int


@dataclass(frozen=True, slots=True)
class Cup:
    """One tournament."""

    name: str
    snakes: tuple[str, ...]
    """In the order in which they were named."""
    format: str
    pairings: tuple[PairingScore, ...]

    @property
    def games(self) -> int:
        """Of all pairings."""
        return sum(pairing.games for pairing in self.pairings)

    @property
    def standing(self) -> Sequence[tuple[str, float]]:
        """Entrants by their share of the points, best first."""
        points: dict[str, float] = dict.fromkeys(self.snakes, 0.0)
        played: dict[str, int] = dict.fromkeys(self.snakes, 0)
        for row in self.pairings:
            for name, score in ((row.first, row.score), (row.second, 1 - row.score)):
                points[name] = points.get(name, 0.0) + score * row.games
                played[name] = played.get(name, 0) + row.games
        shares = [(name, points[name] / played[name]) for name in points if played[name]]
        return sorted(shares, key=lambda item: -item[1])

    def score(self, first: str, second: str) -> tuple[float, float, float, int] | None:
        """Score, low, high and games of the first against the second; None: they have not met."""
        for row in self.pairings:
            if (row.first, row.second) == (first, second):
                return row.score, row.low, row.high, row.games
            if (row.second, row.first) == (first, second):
                return 1 - row.score, 1 - row.high, 1 - row.low, row.games
        return None

    def number(self, name: str) -> int:
        """An entrant's number, which its jobs are named by."""
        return self.snakes.index(name) if name in self.snakes else -1


def names(rows: sqlite3.Connection) -> list[str]:
    """Of all that have results."""
    return [row[0] for row in rows.execute("SELECT DISTINCT tournament FROM pairings ORDER BY tournament LIMIT 1000")]


def pairings(rows: sqlite3.Connection, tournament: str) -> list[PairingScore]:
    """All of one tournament, by name."""
    found = rows.execute(
        "SELECT first, second, score, low, high, games FROM pairings WHERE tournament = ? ORDER BY first, second",
        (tournament,),
    )
    return [PairingScore(*row) for row in found]


def cups(rows: sqlite3.Connection, folder: Path, limit: int) -> list[Cup]:
    """Tournaments with results, the newest first as far as their files tell."""
    if not rows.execute("SELECT count(*) FROM sqlite_master WHERE name = 'pairings'").fetchone()[0]:
        return []
    newest = sorted(names(rows), key=lambda name: _written_at(folder / f"{name}.json"), reverse=True)[:limit]
    return [_cup(rows, folder, name) for name in newest]


def _cup(rows: sqlite3.Connection, folder: Path, name: str) -> Cup:
    found = pairings(rows, name)
    snakes, kind = entrants(folder, name)
    if not snakes:
        snakes = tuple(dict.fromkeys(name for row in found for name in (row.first, row.second)))
    return Cup(name, snakes, kind, tuple(found))


def entrants(folder: Path, name: str) -> tuple[tuple[str, ...], str]:
    """Who was named for a tournament, in order, and its format; nobody where its file cannot be read."""
    try:
        with (folder / f"{name}.json").open("rb") as handle:
            asked = orjson.loads(handle.read(_MOST_BYTES))
        return tuple(str(snake) for snake in asked["snakes"]), str(asked["format"])
    except (OSError, ValueError, KeyError, TypeError):
        return (), ""


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
