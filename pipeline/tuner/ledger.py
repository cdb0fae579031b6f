"""The tuner's memory: every job, game, tell and decision in one SQLite file, committed before it counts.

A run is its first state and the steps taken since, each one a row; games are the steps' evidence. A step is one
transaction (the row, the state after it, the jobs that it closes), so a kill at any moment leaves a state that some
step ended with, and the games that had been played beyond it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import datetime
from math import isnan, nan
from pathlib import Path
from sqlite3 import Connection, connect
from typing import Any

from pipeline.tuner.jobs import (
    GameResult,
    JobFailure,
    JobKind,
    MatchJob,
    Participant,
    SourceKind,
    restored_conditions,
)
from pipeline.tuner.ledger_access import Transaction, WordedErrors, understood
from schemas.errors import StateError
from schemas.times import to_text
from schemas.tuning_run import TuningState

NAME = "ledger.db"
VERSION = 1
BUSY_TIMEOUT_S = 10.0
_SCHEMA = """
CREATE TABLE runs (
    run TEXT PRIMARY KEY, snake TEXT NOT NULL, begun_at TEXT NOT NULL, first_state TEXT NOT NULL, state TEXT NOT NULL,
    backend TEXT NOT NULL DEFAULT '', seconds REAL NOT NULL DEFAULT 0, cpu_seconds REAL NOT NULL DEFAULT 0,
    games_played INTEGER NOT NULL DEFAULT 0);
CREATE TABLE steps (
    run TEXT NOT NULL REFERENCES runs, serial INTEGER NOT NULL, at TEXT NOT NULL, kind TEXT NOT NULL,
    body TEXT NOT NULL, state_hash TEXT NOT NULL, PRIMARY KEY (run, serial)) WITHOUT ROWID;
CREATE TABLE jobs (
    run TEXT NOT NULL REFERENCES runs, job TEXT NOT NULL, kind TEXT NOT NULL, participants TEXT NOT NULL,
    line TEXT NOT NULL, seeds TEXT NOT NULL, conditions TEXT NOT NULL, closed_by INTEGER, failure TEXT,
    PRIMARY KEY (run, job)) WITHOUT ROWID;
CREATE TABLE games (
    run TEXT NOT NULL, job TEXT NOT NULL, number INTEGER NOT NULL, seed INTEGER NOT NULL, rotation TEXT NOT NULL,
    scores TEXT NOT NULL, turns INTEGER NOT NULL, lengths TEXT NOT NULL, died_on TEXT NOT NULL, causes TEXT NOT NULL,
    failures TEXT NOT NULL, move_ms TEXT NOT NULL, transcript TEXT NOT NULL,
    PRIMARY KEY (run, job, number)) WITHOUT ROWID;
CREATE TABLE texts (hash TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
"""
_GAME_LISTS = ("rotation", "scores", "lengths", "died_on", "causes", "failures")


@dataclass(frozen=True)
class LedgerStep:
    """One step of a run: what was learned or decided, and from which jobs."""

    kind: str
    """`started`, `edited`, `told`, `counted`, `judged`, `measured`, `screened`, `crossed`, `front`."""
    body: Mapping[str, Any]
    """Plain JSON: what a person or `verify` wants to know of it."""
    closes: tuple[str, ...] = ()
    """Jobs whose games it counted."""
    drops: tuple[str, ...] = ()
    """Jobs that nobody will count; their games are removed."""


@dataclass(frozen=True)
class StoredStep:
    """A step as the ledger holds it."""

    serial: int
    at: str
    kind: str
    body: dict[str, Any]
    state_hash: str


class Ledger:
    """One connection; for one process that writes, and any number that read.

    Args:
        path: the file; made if missing, unless `read_only`.

    Raises:
        StateError: no such ledger, or one of a newer version, or a damaged one.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        if read_only and not path.exists():
            raise StateError("there is no ledger yet", where=str(path), remedy="`ouroboros tune` begins one.")
        with self._told():
            target = f"{path.absolute().as_uri()}?mode=ro" if read_only else str(path)
            self._db: Connection = connect(target, timeout=BUSY_TIMEOUT_S, isolation_level=None, uri=read_only)
            if not read_only:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
            self._require_version(read_only)

    @property
    def folder(self) -> Path:
        """Where the file lies."""
        return self._path.parent

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def runs(self) -> list[str]:
        """Names of all runs, the newest first."""
        with self._told():
            return [row[0] for row in self._db.execute("SELECT run FROM runs ORDER BY begun_at DESC, run DESC")]

    def begin(self, state: TuningState, now: datetime) -> None:
        """A new run."""
        text = state.model_dump_json()
        with self._transaction():
            self._db.execute(
                "INSERT INTO runs (run, snake, begun_at, first_state, state) VALUES (?, ?, ?, ?, ?)",
                (state.campaign, state.snake, to_text(now), text, text),
            )

    def state(self, run: str) -> TuningState:
        """The state after the run's last step."""
        return self._state_in(run, "state")

    def first_state(self, run: str) -> TuningState:
        """The state that the run began with."""
        return self._state_in(run, "first_state")

    def add_step(self, step: LedgerStep, state: TuningState, state_hash: str, now: datetime) -> None:
        """Commit a step, and the state after it."""
        run = state.campaign
        with self._transaction():
            (serial,) = self._db.execute(
                "SELECT COALESCE(MAX(serial), 0) + 1 FROM steps WHERE run = ?", (run,)
            ).fetchone()
            row = (run, serial, to_text(now), step.kind, json.dumps(step.body), state_hash)
            self._db.execute("INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?)", row)
            self._db.execute("UPDATE runs SET state = ? WHERE run = ?", (state.model_dump_json(), run))
            closed = [(serial, run, job) for job in step.closes]
            self._db.executemany("UPDATE jobs SET closed_by = ? WHERE run = ? AND job = ?", closed)
            for job in step.drops:
                self._db.execute("DELETE FROM games WHERE run = ? AND job = ?", (run, job))
                self._db.execute("DELETE FROM jobs WHERE run = ? AND job = ?", (run, job))

    def steps(self, run: str, kind: str | None = None) -> Iterator[StoredStep]:
        """A run's steps in their order."""
        with self._told():
            rows = self._db.execute(
                "SELECT serial, at, kind, body, state_hash FROM steps WHERE run = ? AND kind = COALESCE(?, kind) "
                "ORDER BY serial",
                (run, kind),
            )
            for serial, at, name, body, state_hash in rows:
                with understood(self._path, run):
                    told = json.loads(body)
                yield StoredStep(serial, at, name, told, state_hash)

    def last_record(self, run: str) -> StoredStep | None:
        """The last step that closed an iteration: its body holds the log's line as `record`."""
        with self._told():
            row = self._db.execute(
                "SELECT serial, at, kind, body, state_hash FROM steps WHERE run = ? "
                "AND json_type(body, '$.record') = 'object' ORDER BY serial DESC LIMIT 1",
                (run,),
            ).fetchone()
        return StoredStep(row[0], row[1], row[2], json.loads(row[3]), row[4]) if row else None

    def add_jobs(self, run: str, jobs: Sequence[MatchJob], digests: Mapping[str, str]) -> None:
        """Note what is about to be played.

        A job that was noted before and has not been counted keeps the games that are still those it asks for: all of
        them where nothing has changed, those of the same seeds where it is longer or shorter now, none where its snakes
        or its conditions are others by now (a start with other settings).

        Args:
            digests: text -> hash of the participants' texts.
        """
        with self._transaction():
            for job in jobs:
                people = [[who.source.value, digests.get(who.text, who.text)] for who in job.participants]
                told = (json.dumps(people), json.dumps(job.line), json.dumps(asdict(job.conditions)))
                self._forget_others_games(run, job, told)
                self._db.execute(
                    "INSERT OR IGNORE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
                    (run, job.id, job.kind.value, told[0], told[1], json.dumps(job.seeds), told[2]),
                )
            rows = [(digest, text) for text, digest in digests.items()]
            self._db.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?)", rows)

    def _forget_others_games(self, run: str, job: MatchJob, told: tuple[str, str, str]) -> None:
        row = self._db.execute(
            "SELECT participants, line, conditions, seeds FROM jobs WHERE run = ? AND job = ? AND closed_by IS NULL",
            (run, job.id),
        ).fetchone()
        if row is None or row == (*told, json.dumps(job.seeds)):
            return
        seeds = list(zip(json.loads(row[3]), job.seeds, strict=False))
        same = row[:3] == told and all(before == now for before, now in seeds)
        kept = len(seeds) * len(job.rotations) if same else 0
        self._db.execute("DELETE FROM games WHERE run = ? AND job = ? AND number >= ?", (run, job.id, kept))
        self._db.execute("DELETE FROM jobs WHERE run = ? AND job = ?", (run, job.id))

    def add_games(self, run: str, games: Sequence[tuple[str, int, GameResult]]) -> None:
        """Commit finished games: job, number in it, result. One that is there already stays as it is."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO games VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        run,
                        job,
                        number,
                        game.seed,
                        json.dumps(game.rotation),
                        json.dumps(game.scores),
                        game.turns,
                        json.dumps(game.lengths),
                        json.dumps(game.died_on),
                        json.dumps(game.causes),
                        json.dumps(game.failures),
                        json.dumps([None if isnan(ms) else ms for ms in game.move_ms]),
                        game.transcript,
                    )
                    for job, number, game in games
                ],
            )
            self._db.execute("UPDATE runs SET games_played = games_played + ? WHERE run = ?", (len(games), run))

    def fail_job(self, run: str, failure: JobFailure) -> None:
        """Note that a job cannot be played."""
        words = json.dumps([failure.what, failure.where, failure.remedy])
        with self._transaction():
            self._db.execute("UPDATE jobs SET failure = ? WHERE run = ? AND job = ?", (words, run, failure.job_id))

    def games(self, run: str, job: str) -> dict[int, GameResult]:
        """The games of a job that were played, by number."""
        found = {}
        with self._told():
            rows = self._db.execute(
                "SELECT number, seed, rotation, scores, turns, lengths, died_on, causes, failures, move_ms, transcript "
                "FROM games WHERE run = ? AND job = ? ORDER BY number",
                (run, job),
            )
            for number, seed, rotation, scores, turns, lengths, died_on, causes, failures, move_ms, transcript in rows:
                texts = (rotation, scores, lengths, died_on, causes, failures)
                own = dict(zip(_GAME_LISTS, (tuple(json.loads(text)) for text in texts), strict=True))
                times = tuple(nan if ms is None else ms for ms in json.loads(move_ms))
                found[number] = GameResult(seed=seed, turns=turns, transcript=transcript, move_ms=times, **own)
        return found

    def job(self, run: str, job: str) -> MatchJob | None:
        """A job as it was noted; None: there is none.

        Raises:
            StateError: its row is of another version, or damaged.
        """
        with self._told():
            row = self._db.execute(
                "SELECT kind, participants, line, seeds, conditions FROM jobs WHERE run = ? AND job = ?", (run, job)
            ).fetchone()
        if row is None:
            return None
        try:
            kind, (people, line, seeds, conditions) = row[0], map(json.loads, row[1:])
            participants = tuple(Participant(SourceKind(source), self._text(source, text)) for source, text in people)
            return MatchJob(
                job, JobKind(kind), participants, tuple(line), tuple(seeds), restored_conditions(conditions)
            )
        except (ValueError, TypeError, KeyError) as error:
            raise StateError(f"job {job!r} of {run!r} cannot be read: {error}", where=str(self._path)) from error

    def failure(self, run: str, job: str) -> JobFailure | None:
        """Why a job could not be played; None: it could, so far."""
        with self._told():
            row = self._db.execute("SELECT failure FROM jobs WHERE run = ? AND job = ?", (run, job)).fetchone()
        return JobFailure(job, *json.loads(row[0])) if row and row[0] else None

    def forget_failures(self, run: str) -> None:
        """A new start tries again what could not be played and was not decided upon."""
        with self._transaction():
            self._db.execute("UPDATE jobs SET failure = NULL WHERE run = ? AND closed_by IS NULL", (run,))

    def spend(self, run: str, backend: str, seconds: float, cpu_seconds: float) -> None:
        """Add what a start of the run cost; wall clock and processor time of all its processes."""
        with self._transaction():
            self._db.execute(
                "UPDATE runs SET backend = ?, seconds = seconds + ?, cpu_seconds = cpu_seconds + ? WHERE run = ?",
                (backend, seconds, cpu_seconds, run),
            )

    def spent(self, run: str) -> tuple[str, float, float, int]:
        """Backend, seconds, processor seconds and games played, dropped ones included."""
        with self._told():
            row = self._db.execute(
                "SELECT backend, seconds, cpu_seconds, games_played FROM runs WHERE run = ?", (run,)
            ).fetchone()
        return (row[0], row[1], row[2], row[3]) if row else ("", 0.0, 0.0, 0)

    def games_by_kind(self, run: str) -> dict[str, int]:
        """How many games of each kind of job the ledger holds."""
        with self._told():
            rows = self._db.execute(
                "SELECT jobs.kind, COUNT(*) FROM games JOIN jobs USING (run, job) WHERE run = ? GROUP BY 1 ORDER BY 1",
                (run,),
            )
            return dict(rows.fetchall())

    def _text(self, source: str, text: str) -> str:
        """A participant's own text, where the job names its hash."""
        if source != SourceKind.WEIGHTS:
            return text
        with self._told():
            row = self._db.execute("SELECT text FROM texts WHERE hash = ?", (text,)).fetchone()
        if row is None:
            raise KeyError(f"the weights {text[:12]} are not kept")
        return str(row[0])

    def _state_in(self, run: str, column: str) -> TuningState:
        text = self._of_run(run, column)
        with understood(self._path, run):
            return TuningState.model_validate_json(text)

    def _of_run(self, run: str, column: str) -> str:
        with self._told():
            row = self._db.execute(f"SELECT {column} FROM runs WHERE run = ?", (run,)).fetchone()  # noqa: S608
        if row is None:
            raise StateError(
                f"there is no run {run!r} in the ledger",
                where=str(self._path),
                remedy=f"Runs: {', '.join(self.runs()[:5]) or 'none yet'}.",
            )
        return str(row[0])

    def _require_version(self, read_only: bool) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StateError(
                f"the ledger is of version {version}, this program knows {VERSION}",
                where=str(self._path),
                remedy="Use the newer program, or move the file away to start afresh.",
            )
        if version == 0 and not read_only:
            self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")

    def _transaction(self) -> AbstractContextManager[None]:
        return Transaction(self._db, self._path)

    def _told(self) -> AbstractContextManager[None]:
        return WordedErrors(self._path)
