"""The Arena's tables, in the database of the history. A change here needs a migration; a test compares the two.

The daemon's triggers and its dashboard read them with plain SQL. Instants are text of `schemas.times`, which sorts;
a column `..._json` holds a model of `schemas.ladder`, or a list of them.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
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
_ID = String(100)
_NAME = String(120)
_WORD = String(32)
_INSTANT = String(27)

games = Table(
    "arena_games",
    metadata,
    Column("game_id", _ID, primary_key=True),
    Column("state", _WORD, nullable=False),
    Column("challenged", Boolean, nullable=False),
    Column("snake_id", _ID, nullable=False),
    Column("snake_name", _NAME, nullable=False),
    Column("own_seats", Integer, nullable=False),
    Column("board", _WORD, nullable=False),
    Column("game_type", _WORD, nullable=False),
    Column("snakes_json", Text, nullable=False),
    Column("created_at", _INSTANT, nullable=False),
    Column("ended_at", _INSTANT),
    Column("outcome", _WORD),
    Column("turns", Integer),
    Column("cause", _WORD),
    Column("killed_by", _NAME),
    Column("last_move", _WORD),
    Column("kept_at", _INSTANT),
    Column("file", Text),
    Column("offset_bytes", BigInteger),
    Column("length_bytes", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("why_at", _INSTANT),
    Column("why_json", Text),
    Index("ix_arena_games_state", "state", "created_at"),
    Index("ix_arena_games_created_at", "created_at"),
)
"""Every game that a list of the Arena showed us, once; its line in the games folder once it is kept."""

results = Table(
    "arena_results",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("game_id", _ID, ForeignKey("arena_games.game_id"), nullable=False, unique=True),
    Column("snake_id", _ID, nullable=False),
    Column("snake_name", _NAME, nullable=False),
    Column("opponents", Integer, nullable=False),
    Column("opponent_rating", Double),
    Column("score", Double, nullable=False),
    Column("ended_at", _INSTANT, nullable=False),
    Index("ix_arena_results_snake_id", "snake_id", "id"),
    sqlite_autoincrement=True,
)
"""Ladder games that count, in the order in which they were kept: not challenges, not games of our snakes alone."""

opponents = Table(
    "arena_opponents",
    metadata,
    Column("snake_id", _ID, primary_key=True),
    Column("name", _NAME, nullable=False),
    Column("owner", _NAME, nullable=False),
    Column("rating", Double),
    Column("rating_at", _INSTANT),
    Column("games", Integer, nullable=False),
    Column("won", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    Column("last_lost_at", _INSTANT),
    Index("ix_arena_opponents_name", "name"),
)
"""Snakes of others, as far as we met them or the ladder names them; won and lost are our games."""

ratings = Table(
    "arena_ratings",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("at", _INSTANT, nullable=False),
    Column("leaderboard_id", _ID, nullable=False),
    Column("leaderboard_name", _NAME, nullable=False),
    Column("snake_id", _ID, nullable=False),
    Column("snake_name", _NAME, nullable=False),
    Column("rating", Double, nullable=False),
    Column("rank", Integer),
    Column("of_ranked", Integer, nullable=False),
    Column("games_played", Integer, nullable=False),
    Column("first_places", Integer, nullable=False),
    Index("ix_arena_ratings_snake", "leaderboard_id", "snake_id", "id"),
    sqlite_autoincrement=True,
)
"""Our snakes' ladder ratings over time: a row whenever one changed."""

registrations = Table(
    "arena_registrations",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("at", _INSTANT, nullable=False),
    Column("snake_id", _ID, nullable=False),
    Column("snake_name", _NAME, nullable=False),
    Column("games", Integer, nullable=False),
    Column("up_to_result", BigInteger, nullable=False),
    Column("bands_json", Text, nullable=False),
    Index("ix_arena_registrations_snake_id", "snake_id", "id"),
    sqlite_autoincrement=True,
)
"""What a snake is held to: its win rate by rating of the opponents, with intervals, as of a moment."""

challenges = Table(
    "arena_challenges",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("asked_at", _INSTANT, nullable=False),
    Column("snakes_json", Text, nullable=False),
    Column("board", _WORD, nullable=False),
    Column("game_type", _WORD, nullable=False),
    Column("state", _WORD, nullable=False),
    Column("game_id", _ID),
    Column("reason", Text, nullable=False),
    Index("ix_arena_challenges_asked_at", "asked_at"),
    sqlite_autoincrement=True,
)
"""Games that we asked the Arena for, written before the asking."""

syncs = Table(
    "arena_syncs",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("started_at", _INSTANT, nullable=False),
    Column("ended_at", _INSTANT, nullable=False),
    Column("games", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("waiting", Integer, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("bytes_read", BigInteger, nullable=False),
    Column("trouble", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""Each synchronisation, the newest thousand; `trouble` is empty where all went well."""
