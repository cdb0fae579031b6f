"""Who may ask the REST interface, and what was asked under which idempotency key."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.String(length=27)
_SHA256 = sa.String(length=64)


def upgrade() -> None:
    """Two tables; nothing that was there changes."""
    op.create_table(
        "api_tokens",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("sha256", _SHA256, nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_api_tokens"),
        sa.UniqueConstraint("sha256", name="uq_api_tokens_sha256"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("sha256", _SHA256, nullable=False),
        sa.Column("request_sha256", _SHA256, nullable=False),
        sa.Column("command_id", _ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["command_id"], ["commands.id"], name="fk_idempotency_keys_command_id_commands", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sha256", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_command_id", "idempotency_keys", ["command_id"])
