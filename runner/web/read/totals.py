"""Counters: of executions, of mail, and what happened to the clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.web.read.rows import Rows
from schemas.times import to_text


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
