"""Counters, none of which scans the history: what monitoring asks, totals of executions and mail, changes of clocks."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runner.web.read.rows import Rows
from schemas.times import kept_instant, to_text

WITHIN = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REASONS = (
    ("paused", "%paused%"),
    ("queue_full", "%queue is full%"),
    ("start_deadline", "still waiting at its start deadline%"),
    ("catch_up_none", "%the catch-up policy is none%"),
    ("catch_up_window", "%more than the catch-up window of%"),
    ("overlap", "%overlap policy%"),
    ("changed", "the schedule was %"),
    ("merged", "%stands for it%"),
    ("merged", "%stands for this one too%"),
)
"""What the reasons in the rows come down to: a metric's label must not hold free text. First match wins."""


@dataclass(frozen=True, slots=True)
class Skips:
    """Due times of the last day that did not run, by why."""

    state: str
    """`missed`, `skipped`, `coalesced` or `cancelled`."""
    reason: str
    """One of a few words; the rows have the whole."""
    count: int


@dataclass(frozen=True, slots=True)
class LatestRating:
    """Where a snake of ours stands on a ladder of the Arena."""

    leaderboard: str
    snake: str
    rating: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one moment."""

    overdue_s: float
    """How far the most overdue schedule is past its time; 0: none is."""
    last_lateness_s: float | None
    """How long after its time the latest run began, whatever it waited for; None: none ran yet."""
    queue_depth: int
    queue_age_s: float
    """How long the oldest has waited."""
    held_by: dict[str, int]
    """Guard -> runs that it holds back now."""
    skips: list[Skips]
    production_games: int
    ladder: list[LatestRating]


def look(rows: Rows, now: datetime) -> Figures:
    """All of them, in one snapshot."""
    depth, oldest = rows.execute(
        "SELECT count(*), min(scheduled_for) FROM occurrence_rows WHERE state = 'queued'"
    ).fetchone()
    return Figures(
        overdue_s=_overdue_s(rows, now),
        last_lateness_s=_last_lateness_s(rows),
        queue_depth=depth,
        queue_age_s=max(0.0, (now - kept_instant(oldest)).total_seconds()) if oldest else 0.0,
        held_by=_held_by(rows),
        skips=_skips(rows, now),
        production_games=rows.execute("SELECT CAST(coalesce(sum(games), 0) AS BIGINT) FROM game_files").fetchone()[0],
        ladder=_ladder(rows),
    )


def _overdue_s(rows: Rows, now: datetime) -> float:
    first = rows.execute(
        "SELECT min(next_run) FROM schedules WHERE next_run IS NOT NULL AND removed_at IS NULL AND enabled"
    ).fetchone()[0]
    return max(0.0, (now - kept_instant(first)).total_seconds()) if first else 0.0


def _last_lateness_s(rows: Rows) -> float | None:
    row = rows.execute("SELECT started_at, scheduled_for FROM executions ORDER BY id DESC LIMIT 1").fetchone()
    if row is None:
        return None
    return (kept_instant(row["started_at"]) - kept_instant(row["scheduled_for"])).total_seconds()


def _held_by(rows: Rows) -> dict[str, int]:
    """By the decision last taken about each that waits."""
    found = rows.execute(
        "SELECT code, count(*) FROM ("
        "SELECT d.code AS code, row_number() OVER (PARTITION BY o.id ORDER BY d.last_at DESC, d.id DESC) AS place "
        "FROM occurrence_rows AS o JOIN decisions AS d ON d.occurrence_id = o.id "
        "WHERE o.state = 'queued' AND d.kind = 'wait') AS looks WHERE place = 1 GROUP BY code"
    )
    return {row[0]: row[1] for row in found}


def _skips(rows: Rows, now: datetime) -> list[Skips]:
    cases = " ".join(f"WHEN reason LIKE ? THEN '{word}'" for word, _ in _REASONS)
    found = rows.execute(
        f"SELECT state, CASE {cases} ELSE 'other' END AS why, count(*) FROM occurrence_rows "  # noqa: S608 - our words
        "WHERE finished_at > ? AND state IN ('missed', 'skipped', 'coalesced', 'cancelled') AND NOT EXISTS "
        "(SELECT 1 FROM execution_rows WHERE occurrence_id = occurrence_rows.id) "
        "GROUP BY state, why ORDER BY state, why",
        (*(pattern for _, pattern in _REASONS), (now - WITHIN - _EPOCH) // timedelta(microseconds=1)),
    )
    return [Skips(row[0], row[1], row[2]) for row in found]


def _ladder(rows: Rows) -> list[LatestRating]:
    found = rows.execute(
        "SELECT leaderboard_name, snake_name, rating FROM arena_ratings WHERE id IN "
        "(SELECT max(id) FROM arena_ratings GROUP BY leaderboard_id, snake_id) ORDER BY leaderboard_name, snake_name"
    )
    return [LatestRating(row[0], row[1], row[2]) for row in found]


@dataclass(frozen=True, slots=True)
class ExecutionTotals:
    """Over everything ever settled."""

    settled: int
    succeeded: int
    failed: int
    duration_s: float
    under_way: int


@dataclass(frozen=True, slots=True)
class OutboxTotals:
    """How many messages are in each state."""

    pending: int
    sent: int
    failed: int
    digest: int
    waiting: int
    """Pending ones that could not be delivered so far."""
    reason: str


def executions(rows: Rows) -> ExecutionTotals:
    """From counters: no scan of the history."""
    row = rows.execute("SELECT settled, succeeded, failed, duration_s FROM totals").fetchone()
    under_way = rows.execute("SELECT count(*) FROM execution_rows WHERE completed_at IS NULL").fetchone()[0]
    return ExecutionTotals(row["settled"], row["succeeded"], row["failed"], row["duration_s"], under_way)


def outbox(rows: Rows) -> OutboxTotals:
    """The outbox by state, and why the newest was not delivered."""
    counts = dict(rows.execute("SELECT state, count(*) FROM outbox GROUP BY state").fetchall())
    waiting = "state = 'pending' AND last_error IS NOT NULL"
    number = rows.execute(f"SELECT count(*) FROM outbox WHERE {waiting}").fetchone()[0]  # noqa: S608 - our words
    reason = rows.execute(
        f"SELECT last_error FROM outbox WHERE ({waiting}) OR state = 'failed' "  # noqa: S608 - our words
        "ORDER BY state = 'pending' DESC, id DESC LIMIT 1"
    ).fetchone()
    return OutboxTotals(
        pending=counts.get("pending", 0),
        sent=counts.get("sent", 0),
        failed=counts.get("failed", 0),
        digest=counts.get("digest", 0),
        waiting=number,
        reason=(reason[0] or "") if reason else "",
    )


def clock_lately(rows: Rows, now: datetime) -> list[str]:
    """The latest changes of the wall clock in words, newest first: those of the last day."""
    since = to_text(now - timedelta(days=1))
    found = rows.execute("SELECT detail FROM clock_changes WHERE at > ? ORDER BY id DESC LIMIT 3", (since,))
    return [row[0] for row in found]
