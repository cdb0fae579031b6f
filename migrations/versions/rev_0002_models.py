"""The registry of models: `models`, `model_events`, `evaluations`."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MODEL_ID = sa.String(length=120)
_INSTANT = sa.String(length=27)
_NAME = sa.String(length=100)
_WORD = sa.String(length=32)


def upgrade() -> None:
    """All tables, parents before children."""
    _models()
    _model_events()
    _evaluations()


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("id", _MODEL_ID, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", _WORD, nullable=False),
        sa.Column("architecture", _NAME, nullable=False),
        sa.Column("training_phase", _NAME, nullable=False),
        sa.Column("parent_id", _MODEL_ID, nullable=True),
        sa.Column("encoder_id", _NAME, nullable=False),
        sa.Column("weights_file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("parameters", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("code_revision", _NAME, nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("damage", sa.Text(), nullable=True),
        sa.Column("card_json", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["models.id"], name="fk_models_parent_id_models"),
        sa.PrimaryKeyConstraint("id", name="pk_models"),
        sa.UniqueConstraint("name", "version", name="uq_models_name_version"),
    )
    op.create_index(
        "ux_models_champion",
        "models",
        ["status"],
        unique=True,
        sqlite_where=sa.text("status = 'champion'"),
        postgresql_where=sa.text("status = 'champion'"),
    )
    op.create_index("ix_models_created_at", "models", ["created_at"], unique=False)
    op.create_index("ix_models_parent_id", "models", ["parent_id"], unique=False)


def _model_events() -> None:
    op.create_table(
        "model_events",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("kind", _WORD, nullable=False),
        sa.Column("model_id", _MODEL_ID, nullable=False),
        sa.Column("previous_id", _MODEL_ID, nullable=True),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("evidence_json", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name="fk_model_events_model_id_models"),
        sa.ForeignKeyConstraint(["previous_id"], ["models.id"], name="fk_model_events_previous_id_models"),
        sa.PrimaryKeyConstraint("id", name="pk_model_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_model_events_model_id", "model_events", ["model_id"], unique=False)


def _evaluations() -> None:
    op.create_table(
        "evaluations",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("model_id", _MODEL_ID, nullable=False),
        sa.Column("opponent", sa.Text(), nullable=False),
        sa.Column("snakes", sa.Integer(), nullable=False),
        sa.Column("games", sa.Integer(), nullable=False),
        sa.Column("wins", sa.Integer(), nullable=False),
        sa.Column("draws", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("win_rate", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("conditions", sa.Text(), nullable=False),
        sa.Column("evaluated_at", _INSTANT, nullable=False),
        sa.Column("evaluation_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_evaluations"),
        sa.UniqueConstraint(
            "model_id", "opponent", "snakes", "seed", "games", "conditions", name="uq_evaluations_games"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_evaluations_evaluated_at", "evaluations", ["evaluated_at"], unique=False)
