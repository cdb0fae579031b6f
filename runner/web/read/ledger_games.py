"""The games behind a number of the tuner or of a tournament: seeds, seats, scores and causes of death."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from schemas.tuning_run import sides_of_job

GAMES_SHOWN = 400


@dataclass(frozen=True, slots=True)
class LedgerSeat:
    """One snake in one game."""

    side: str
    """What it is in the run: `candidate`, `champion`, ...; empty in a tournament."""
    who: str
    """Hash of its weights, its folder or its URL; in a tournament the name that it was given."""
    score: float
    length: int
    died_on: int
    """Turn; 0: alive at the end."""
    cause: str
    failure: str
    move_ms: float | None


@dataclass(frozen=True, slots=True)
class LedgerGame:
    """One game, as the ledger keeps it: it can be played again from seed and seats, which its fingerprint proves."""

    run: str
    job: str
    kind: str
    number: int
    seed: int
    turns: int
    transcript: str
    seats: tuple[LedgerSeat, ...]


def games_of_step(rows: sqlite3.Connection, run: str, serial: int) -> tuple[list[LedgerGame], int]:
    """The games that a step counted, and how many there are in all."""
    jobs = rows.execute("SELECT job FROM jobs WHERE run = ? AND closed_by = ?", (run, serial)).fetchall()
    return _games(rows, run, [row[0] for row in jobs])


def games_of_cup(
    rows: sqlite3.Connection, cup: str, first: int, second: int, names: Sequence[str]
) -> tuple[list[LedgerGame], int] | None:
    """The games of a tournament that two entrants, by their numbers, played with each other alone; None: it has no
    such pairing.

    Args:
        names: of all entrants; fewer where they are not known.
    """
    job = f"{cup}:{min(first, second)}-{max(first, second)}"
    known = rows.execute("SELECT 1 FROM jobs WHERE run = ? AND job = ?", (cup, job)).fetchone()
    people = [names[number] for number in sorted((first, second)) if number < len(names)]
    return None if known is None else _games(rows, cup, [job], people if len(people) == 2 else ())


def has_game(rows: sqlite3.Connection, run: str, job: str, number: int) -> bool:
    """Whether a ledger keeps this game."""
    found = rows.execute("SELECT 1 FROM games WHERE run = ? AND job = ? AND number = ?", (run, job, number)).fetchone()
    return found is not None


def _games(
    rows: sqlite3.Connection, run: str, jobs: list[str], names: Sequence[str] = ()
) -> tuple[list[LedgerGame], int]:
    found: list[LedgerGame] = []
    total = 0
    for job in jobs:
        known = rows.execute("SELECT kind, participants FROM jobs WHERE run = ? AND job = ?", (run, job)).fetchone()
        if known is None:
            continue
        told = orjson.loads(known["participants"])
        people = names or [text if source != "weights" else text[:10] for source, text in told]
        sides = [""] * len(told) if names else sides_of_job(known["kind"], job, len(told))
        total += rows.execute("SELECT count(*) FROM games WHERE run = ? AND job = ?", (run, job)).fetchone()[0]
        games = rows.execute(
            "SELECT * FROM games WHERE run = ? AND job = ? ORDER BY number LIMIT ?",
            (run, job, max(0, GAMES_SHOWN - len(found))),
        )
        found += [_game(row, known["kind"], list(zip(sides, people, strict=True))) for row in games]
    return found, total


def _game(row: sqlite3.Row, kind: str, people: Sequence[tuple[str, str]]) -> LedgerGame:
    columns = (row["scores"], row["lengths"], row["died_on"], row["causes"], row["failures"], row["move_ms"])
    seats = zip(orjson.loads(row["rotation"]), *(orjson.loads(column) for column in columns), strict=True)
    return LedgerGame(
        run=row["run"],
        job=row["job"],
        kind=kind,
        number=row["number"],
        seed=row["seed"],
        turns=row["turns"],
        transcript=row["transcript"],
        seats=tuple(LedgerSeat(*people[who], *rest) for who, *rest in seats),
    )
