"""`clock_changes`, and in which step the daemon stands."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.String(length=27)


def upgrade() -> None:
    """One table and two columns: no row is rewritten."""
    op.create_table(
        "clock_changes",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("step_s", sa.Double(), nullable=False),
        sa.Column("slept_s", sa.Double(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_clock_changes"),
        sqlite_autoincrement=True,
    )
    op.add_column("daemon", sa.Column("step", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("daemon", sa.Column("step_since", _INSTANT, nullable=True))
