"""The first tables, and the view `schedule_runs` that the operations guide reads."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.String(length=27)
_JSON = sa.Text()
_NAME = sa.String(length=100)
_WORD = sa.String(length=32)


def upgrade() -> None:
    """All tables, parents before children."""
    _schedules()
    _triggers()
    _occurrences()
    _executions()
    _totals()
    _decisions()
    _commands()
    _outbox()
    _drops()
    _game_files()
    _daemon()
    _loops()
    _schedule_runs()


def _schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("name", _NAME, nullable=False),
        sa.Column("definition_json", _JSON, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("paused_note", sa.Text(), nullable=True),
        sa.Column("next_run", _INSTANT, nullable=True),
        sa.Column("watermark", _INSTANT, nullable=False),
        sa.Column("last_run", _INSTANT, nullable=True),
        sa.Column("run_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("success_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failure_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.Column("removed_at", _INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_schedules"),
    )
    op.create_index("ix_schedules_due", "schedules", ["next_run", "name"], unique=False)


def _triggers() -> None:
    op.create_table(
        "triggers",
        sa.Column("name", _NAME, nullable=False),
        sa.Column("definition_json", _JSON, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("paused_note", sa.Text(), nullable=True),
        sa.Column("last_checked", _INSTANT, nullable=True),
        sa.Column("last_triggered", _INSTANT, nullable=True),
        sa.Column("last_verdict", sa.Text(), nullable=False),
        sa.Column("cursor_json", sa.Text(), server_default="{}", nullable=False),
        sa.Column("run_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("success_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failure_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.Column("removed_at", _INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_triggers"),
    )


def _occurrences() -> None:
    op.create_table(
        "occurrences",
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
        sa.Column("not_before", _INSTANT, nullable=False),
        sa.Column("start_deadline", _INSTANT, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("definition_json", _JSON, nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("finished_at", _INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["coalesced_into"],
            ["occurrences.id"],
            name="fk_occurrences_coalesced_into_occurrences",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_occurrences"),
        sa.UniqueConstraint("schedule_name", "scheduled_for", name="uq_occurrences_schedule_name_scheduled_for"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_occurrences_active",
        "occurrences",
        ["schedule_name", "state"],
        unique=False,
        sqlite_where=sa.text("state IN ('queued', 'running')"),
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_index(
        "ix_occurrences_coalesced_into",
        "occurrences",
        ["coalesced_into"],
        unique=False,
        sqlite_where=sa.text("coalesced_into IS NOT NULL"),
        postgresql_where=sa.text("coalesced_into IS NOT NULL"),
    )
    op.create_index(
        "ix_occurrences_finished_at",
        "occurrences",
        ["finished_at"],
        unique=False,
        sqlite_where=sa.text("finished_at IS NOT NULL"),
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index(
        "ix_occurrences_not_before",
        "occurrences",
        ["not_before", "state"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_occurrences_queue",
        "occurrences",
        ["queue_rank", "scheduled_for", "id", "not_before"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_occurrences_start_deadline",
        "occurrences",
        ["start_deadline", "state"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )


def _executions() -> None:
    op.create_table(
        "executions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("occurrence_id", _ID, nullable=False),
        sa.Column("schedule_name", _NAME, nullable=False),
        sa.Column("trigger_type", _WORD, nullable=False),
        sa.Column("trigger_name", _NAME, nullable=True),
        sa.Column("scheduled_for", _INSTANT, nullable=False),
        sa.Column("started_at", _INSTANT, nullable=False),
        sa.Column("completed_at", _INSTANT, nullable=True),
        sa.Column("success", sa.Boolean(), nullable=True),
        sa.Column("status", _WORD, nullable=False),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("failure_class", _WORD, nullable=True),
        sa.Column("pipeline_state_json", _JSON, nullable=False),
        sa.Column("resource_usage_json", _JSON, nullable=True),
        sa.Column("worker", _NAME, nullable=False),
        sa.Column("worker_reason", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("run_dir", sa.Text(), nullable=False),
        sa.Column("run_dir_removed_at", _INSTANT, nullable=True),
        sa.Column("identity_json", _JSON, nullable=True),
        sa.Column("progress_at", _INSTANT, nullable=True),
        sa.Column("games_before", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["occurrence_id"], ["occurrences.id"], name="fk_executions_occurrence_id_occurrences", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_executions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_executions_occurrence", "executions", ["occurrence_id"], unique=False)
    op.create_index(
        "ix_executions_run_folder",
        "executions",
        ["completed_at"],
        unique=False,
        sqlite_where=sa.text("run_dir_removed_at IS NULL"),
        postgresql_where=sa.text("run_dir_removed_at IS NULL"),
    )
    op.create_index("ix_executions_schedule", "executions", ["schedule_name", "started_at"], unique=False)
    op.create_index("ix_executions_started_at", "executions", ["started_at"], unique=False)
    op.create_index(
        "ix_executions_success",
        "executions",
        ["schedule_name", "completed_at"],
        unique=False,
        sqlite_where=sa.text("status = 'succeeded'"),
        postgresql_where=sa.text("status = 'succeeded'"),
    )
    op.create_index(
        "ix_executions_unfinished",
        "executions",
        ["started_at"],
        unique=False,
        sqlite_where=sa.text("completed_at IS NULL"),
        postgresql_where=sa.text("completed_at IS NULL"),
    )
    op.create_index("ix_executions_worker", "executions", ["worker"], unique=False)


def _totals() -> None:
    op.create_table(
        "totals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("settled", sa.BigInteger(), nullable=False),
        sa.Column("succeeded", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_totals"),
    )
    op.execute("INSERT INTO totals (id, settled, succeeded, failed, duration_s) VALUES (1, 0, 0, 0, 0)")


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
            ["occurrence_id"], ["occurrences.id"], name="fk_decisions_occurrence_id_occurrences", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sa.UniqueConstraint("occurrence_id", "kind", "code", name="uq_decisions_occurrence_id_kind_code"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_decisions_last_at", "decisions", ["last_at"], unique=False)
    op.create_index("ix_decisions_schedule", "decisions", ["schedule_name", "last_at"], unique=False)


def _commands() -> None:
    op.create_table(
        "commands",
        sa.Column("id", _ID, nullable=False),
        sa.Column("verb", sa.String(length=32), nullable=False),
        sa.Column("arguments_json", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", _INSTANT, nullable=False),
        sa.Column("handled_at", _INSTANT, nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("ok", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_commands"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_commands_handled_at", "commands", ["handled_at"], unique=False)


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("dedup_key", sa.String(length=200), nullable=False),
        sa.Column("execution_id", _ID, nullable=True),
        sa.Column("payload_json", _JSON, nullable=False),
        sa.Column("recipients_json", _JSON, nullable=False),
        sa.Column("state", _WORD, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", _INSTANT, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("sent_at", _INSTANT, nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name="fk_outbox_execution_id_executions", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("dedup_key", name="uq_outbox_dedup_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_due", "outbox", ["state", "not_before"], unique=False)
    op.create_index("ix_outbox_execution", "outbox", ["execution_id"], unique=False)
    op.create_index("ix_outbox_sent_at", "outbox", ["sent_at"], unique=False)


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
            ["occurrence_id"], ["occurrences.id"], name="fk_drops_occurrence_id_occurrences", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_drops"),
        sa.UniqueConstraint("claimed_path", name="uq_drops_claimed_path"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_drops_occurrence", "drops", ["occurrence_id"], unique=False)
    op.create_index("ix_drops_state", "drops", ["state"], unique=False)


def _game_files() -> None:
    op.create_table(
        "game_files",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("offset_bytes", sa.BigInteger(), nullable=False),
        sa.Column("games", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at", _INSTANT, nullable=False),
        sa.Column("last_grown_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_game_files"),
    )


def _daemon() -> None:
    op.create_table(
        "daemon",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("started_at", _INSTANT, nullable=False),
        sa.Column("heartbeat_at", _INSTANT, nullable=False),
        sa.Column("status", _WORD, nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("paused_note", sa.Text(), nullable=False),
        sa.Column("stopped_cleanly", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_daemon"),
    )


def _loops() -> None:
    op.create_table(
        "loops",
        sa.Column("name", _NAME, nullable=False),
        sa.Column("heartbeat_at", _INSTANT, nullable=False),
        sa.Column("restarts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_loops"),
    )


def _schedule_runs() -> None:
    """Only names that have run: the guide divides by `run_count`."""
    op.execute("""
        CREATE VIEW schedule_runs AS
        SELECT name AS schedule_name, next_run, last_run, run_count, success_count, failure_count
        FROM schedules WHERE run_count > 0
        UNION ALL
        SELECT name, NULL, last_triggered, run_count, success_count, failure_count
        FROM triggers WHERE run_count > 0
    """)
