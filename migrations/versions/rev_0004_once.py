"""Each definition once, defaults left out: the history in a quarter of the space, shown whole by two views.

The tables that refer to the history are made anew, empty. A database that holds rows is not changed in place: on
SQLite `migrations.rebuild` copies it, batch by batch, into a file that this revision made.
"""

import sqlalchemy as sa
from alembic import op

from migrations.views import EXECUTIONS, OCCURRENCES, POSTGRESQL_FUNCTIONS
from schemas.errors import StateError

revision = "0004"
down_revision = "0003"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.String(length=27)
_NAME = sa.String(length=100)
_WORD = sa.String(length=32)
_ANEW = ("outbox", "drops", "decisions", "executions", "occurrences")
"""Children before parents."""


def upgrade() -> None:
    """The old tables out, the new ones in, parents before children."""
    _drop()
    _definitions()
    _occurrence_rows()
    _execution_rows()
    _decisions()
    _outbox()
    _drops()
    _schedules()
    _views()


def _drop() -> None:
    for table in _ANEW:
        if op.get_bind().execute(sa.text(f"SELECT 1 FROM {table} LIMIT 1")).first():  # noqa: S608 - our names
            raise StateError(
                "the history cannot be moved in place", where=table, remedy="Begin with an empty database."
            )
    for table in _ANEW:
        op.drop_table(table)


def _definitions() -> None:
    op.create_table(
        "definitions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("definition_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_definitions")),
        sa.UniqueConstraint("sha256", name=op.f("uq_definitions_sha256")),
        sqlite_autoincrement=True,
    )


def _occurrence_rows() -> None:
    op.create_table(
        "occurrence_rows",
        sa.Column("id", _ID, nullable=False),
        sa.Column("schedule_name", _NAME, nullable=False),
        sa.Column("trigger_type", _WORD, nullable=False),
        sa.Column("trigger_name", _NAME, nullable=True),
        sa.Column("scheduled_for", _INSTANT, nullable=False),
        sa.Column("state", _WORD, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("coalesced_into", _ID, nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("queue_rank", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("start_deadline", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("definition_id", _ID, nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["coalesced_into"],
            ["occurrence_rows.id"],
            name=op.f("fk_occurrence_rows_coalesced_into_occurrence_rows"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["definition_id"], ["definitions.id"], name=op.f("fk_occurrence_rows_definition_id_definitions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_occurrence_rows")),
        sa.UniqueConstraint(
            "schedule_name", "scheduled_for", name=op.f("uq_occurrence_rows_schedule_name_scheduled_for")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_occurrences_active",
        "occurrence_rows",
        ["schedule_name", "state"],
        unique=False,
        sqlite_where=sa.text("state IN ('queued', 'running')"),
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_index(
        "ix_occurrences_coalesced_into",
        "occurrence_rows",
        ["coalesced_into"],
        unique=False,
        sqlite_where=sa.text("coalesced_into IS NOT NULL"),
        postgresql_where=sa.text("coalesced_into IS NOT NULL"),
    )
    op.create_index(
        "ix_occurrences_definition",
        "occurrence_rows",
        ["definition_id"],
        unique=False,
        sqlite_where=sa.text("definition_id IS NOT NULL"),
        postgresql_where=sa.text("definition_id IS NOT NULL"),
    )
    op.create_index(
        "ix_occurrences_finished_at",
        "occurrence_rows",
        ["finished_at"],
        unique=False,
        sqlite_where=sa.text("finished_at IS NOT NULL"),
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index(
        "ix_occurrences_not_before",
        "occurrence_rows",
        ["not_before", "state"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_occurrences_queue",
        "occurrence_rows",
        ["queue_rank", "scheduled_for", "id", "not_before"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_occurrences_start_deadline",
        "occurrence_rows",
        ["start_deadline", "state"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )


def _execution_rows() -> None:
    op.create_table(
        "execution_rows",
        sa.Column("id", _ID, nullable=False),
        sa.Column("occurrence_id", _ID, nullable=False),
        sa.Column("schedule_name", _NAME, nullable=False),
        sa.Column("trigger_type", _WORD, nullable=False),
        sa.Column("trigger_name", _NAME, nullable=True),
        sa.Column("scheduled_for", sa.BigInteger(), nullable=False),
        sa.Column("started_at", _INSTANT, nullable=False),
        sa.Column("completed_at", _INSTANT, nullable=True),
        sa.Column("success", sa.Boolean(), nullable=True),
        sa.Column("status", _WORD, nullable=False),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("failure_class", _WORD, nullable=True),
        sa.Column("pipeline_state_changes_json", sa.Text(), nullable=False),
        sa.Column("resource_usage_changes_json", sa.Text(), nullable=True),
        sa.Column("worker", _NAME, nullable=False),
        sa.Column("worker_reason", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("run_dir", sa.Text(), nullable=False),
        sa.Column("run_dir_removed_at", sa.BigInteger(), nullable=True),
        sa.Column("identity_json", sa.Text(), nullable=True),
        sa.Column("progress_at", sa.BigInteger(), nullable=True),
        sa.Column("games_before", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["occurrence_id"],
            ["occurrence_rows.id"],
            name=op.f("fk_execution_rows_occurrence_id_occurrence_rows"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_execution_rows")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_executions_occurrence", "execution_rows", ["occurrence_id"], unique=False)
    op.create_index(
        "ix_executions_run_folder",
        "execution_rows",
        ["completed_at"],
        unique=False,
        sqlite_where=sa.text("run_dir_removed_at IS NULL"),
        postgresql_where=sa.text("run_dir_removed_at IS NULL"),
    )
    op.create_index("ix_executions_schedule", "execution_rows", ["schedule_name"], unique=False)
    op.create_index("ix_executions_started_at", "execution_rows", ["started_at"], unique=False)
    op.create_index(
        "ix_executions_success",
        "execution_rows",
        ["schedule_name"],
        unique=False,
        sqlite_where=sa.text("status = 'succeeded'"),
        postgresql_where=sa.text("status = 'succeeded'"),
    )
    op.create_index(
        "ix_executions_unfinished",
        "execution_rows",
        ["started_at"],
        unique=False,
        sqlite_where=sa.text("completed_at IS NULL"),
        postgresql_where=sa.text("completed_at IS NULL"),
    )
    op.create_index("ix_executions_worker", "execution_rows", ["worker"], unique=False)


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("occurrence_id", _ID, nullable=False),
        sa.Column("schedule_name", _NAME, nullable=False),
        sa.Column("kind", _WORD, nullable=False),
        sa.Column("code", _NAME, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("first_at", _INSTANT, nullable=False),
        sa.Column("last_at", _INSTANT, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["occurrence_id"],
            ["occurrence_rows.id"],
            name=op.f("fk_decisions_occurrence_id_occurrence_rows"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sa.UniqueConstraint("occurrence_id", "kind", "code", name=op.f("uq_decisions_occurrence_id_kind_code")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_decisions_last_at", "decisions", ["last_at"], unique=False)
    op.create_index("ix_decisions_schedule", "decisions", ["schedule_name", "last_at"], unique=False)


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("dedup_key", sa.String(length=200), nullable=False),
        sa.Column("execution_id", _ID, nullable=True),
        sa.Column("payload_json", sa.Text(), nullable=False),
        sa.Column("recipients_json", sa.Text(), nullable=False),
        sa.Column("state", _WORD, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", _INSTANT, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("sent_at", _INSTANT, nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["execution_id"],
            ["execution_rows.id"],
            name=op.f("fk_outbox_execution_id_execution_rows"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("dedup_key", name=op.f("uq_outbox_dedup_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_due", "outbox", ["state", "not_before"], unique=False)
    op.create_index("ix_outbox_execution", "outbox", ["execution_id"], unique=False)
    op.create_index("ix_outbox_sent_at", "outbox", ["sent_at"], unique=False)
    # ### end Alembic commands ###


def _drops() -> None:
    op.create_table(
        "drops",
        sa.Column("id", _ID, nullable=False),
        sa.Column("original_name", sa.Text(), nullable=False),
        sa.Column("claimed_path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.Column("state", _WORD, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("occurrence_id", _ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["occurrence_id"],
            ["occurrence_rows.id"],
            name=op.f("fk_drops_occurrence_id_occurrence_rows"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drops")),
        sa.UniqueConstraint("claimed_path", name=op.f("uq_drops_claimed_path")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_drops_occurrence", "drops", ["occurrence_id"], unique=False)
    op.create_index("ix_drops_state", "drops", ["state"], unique=False)


def _schedules() -> None:
    bind = op.get_bind()
    kind = _ID.compile(dialect=bind.dialect)
    op.execute(
        f"ALTER TABLE schedules ADD COLUMN definition_id {kind}"
        " CONSTRAINT fk_schedules_definition_id_definitions REFERENCES definitions (id)"
    )
    op.create_index("ix_schedules_definition", "schedules", ["definition_id"], unique=False)


def _views() -> None:
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        for function in POSTGRESQL_FUNCTIONS:
            bind.exec_driver_sql(function)
    bind.exec_driver_sql(f"CREATE VIEW occurrences AS {OCCURRENCES[bind.dialect.name]}")
    bind.exec_driver_sql(f"CREATE VIEW executions AS {EXECUTIONS[bind.dialect.name]}")
