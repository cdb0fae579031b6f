"""The games behind a number of the tuner or of a tournament: seeds, seats, scores and causes of death."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from schemas.tuning_run import sides_of_job

GAMES_SHOWN = 400
_LONGEST_TEST = 2_000
"""Steps of a run that are looked through for those of one test."""


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
    """The games that stand behind a step, and how many there are in all: those that it counted; of a step of a test,
    which counts some at a time, all of that test until then."""
    serials = steps_of_test(rows, run, serial) or [serial]
    marks = ", ".join("?" * len(serials))
    jobs = rows.execute(
        f"SELECT job FROM jobs WHERE run = ? AND closed_by IN ({marks}) ORDER BY closed_by, job",  # noqa: S608
        (run, *serials),
    )
    return _games(rows, run, [row[0] for row in jobs.fetchall()])


def steps_of_test(rows: sqlite3.Connection, run: str, serial: int) -> list[int]:
    """The steps by which the test that a step belongs to had come as far as there; none: it belongs to no test."""
    found = rows.execute(
        "SELECT serial, json_extract(body, '$.gate') AS gate FROM steps WHERE run = ? AND serial <= ? AND serial > ? "
        "AND kind IN ('counted', 'judged') ORDER BY serial DESC",
        (run, serial, serial - _LONGEST_TEST),
    ).fetchall()
    if not found or found[0]["serial"] != serial or found[0]["gate"] is None:
        return []
    return [row["serial"] for row in found if row["gate"] == found[0]["gate"]]


def games_of_cup(
    rows: sqlite3.Connection, cup: str, first: int, second: int, names: Sequence[str]
) -> tuple[list[LedgerGame], int] | None:
    """The games of a tournament in which two entrants, by their numbers, met; None: they have not.

    Args:
        names: of all entrants; fewer where they are not known.
    """
    known = rows.execute("SELECT job FROM jobs WHERE run = ? ORDER BY job", (cup,)).fetchall()
    tables = {row[0]: _table(row[0]) for row in known}
    met = {job: table for job, table in tables.items() if {first, second} <= set(table)}
    called = {job: [names[who] for who in table] for job, table in met.items() if max(table) < len(names)}
    return _games(rows, cup, list(met), called) if met and first != second else None


def _table(job: str) -> list[int]:
    """The numbers of the entrants that meet in a tournament's job, `NAME:0-2`."""
    numbers = job.rpartition(":")[2].split("-")
    return [int(number) for number in numbers] if all(map(str.isdecimal, numbers)) else []


def has_game(rows: sqlite3.Connection, run: str, job: str, number: int) -> bool:
    """Whether a ledger keeps this game."""
    found = rows.execute("SELECT 1 FROM games WHERE run = ? AND job = ? AND number = ?", (run, job, number)).fetchone()
    return found is not None


def _games(
    rows: sqlite3.Connection, run: str, jobs: list[str], called: Mapping[str, Sequence[str]] | None = None
) -> tuple[list[LedgerGame], int]:
    """`called`: the participants' names, by job, where they have some."""
    found: list[LedgerGame] = []
    total = 0
    for job in jobs:
        known = rows.execute("SELECT kind, participants FROM jobs WHERE run = ? AND job = ?", (run, job)).fetchone()
        if known is None:
            continue
        told = orjson.loads(known["participants"])
        names = (called or {}).get(job, ())
        names = names if len(names) == len(told) else ()
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
