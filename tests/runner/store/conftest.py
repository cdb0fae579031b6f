"""A real database for each test, on SQLite and on PostgreSQL, and words to fill it with."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.store.engine import Store

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def url(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if database_kind == "postgresql":
        found: str = request.getfixturevalue("postgresql_url")
        return found
    return f"sqlite:///{tmp_path / 'automation_tracking.db'}"


@pytest.fixture
def store(database_kind: str, url: str, empty_database: Path, tmp_path: Path) -> Iterator[Store]:
    if database_kind == "sqlite":
        shutil.copyfile(empty_database, tmp_path / "automation_tracking.db")
    opened = Store(url, busy_timeout_s=30)
    yield opened
    opened.close()
