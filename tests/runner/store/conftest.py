"""A real database file for each test, and words to fill it with."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.store.engine import Store
from runner.store.migrate import upgrade

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'automation_tracking.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store(url, busy_timeout_s=30)
    upgrade(opened, keep_backups=3, now=NOW)
    yield opened
    opened.close()
