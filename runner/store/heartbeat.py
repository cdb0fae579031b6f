"""The daemon's own row, and its loops': who runs, since when, and when each last gave a sign."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from runner.store.tables import DaemonRow, LoopRow
from schemas.automation import RunnerStatus
from schemas.errors import LeadershipLostError

_ONLY = 1
_WHO_LEADS = select(DaemonRow.host, DaemonRow.pid, DaemonRow.started_at).where(DaemonRow.id == _ONLY)


@dataclass(frozen=True, slots=True)
class DaemonRecord:
    """The daemon as it last told of itself. Whether it lives now, the instance lock says."""

    pid: int
    host: str
    boot_id: str
    started_at: datetime
    heartbeat_at: datetime
    status: RunnerStatus
    paused: bool
    paused_note: str
    stopped_cleanly: bool
    """False while it runs, and after it was killed."""
    version: str
    step: str
    """In which step it stands; empty: it turns, or has not stood for long."""
    step_since: datetime | None


@dataclass(frozen=True, slots=True)
class LoopRecord:
    """One of the daemon's loops."""

    name: str
    heartbeat_at: datetime
    restarts: int
    last_error: str | None


def started(session: Session, *, pid: int, host: str, boot_id: str, version: str, now: datetime) -> DaemonRecord | None:
    """A daemon has started. Returns the one before it as it was left (None: the first ever).

    A pause outlives the daemon; the loops of the one before are forgotten.
    """
    row = session.get(DaemonRow, _ONLY)
    before = None if row is None else _to_record(row)
    if row is None:
        row = DaemonRow(id=_ONLY, paused=False, paused_note="")
        session.add(row)
    row.pid, row.host, row.boot_id, row.version = pid, host, boot_id, version
    row.started_at, row.heartbeat_at = now, now
    row.status, row.stopped_cleanly = RunnerStatus.IDLE, False
    row.step, row.step_since = "taking over", now
    for loop in session.scalars(select(LoopRow)):
        session.delete(loop)
    session.flush()
    return before


def leader_fence(leader: DaemonRecord) -> Callable[[Session], None]:
    """A fence (`Store.fence`): whoever writes as a daemon that does not lead any more is stopped. A new leader's first
    write is this row, so what an older one commits before that is seen by the new one, and nothing comes after it.

    The fence raises LeadershipLostError, under the writer's lock, so that nothing of the transaction is kept.
    """

    def check(session: Session) -> None:
        found = session.execute(_WHO_LEADS).one_or_none()
        if found is None or tuple(found) != (leader.host, leader.pid, leader.started_at):
            who = f"{found[0]}:{found[1]}" if found else "nobody"
            raise LeadershipLostError(
                f"another daemon has taken the lead of this database: {who}",
                where=f"{leader.host}:{leader.pid}",
                remedy="Nothing was changed.",
            )

    return check


def beat(session: Session, status: RunnerStatus, now: datetime) -> None:
    """The daemon lives, and what it is doing."""
    row = session.get_one(DaemonRow, _ONLY)
    row.status, row.heartbeat_at = status, now
    row.step, row.step_since = "", None
    session.flush()


def record_stalled_step(session: Session, step: str, since: datetime) -> None:
    """The daemon lives, and a step of its loop does not end. Its heartbeat stays as old as it is."""
    row = session.get_one(DaemonRow, _ONLY)
    row.step, row.step_since = step, since
    session.flush()


def set_paused(session: Session, paused: bool, note: str) -> None:
    """Pause or resume all launches; kept across restarts."""
    row = session.get_one(DaemonRow, _ONLY)
    row.paused, row.paused_note = paused, note if paused else ""
    session.flush()


def stopped(session: Session, now: datetime) -> None:
    """The daemon ends in good order."""
    row = session.get_one(DaemonRow, _ONLY)
    row.stopped_cleanly, row.heartbeat_at, row.status = True, now, RunnerStatus.IDLE
    session.flush()


def get(session: Session) -> DaemonRecord | None:
    """The daemon's row; None if none has ever run here."""
    row = session.get(DaemonRow, _ONLY)
    return None if row is None else _to_record(row)


def loop_beat(session: Session, loop: str, now: datetime) -> None:
    """A loop has turned."""
    _loop(session, loop, now).heartbeat_at = now
    session.flush()


def loop_error(session: Session, loop: str, error: str, now: datetime) -> None:
    """A loop or step could not do its turn; it goes on by itself."""
    row = _loop(session, loop, now)
    row.heartbeat_at, row.last_error = now, error
    session.flush()


def loop_restarted(session: Session, loop: str, error: str, now: datetime) -> int:
    """A loop died or hung and was started again; how often that has happened since the daemon started."""
    row = _loop(session, loop, now)
    row.heartbeat_at, row.last_error = now, error
    row.restarts += 1
    session.flush()
    return row.restarts


def loops(session: Session) -> list[LoopRecord]:
    """All loops, by name."""
    return [
        LoopRecord(row.name, row.heartbeat_at, row.restarts, row.last_error)
        for row in session.scalars(select(LoopRow).order_by(LoopRow.name))
    ]


def _loop(session: Session, name: str, now: datetime) -> LoopRow:
    row = session.get(LoopRow, name)
    if row is None:
        row = LoopRow(name=name, heartbeat_at=now, restarts=0)
        session.add(row)
    return row


def _to_record(row: DaemonRow) -> DaemonRecord:
    return DaemonRecord(
        pid=row.pid,
        host=row.host,
        boot_id=row.boot_id,
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
        status=row.status,
        paused=row.paused,
        paused_note=row.paused_note,
        stopped_cleanly=row.stopped_cleanly,
        version=row.version,
        step=row.step,
        step_since=row.step_since,
    )
