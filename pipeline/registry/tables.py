"""The registry's tables, in the database of the history. A change here needs a migration; a test compares the two.

Instants are text of `schemas.times`, which sorts; a column `..._json` holds a whole model of `schemas.model`, of
which the columns beside it repeat what queries ask for.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
_ROW_ID = BigInteger().with_variant(Integer, "sqlite")
_MODEL_ID = String(120)
_NAME = String(100)
_WORD = String(32)
_INSTANT = String(27)
_IS_CHAMPION = text("status = 'champion'")

models = Table(
    "models",
    metadata,
    Column("id", _MODEL_ID, primary_key=True),
    Column("name", _NAME, nullable=False),
    Column("version", Integer, nullable=False),
    Column("status", _WORD, nullable=False),
    Column("architecture", _NAME, nullable=False),
    Column("training_phase", _NAME, nullable=False),
    Column("parent_id", _MODEL_ID, ForeignKey("models.id")),
    Column("encoder_id", _NAME, nullable=False),
    Column("weights_file", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("parameters", BigInteger, nullable=False),
    Column("created_at", _INSTANT, nullable=False),
    Column("code_revision", _NAME, nullable=False),
    Column("seed", BigInteger),
    Column("damage", Text),
    Column("card_json", Text, nullable=False),
    UniqueConstraint("name", "version"),
    # One champion at most, whoever writes: the second one's transaction fails.
    Index("ux_models_champion", "status", unique=True, sqlite_where=_IS_CHAMPION, postgresql_where=_IS_CHAMPION),
    Index("ix_models_created_at", "created_at"),
    Index("ix_models_parent_id", "parent_id"),
)
"""Every model that was registered; `card_json` is its `ModelDraft`, measurements brought up to date."""

model_events = Table(
    "model_events",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("kind", _WORD, nullable=False),
    Column("model_id", _MODEL_ID, ForeignKey("models.id"), nullable=False),
    Column("previous_id", _MODEL_ID, ForeignKey("models.id")),
    Column("at", _INSTANT, nullable=False),
    Column("evidence_json", Text, nullable=False),
    Index("ix_model_events_model_id", "model_id"),
    sqlite_autoincrement=True,
)
"""The history of champions, in the order of `id`."""

evaluations = Table(
    "evaluations",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("model_id", _MODEL_ID, nullable=False),  # no foreign key: heuristics and snakes are measured too
    Column("opponent", Text, nullable=False),
    Column("snakes", Integer, nullable=False),
    Column("games", Integer, nullable=False),
    Column("wins", Integer, nullable=False),
    Column("draws", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("win_rate", Double, nullable=False),
    Column("low", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("conditions", Text, nullable=False),
    Column("evaluated_at", _INSTANT, nullable=False),
    Column("evaluation_json", Text, nullable=False),
    # The same seed is the same games: told twice (after a kill), they are counted once.
    UniqueConstraint("model_id", "opponent", "snakes", "seed", "games", "conditions", name="uq_evaluations_games"),
    Index("ix_evaluations_evaluated_at", "evaluated_at"),
    sqlite_autoincrement=True,
)
"""Measurements, each the games of one seed; `evaluation_json` is the whole `EvaluationResult`."""
