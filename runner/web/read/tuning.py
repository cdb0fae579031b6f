"""The tuner's ledger: its runs, and of each one the tests, promotions and weights, read forward as the ledger grows.

The file is the tuner's (`pipeline/tuner/ledger.py` has its tables); here it is only read, by column and JSON field. A
run of a million candidates is not read again for every page: a `Digest` keeps what the page shows, and how far it read.
"""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import log, pow
from typing import Any

import orjson
from pydantic import ValidationError

from runner.web.read.database import Database
from schemas.errors import StateError
from schemas.times import kept_instant
from schemas.tuning import TunerSettings
from schemas.tuning_run import CandidateDecision, IterationFacts, TuningState

TESTS_KEPT = 40
LOOK_S = 0.1
"""How long a page waits for a digest; the rest of a long ledger is read behind it."""
_LOOK_BEHIND_S, _REST_S = 0.02, 0.005
"""Behind the pages: how long the lock is held, and let go for a page that waits for it."""
_SLICE = 2_000
_ZETA, _SPENDING = 2.612375348685488, 1.5
"""The share of the error rate that test k may use is alpha / (zeta k^1.5): `pipeline/tuner/gate.py`."""


@dataclass(frozen=True, slots=True)
class TunedRun:
    """A run as its first columns tell."""

    run: str
    snake: str
    begun_at: datetime
    backend: str
    seconds: float
    cpu_seconds: float
    games_played: int


@dataclass(frozen=True, slots=True)
class Promotion:
    """A candidate that became the champion, and what was measured of it afterwards."""

    serial: int
    """Of the step whose games measured it."""
    at: datetime
    games: int
    """Of the run until then."""
    facts: IterationFacts


@dataclass(slots=True)
class TestDigest:
    """One sequential test: its ratio seed by seed between its bounds."""

    number: int
    lower: float
    upper: float
    path: list[tuple[float, float]] = field(default_factory=list)
    """Seeds and ratio."""
    decision: str = ""
    """Empty: under way."""
    gain: float | None = None
    games: int = 0
    reason: str = ""
    changed: dict[str, Any] = field(default_factory=dict)
    serial: int = 0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What moving a weight far down and up did in the screen."""

    kind: str
    low_gain: float | None
    high_gain: float | None
    games: int


@dataclass(slots=True)
class Digest:
    """What is known of a run so far."""

    run: str
    serial: int = 0
    """Steps read."""
    last_serial: int = 0
    games: int = 0
    """Of closed iterations."""
    iterations: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    promotions: list[Promotion] = field(default_factory=list)
    tests: dict[int, TestDigest] = field(default_factory=dict)
    """The latest, by number."""
    effects: dict[str, Effect] = field(default_factory=dict)
    pairs: list[tuple[str, str, float, float]] = field(default_factory=list)
    """Two weights that matter together: what moving both the same way gains, halved, and its standard error."""
    settings: TunerSettings = field(default_factory=TunerSettings)
    rules: Mapping[str, Any] = field(default_factory=dict)
    """Weights that are tuned -> kind, lowest, highest, ..."""

    @property
    def complete(self) -> bool:
        """All steps of the ledger are in it."""
        return self.serial >= self.last_serial

    def copy(self) -> "Digest":
        """As it is now: another thread may read on meanwhile."""
        return replace(
            self,
            decisions=Counter(self.decisions),
            promotions=list(self.promotions),
            tests={number: replace(test, path=list(test.path)) for number, test in self.tests.items()},
            effects=dict(self.effects),
            pairs=list(self.pairs),
        )

    def take(self, serial: int, at: str, kind: str, body: Mapping[str, Any]) -> None:
        """Add the next step."""
        self.serial = serial
        if kind == "started":
            self._started(body)
        elif kind == "screened":
            for name, word, low, high, games in body.get("effects", ()):
                self.effects[name] = Effect(word, low, high, games)
        elif kind == "crossed":
            self.pairs = [(str(first), str(second), float(effect), float(error))
                          for first, second, effect, error in body.get("found", ())]  # fmt: skip
        if kind in ("counted", "judged") and "ratio" in body:
            self._tested(serial, at, kind, body)
        record = body.get("record")
        if isinstance(record, dict):
            self._closed(serial, at, record)

    def _started(self, body: Mapping[str, Any]) -> None:
        setup = body.get("setup", {})
        self.rules = setup.get("rules", {})
        try:
            self.settings = TunerSettings.model_validate(setup.get("settings", {}))
        except ValidationError:
            self.settings = TunerSettings()

    def _tested(self, serial: int, at: str, kind: str, body: Mapping[str, Any]) -> None:
        number = int(body["gate"])
        test = self.tests.get(number)
        if test is None:
            test = self.tests[number] = TestDigest(number, *self.bounds(number))
            while len(self.tests) > TESTS_KEPT:
                self.tests.pop(min(self.tests))
        here = (float(body["seeds"]), float(body["ratio"]))
        if test.path[-1:] != [here]:  # the games against the pool are seeds of their own
            test.path.append(here)
        test.gain, test.serial, test.at = body.get("gain"), serial, kept_instant(at)
        if kind == "judged":
            test.decision = str(body["decision"])

    def _closed(self, serial: int, at: str, record: dict[str, Any]) -> None:
        self.iterations += 1
        self.games += int(record.get("games", 0))
        self.decisions[str(record.get("decision"))] += 1
        if (test := self.tests.get(int(record.get("gate", 0)))) is not None:
            test.games, test.reason, test.changed = (
                record.get("gate_games", 0), record.get("reason", ""), record.get("changed", {}))  # fmt: skip
        if record.get("decision") == CandidateDecision.ACCEPTED:
            facts = IterationFacts.model_validate(record)
            self.promotions.append(Promotion(serial, kept_instant(at), self.games, facts))

    def bounds(self, number: int) -> tuple[float, float]:
        """The ratios at which test `number` ends: not better, better (`pipeline/tuner/gate.py`)."""
        alpha = (1 - self.settings.beta) * self.settings.alpha / (_ZETA * pow(number, _SPENDING))
        return log(self.settings.beta / (1 - alpha)), log((1 - self.settings.beta) / alpha)


class Digests:
    """The digests of a ledger's runs, each read on as far as the ledger goes. Safe to use from several threads."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._known: dict[str, Digest] = {}
        self._behind: threading.Thread | None = None

    @property
    def is_reading(self) -> bool:
        """Whether a long ledger is being read on behind the pages: what they show of it is not all yet."""
        return self._behind is not None and self._behind.is_alive()

    def of(self, run: str) -> Digest:
        """What is known of a run by now, for the caller alone; a long ledger is read on behind this call.

        Raises:
            StateError: the ledger cannot be read.
        """
        with self._lock:
            is_read_behind = self.is_reading and self._behind is not None and self._behind.name == run
            self._read_on(self._known.setdefault(run, Digest(run)), 0.0 if is_read_behind else LOOK_S)
            found = self._known[run]  # another one, where another ledger lies there now
            if not found.complete and not self.is_reading:
                self._behind = threading.Thread(target=self._finish, args=(found,), name=run, daemon=True)
                self._behind.start()
            return found.copy()

    def _finish(self, digest: Digest) -> None:
        while not digest.complete:
            with self._lock:
                try:
                    self._read_on(digest, _LOOK_BEHIND_S)
                except StateError:
                    return  # the next page says so
            time.sleep(_REST_S)  # else it takes the lock again before a page that waits

    def _read_on(self, digest: Digest, budget_s: float) -> None:
        deadline_s = time.monotonic() + budget_s
        with self._ledger.snapshot() as rows:
            top = rows.execute("SELECT max(serial) FROM steps WHERE run = ?", (digest.run,)).fetchone()[0] or 0
            if top < digest.serial:  # another ledger lies there now
                digest = self._known[digest.run] = Digest(digest.run)
            digest.last_serial = top
            while not digest.complete and time.monotonic() < deadline_s:
                self._read_slice(rows, digest)

    def _read_slice(self, rows: sqlite3.Connection, digest: Digest) -> None:
        until = digest.serial + _SLICE
        found = rows.execute(
            "SELECT serial, at, kind, body FROM steps WHERE run = ? AND serial > ? AND serial <= ? "
            "AND kind <> 'told' ORDER BY serial",
            (digest.run, digest.serial, until),
        )
        for serial, at, kind, body in found:
            digest.take(serial, at, kind, orjson.loads(body))
        digest.serial = min(until, digest.last_serial)


def list_runs(rows: sqlite3.Connection) -> list[TunedRun]:
    """All runs, the newest first."""
    found = rows.execute(
        "SELECT run, snake, begun_at, backend, seconds, cpu_seconds, games_played FROM runs "
        "ORDER BY begun_at DESC, run DESC LIMIT 200"
    )
    return [TunedRun(row[0], row[1], kept_instant(row[2]), *row[3:]) for row in found]


def state_of(rows: sqlite3.Connection, run: str) -> TuningState | None:
    """Where a run stands; None: no such run, or its state is of another version."""
    row = rows.execute("SELECT state FROM runs WHERE run = ?", (run,)).fetchone()
    try:
        return TuningState.model_validate_json(row[0]) if row else None
    except ValidationError:
        return None


def games_by_kind(rows: sqlite3.Connection, run: str) -> dict[str, int]:
    """How many games of each kind of job are kept."""
    found = rows.execute(
        "SELECT jobs.kind, count(*) FROM jobs JOIN games USING (run, job) WHERE jobs.run = ? GROUP BY 1 ORDER BY 1",
        (run,),
    )
    return dict(found)
