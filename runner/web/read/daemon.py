"""The daemon's own row, and its loops."""

from dataclasses import dataclass
from datetime import datetime

from runner.store.states import word_of
from runner.web.read.rows import Rows
from schemas.automation import RunnerStatus
from schemas.times import kept_instant


@dataclass(frozen=True, slots=True)
class DaemonView:
    """The daemon as it last told of itself. Whether it lives, the lock says (`Site.daemon_lives`)."""

    pid: int
    host: str
    started_at: datetime
    heartbeat_at: datetime
    status: RunnerStatus
    paused: bool
    paused_note: str
    version: str
    step: str
    """In which step of its turn it stands; empty: it turns."""


@dataclass(frozen=True, slots=True)
class LoopView:
    """One of the daemon's loops."""

    name: str
    heartbeat_at: datetime
    restarts: int
    last_error: str | None


def read_daemon(rows: Rows) -> DaemonView | None:
    """The daemon's row; None: none has ever run here."""
    row = rows.execute(
        "SELECT pid, host, started_at, heartbeat_at, status, paused, paused_note, version, step FROM daemon"
    ).fetchone()
    if row is None:
        return None
    return DaemonView(
        pid=row["pid"],
        host=row["host"],
        started_at=kept_instant(row["started_at"]),
        heartbeat_at=kept_instant(row["heartbeat_at"]),
        status=word_of(row["status"], RunnerStatus, RunnerStatus.ERROR),
        paused=bool(row["paused"]),
        paused_note=row["paused_note"],
        version=row["version"],
        step=row["step"],
    )


def read_loops(rows: Rows) -> list[LoopView]:
    """All loops, by name."""
    found = rows.execute("SELECT name, heartbeat_at, restarts, last_error FROM loops ORDER BY name")
    return [LoopView(name, kept_instant(at), restarts, error) for name, at, restarts, error in found]
