"""The public Arena: games, results, opponents, ratings, registrations, challenges, syncs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ID = sa.String(length=100)
_NAME = sa.String(length=120)
_WORD = sa.String(length=32)
_INSTANT = sa.String(length=27)


def upgrade() -> None:
    """Seven tables; nothing that was there changes."""
    _games()
    _results()
    _opponents()
    _ratings()
    _registrations()
    _challenges()
    _syncs()


def _games() -> None:
    op.create_table(
        "arena_games",
        sa.Column("game_id", _ID, nullable=False),
        sa.Column("state", _WORD, nullable=False),
        sa.Column("challenged", sa.Boolean(), nullable=False),
        sa.Column("snake_id", _ID, nullable=False),
        sa.Column("snake_name", _NAME, nullable=False),
        sa.Column("own_seats", sa.Integer(), nullable=False),
        sa.Column("board", _WORD, nullable=False),
        sa.Column("game_type", _WORD, nullable=False),
        sa.Column("snakes_json", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("ended_at", _INSTANT, nullable=True),
        sa.Column("outcome", _WORD, nullable=True),
        sa.Column("turns", sa.Integer(), nullable=True),
        sa.Column("cause", _WORD, nullable=True),
        sa.Column("killed_by", _NAME, nullable=True),
        sa.Column("last_move", _WORD, nullable=True),
        sa.Column("kept_at", _INSTANT, nullable=True),
        sa.Column("file", sa.Text(), nullable=True),
        sa.Column("offset_bytes", sa.BigInteger(), nullable=True),
        sa.Column("length_bytes", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("why_at", _INSTANT, nullable=True),
        sa.Column("why_json", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("game_id", name="pk_arena_games"),
    )
    op.create_index("ix_arena_games_created_at", "arena_games", ["created_at"], unique=False)
    op.create_index("ix_arena_games_state", "arena_games", ["state", "created_at"], unique=False)


def _results() -> None:
    op.create_table(
        "arena_results",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("game_id", _ID, nullable=False),
        sa.Column("snake_id", _ID, nullable=False),
        sa.Column("snake_name", _NAME, nullable=False),
        sa.Column("opponents", sa.Integer(), nullable=False),
        sa.Column("opponent_rating", sa.Double(), nullable=True),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("ended_at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["game_id"], ["arena_games.game_id"], name="fk_arena_results_game_id_arena_games"),
        sa.PrimaryKeyConstraint("id", name="pk_arena_results"),
        sa.UniqueConstraint("game_id", name="uq_arena_results_game_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_arena_results_snake_id", "arena_results", ["snake_id", "id"], unique=False)


def _opponents() -> None:
    op.create_table(
        "arena_opponents",
        sa.Column("snake_id", _ID, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("owner", _NAME, nullable=False),
        sa.Column("rating", sa.Double(), nullable=True),
        sa.Column("rating_at", _INSTANT, nullable=True),
        sa.Column("games", sa.Integer(), nullable=False),
        sa.Column("won", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False),
        sa.Column("last_lost_at", _INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("snake_id", name="pk_arena_opponents"),
    )
    op.create_index("ix_arena_opponents_name", "arena_opponents", ["name"], unique=False)


def _ratings() -> None:
    op.create_table(
        "arena_ratings",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("leaderboard_id", _ID, nullable=False),
        sa.Column("leaderboard_name", _NAME, nullable=False),
        sa.Column("snake_id", _ID, nullable=False),
        sa.Column("snake_name", _NAME, nullable=False),
        sa.Column("rating", sa.Double(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("of_ranked", sa.Integer(), nullable=False),
        sa.Column("games_played", sa.Integer(), nullable=False),
        sa.Column("first_places", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_arena_ratings"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_arena_ratings_snake", "arena_ratings", ["leaderboard_id", "snake_id", "id"], unique=False)


def _registrations() -> None:
    op.create_table(
        "arena_registrations",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("snake_id", _ID, nullable=False),
        sa.Column("snake_name", _NAME, nullable=False),
        sa.Column("games", sa.Integer(), nullable=False),
        sa.Column("up_to_result", sa.BigInteger(), nullable=False),
        sa.Column("bands_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_arena_registrations"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_arena_registrations_snake_id", "arena_registrations", ["snake_id", "id"], unique=False)


def _challenges() -> None:
    op.create_table(
        "arena_challenges",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("asked_at", _INSTANT, nullable=False),
        sa.Column("snakes_json", sa.Text(), nullable=False),
        sa.Column("board", _WORD, nullable=False),
        sa.Column("game_type", _WORD, nullable=False),
        sa.Column("state", _WORD, nullable=False),
        sa.Column("game_id", _ID, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_arena_challenges"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_arena_challenges_asked_at", "arena_challenges", ["asked_at"], unique=False)


def _syncs() -> None:
    op.create_table(
        "arena_syncs",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("started_at", _INSTANT, nullable=False),
        sa.Column("ended_at", _INSTANT, nullable=False),
        sa.Column("games", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("bytes_read", sa.BigInteger(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_arena_syncs"),
        sqlite_autoincrement=True,
    )
