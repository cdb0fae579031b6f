"""The tables. A change here needs a migration; a test compares the two.

Guides and users read `executions`, `occurrences` and `schedule_runs` (views, made in the migrations) and the rest with
plain SQL: column names are part of the interface, and README.md beside this file lists them. `execution_rows` and
`occurrence_rows` hold what two of the views show whole. Every index is named, and a test shows which query it serves.
"""

from datetime import datetime
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Connection,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TextClause,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from runner.store.columns import (
    STATE_BASE,
    USAGE_BASE,
    DefinitionText,
    EnumText,
    Instant,
    InstantNumber,
    JsonChanges,
    JsonText,
    PathText,
    RowId,
    UnreadableColumn,
)
from runner.store.states import ExecutionStatus, OccurrenceState, OutboxState, TokenScope, TriggerFileState
from schemas.automation import RunnerStatus, TrainingSchedule, TriggerCondition, TriggerType
from schemas.execution import DecisionKind, FailureClass, ProcessIdentity, ResourceUsage
from schemas.message import Message
from schemas.model import PipelineState

_NAMES = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}
_NAME = String(100)
_WHERE = "where"


class Base(DeclarativeBase):
    """All tables of the store."""

    metadata = MetaData(naming_convention=_NAMES)


def _partial(name: str, *columns: str, where: TextClause) -> Index:
    """An index of the rows that fulfil a condition. PostgreSQL is told of it only where tables are made there: its
    dialect's modules would cost a daemon on SQLite five megabytes of memory."""
    return Index(name, *columns, sqlite_where=where, info={_WHERE: where})


@event.listens_for(Base.metadata, "before_create")
def _tell_postgresql(metadata: MetaData, connection: Connection, **_: object) -> None:
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.tables.values():
        for index in table.indexes:
            if _WHERE in index.info:
                index.dialect_kwargs["postgresql_where"] = index.info[_WHERE]


class DefinitionRow(Base):
    """Each version of a schedule's definition once, however many occurrences ran by it."""

    __tablename__ = "definitions"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    """Of the JSON text."""
    definition: Mapped[TrainingSchedule | UnreadableColumn] = mapped_column(
        "definition_json", DefinitionText(TrainingSchedule)
    )

    __table_args__ = ({"sqlite_autoincrement": True},)


class ScheduleRow(Base):
    """A schedule, when it fires next, and its counters."""

    __tablename__ = "schedules"

    name: Mapped[str] = mapped_column(_NAME, primary_key=True)
    definition: Mapped[TrainingSchedule | UnreadableColumn] = mapped_column(
        "definition_json", DefinitionText(TrainingSchedule)
    )
    enabled: Mapped[bool]
    paused_note: Mapped[str | None] = mapped_column(Text)
    next_run: Mapped[datetime | None] = mapped_column(Instant)
    watermark: Mapped[datetime] = mapped_column(Instant)
    last_run: Mapped[datetime | None] = mapped_column(Instant)
    run_count: Mapped[int] = mapped_column(server_default="0")
    success_count: Mapped[int] = mapped_column(server_default="0")
    failure_count: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)
    removed_at: Mapped[datetime | None] = mapped_column(Instant)
    definition_id: Mapped[int | None] = mapped_column(ForeignKey("definitions.id"))
    """Where occurrences find the same definition; NULL until the first one is recorded."""

    __table_args__ = (Index("ix_schedules_due", "next_run", "name"), Index("ix_schedules_definition", "definition_id"))


class TriggerRow(Base):
    """A trigger, how far it has looked, and its counters."""

    __tablename__ = "triggers"

    name: Mapped[str] = mapped_column(_NAME, primary_key=True)
    definition: Mapped[TriggerCondition | UnreadableColumn] = mapped_column(
        "definition_json", DefinitionText(TriggerCondition)
    )
    enabled: Mapped[bool]
    paused_note: Mapped[str | None] = mapped_column(Text)
    last_checked: Mapped[datetime | None] = mapped_column(Instant)
    last_triggered: Mapped[datetime | None] = mapped_column(Instant)
    last_verdict: Mapped[str] = mapped_column(Text, default="")
    cursor_json: Mapped[str] = mapped_column(Text, server_default="{}")
    run_count: Mapped[int] = mapped_column(server_default="0")
    success_count: Mapped[int] = mapped_column(server_default="0")
    failure_count: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)
    removed_at: Mapped[datetime | None] = mapped_column(Instant)


_IN_QUEUE = text("state = 'queued'")
_ACTIVE = text("state IN ('queued', 'running')")
_ENDED = text("finished_at IS NOT NULL")
_RUNNABLE = text("definition_id IS NOT NULL")
_MERGED = text("coalesced_into IS NOT NULL")


class OccurrenceRow(Base):
    """One due occurrence, whatever its source, and what became of it."""

    __tablename__ = "occurrence_rows"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    schedule_name: Mapped[str] = mapped_column(_NAME)
    trigger_type: Mapped[TriggerType] = mapped_column(EnumText(TriggerType, TriggerType.MANUAL))
    trigger_name: Mapped[str | None] = mapped_column(_NAME)
    scheduled_for: Mapped[datetime] = mapped_column(Instant)
    state: Mapped[OccurrenceState] = mapped_column(EnumText(OccurrenceState, OccurrenceState.FAILED))
    reason: Mapped[str] = mapped_column(Text)
    coalesced_into: Mapped[int | None] = mapped_column(ForeignKey("occurrence_rows.id", ondelete="SET NULL"))
    priority: Mapped[int]
    queue_rank: Mapped[int]
    """The lowest is first: the negative `priority`, and emergencies below every other."""
    not_before: Mapped[datetime] = mapped_column(InstantNumber)
    start_deadline: Mapped[datetime] = mapped_column(InstantNumber)
    attempt: Mapped[int]
    definition_id: Mapped[int | None] = mapped_column(ForeignKey("definitions.id"))
    """As it was when recorded; NULL for what was never to run."""
    note: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(InstantNumber)
    finished_at: Mapped[datetime | None] = mapped_column(InstantNumber)
    definition_row: Mapped[DefinitionRow | None] = relationship()

    @property
    def definition(self) -> TrainingSchedule | UnreadableColumn | None:
        """As it was when recorded; None for what was never to run."""
        return None if self.definition_row is None else self.definition_row.definition

    __table_args__ = (
        UniqueConstraint("schedule_name", "scheduled_for"),
        _partial("ix_occurrences_queue", "queue_rank", "scheduled_for", "id", "not_before", where=_IN_QUEUE),
        _partial("ix_occurrences_not_before", "not_before", "state", where=_IN_QUEUE),
        _partial("ix_occurrences_start_deadline", "start_deadline", "state", where=_IN_QUEUE),
        _partial("ix_occurrences_active", "schedule_name", "state", where=_ACTIVE),
        _partial("ix_occurrences_finished_at", "finished_at", where=_ENDED),
        _partial("ix_occurrences_coalesced_into", "coalesced_into", where=_MERGED),
        _partial("ix_occurrences_definition", "definition_id", where=_RUNNABLE),
        {"sqlite_autoincrement": True},
    )


_SUCCESSES = text("status = 'succeeded'")
_UNFINISHED = text("completed_at IS NULL")
_FOLDER_KEPT = text("run_dir_removed_at IS NULL")


class ExecutionRow(Base):
    """One attempt at one occurrence: what users see as the history."""

    __tablename__ = "execution_rows"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    occurrence_id: Mapped[int] = mapped_column(ForeignKey("occurrence_rows.id", ondelete="CASCADE"))
    schedule_name: Mapped[str] = mapped_column(_NAME)
    trigger_type: Mapped[TriggerType] = mapped_column(EnumText(TriggerType, TriggerType.MANUAL))
    trigger_name: Mapped[str | None] = mapped_column(_NAME)
    scheduled_for: Mapped[datetime] = mapped_column(InstantNumber)
    started_at: Mapped[datetime] = mapped_column(Instant)
    completed_at: Mapped[datetime | None] = mapped_column(Instant)
    success: Mapped[bool | None]
    status: Mapped[ExecutionStatus] = mapped_column(EnumText(ExecutionStatus, ExecutionStatus.FAILED))
    error_message: Mapped[str | None] = mapped_column(Text)
    failure_class: Mapped[FailureClass | None] = mapped_column(EnumText(FailureClass, FailureClass.ERROR))
    state: Mapped[PipelineState] = mapped_column("pipeline_state_changes_json", JsonChanges(PipelineState, STATE_BASE))
    usage: Mapped[ResourceUsage | None] = mapped_column(
        "resource_usage_changes_json", JsonChanges(ResourceUsage, USAGE_BASE)
    )
    worker: Mapped[str] = mapped_column(_NAME)
    worker_reason: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    run_dir: Mapped[Path] = mapped_column(PathText)
    run_dir_removed_at: Mapped[datetime | None] = mapped_column(InstantNumber)
    identity: Mapped[ProcessIdentity | None] = mapped_column("identity_json", JsonText(ProcessIdentity))
    """Of the worker while it runs."""
    progress_at: Mapped[datetime | None] = mapped_column(InstantNumber)
    games_before: Mapped[int]
    """Production games known when it started: what `min_data_threshold` counts from."""

    __table_args__ = (
        Index("ix_executions_started_at", "started_at"),
        Index("ix_executions_schedule", "schedule_name"),  # and the id, as in every index of SQLite
        Index("ix_executions_worker", "worker"),
        Index("ix_executions_occurrence", "occurrence_id"),
        _partial("ix_executions_success", "schedule_name", where=_SUCCESSES),
        _partial("ix_executions_unfinished", "started_at", where=_UNFINISHED),
        _partial("ix_executions_run_folder", "completed_at", where=_FOLDER_KEPT),
        {"sqlite_autoincrement": True},
    )


class TotalsRow(Base):
    """Counters over all executions that ended: a status needs no scan, and retention does not change them."""

    __tablename__ = "totals"

    id: Mapped[int] = mapped_column(primary_key=True)
    settled: Mapped[int] = mapped_column(BigInteger)
    succeeded: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(BigInteger)
    duration_s: Mapped[float]


class DecisionRow(Base):
    """Why a run did or did not start; a repeated decision is one row with a count."""

    __tablename__ = "decisions"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    occurrence_id: Mapped[int] = mapped_column(ForeignKey("occurrence_rows.id", ondelete="CASCADE"))
    schedule_name: Mapped[str] = mapped_column(_NAME)
    kind: Mapped[DecisionKind] = mapped_column(EnumText(DecisionKind, DecisionKind.WAIT))
    code: Mapped[str] = mapped_column(_NAME)
    reason: Mapped[str] = mapped_column(Text)
    first_at: Mapped[datetime] = mapped_column(Instant)
    last_at: Mapped[datetime] = mapped_column(Instant)
    count: Mapped[int]

    __table_args__ = (
        UniqueConstraint("occurrence_id", "kind", "code"),
        Index("ix_decisions_schedule", "schedule_name", "last_at"),
        Index("ix_decisions_last_at", "last_at"),
        {"sqlite_autoincrement": True},
    )


class CommandRow(Base):
    """What a person or another program asked of the daemon."""

    __tablename__ = "commands"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    verb: Mapped[str] = mapped_column(String(32))
    arguments_json: Mapped[str] = mapped_column(Text)
    requested_by: Mapped[str] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(Instant)
    handled_at: Mapped[datetime | None] = mapped_column(Instant)
    answer: Mapped[str | None] = mapped_column(Text)
    ok: Mapped[bool | None]

    __table_args__ = (
        Index("ix_commands_handled_at", "handled_at"),
        {"sqlite_autoincrement": True},
    )


class IdempotencyKeyRow(Base):
    """The command that a program asked for under a key: asked again, it is the same command. It goes with it."""

    __tablename__ = "idempotency_keys"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Of who asked and the key."""
    request_sha256: Mapped[str] = mapped_column(String(64))
    """Of what was asked: another wish under the same key is refused."""
    command_id: Mapped[int] = mapped_column(ForeignKey("commands.id", ondelete="CASCADE"))

    __table_args__ = (Index("ix_idempotency_keys_command_id", "command_id"),)


class ApiTokenRow(Base):
    """Who may ask the REST interface from elsewhere; of the token itself only a digest is kept."""

    __tablename__ = "api_tokens"

    name: Mapped[str] = mapped_column(_NAME, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scope: Mapped[TokenScope] = mapped_column(EnumText(TokenScope, TokenScope.READ))
    created_at: Mapped[datetime] = mapped_column(Instant)


class OutboxRow(Base):
    """A message to be sent at least once."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    dedup_key: Mapped[str] = mapped_column(String(200), unique=True)
    execution_id: Mapped[int | None] = mapped_column(ForeignKey("execution_rows.id", ondelete="SET NULL"))
    message: Mapped[Message] = mapped_column("payload_json", JsonText(Message))
    recipients: Mapped[list[str]] = mapped_column("recipients_json", JsonText(list[str]))
    state: Mapped[OutboxState] = mapped_column(EnumText(OutboxState, OutboxState.FAILED))
    attempts: Mapped[int]
    not_before: Mapped[datetime] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    message_id: Mapped[str | None] = mapped_column(Text)
    last_error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("ix_outbox_due", "state", "not_before"),
        Index("ix_outbox_sent_at", "sent_at"),
        Index("ix_outbox_execution", "execution_id"),
        {"sqlite_autoincrement": True},
    )


class TriggerFileRow(Base):
    """A trigger file, by which somebody asked for a run. The table keeps the name that queries of 0.1 know."""

    __tablename__ = "drops"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    original_name: Mapped[str] = mapped_column(Text)
    claimed_path: Mapped[Path] = mapped_column(PathText, unique=True)
    sha256: Mapped[str] = mapped_column(String(64))
    received_at: Mapped[datetime] = mapped_column(Instant)
    state: Mapped[TriggerFileState] = mapped_column(EnumText(TriggerFileState, TriggerFileState.REJECTED))
    reason: Mapped[str] = mapped_column(Text)
    occurrence_id: Mapped[int | None] = mapped_column(ForeignKey("occurrence_rows.id", ondelete="SET NULL"))

    __table_args__ = (
        Index("ix_drops_state", "state"),
        Index("ix_drops_occurrence", "occurrence_id"),
        {"sqlite_autoincrement": True},
    )


class GameFileRow(Base):
    """How far a file of production games has been counted."""

    __tablename__ = "game_files"

    path: Mapped[Path] = mapped_column(PathText, primary_key=True)
    inode: Mapped[int] = mapped_column(BigInteger)
    offset_bytes: Mapped[int] = mapped_column(BigInteger)
    games: Mapped[int] = mapped_column(BigInteger)
    first_seen_at: Mapped[datetime] = mapped_column(Instant)
    last_grown_at: Mapped[datetime] = mapped_column(Instant)


class DaemonRow(Base):
    """The daemon as it last told of itself: one row."""

    __tablename__ = "daemon"

    id: Mapped[int] = mapped_column(primary_key=True)
    pid: Mapped[int]
    host: Mapped[str] = mapped_column(Text)
    boot_id: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(Instant)
    heartbeat_at: Mapped[datetime] = mapped_column(Instant)
    status: Mapped[RunnerStatus] = mapped_column(EnumText(RunnerStatus, RunnerStatus.ERROR))
    paused: Mapped[bool]
    paused_note: Mapped[str] = mapped_column(Text)
    stopped_cleanly: Mapped[bool]
    version: Mapped[str] = mapped_column(Text)
    step: Mapped[str] = mapped_column(Text, server_default=text("''"))
    """In which step of its turn it has stood for too long; empty: it turns."""
    step_since: Mapped[datetime | None] = mapped_column(Instant)


class ClockChangeRow(Base):
    """The wall clock was set, or the machine slept; what that did to the fires."""

    __tablename__ = "clock_changes"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    """By the clock as it was afterwards."""
    step_s: Mapped[float]
    """Negative: it was set back."""
    slept_s: Mapped[float]
    detail: Mapped[str] = mapped_column(Text)

    __table_args__ = ({"sqlite_autoincrement": True},)


class LoopRow(Base):
    """One of the daemon's loops and when it last turned."""

    __tablename__ = "loops"

    name: Mapped[str] = mapped_column(_NAME, primary_key=True)
    heartbeat_at: Mapped[datetime] = mapped_column(Instant)
    restarts: Mapped[int]
    last_error: Mapped[str | None] = mapped_column(Text)
