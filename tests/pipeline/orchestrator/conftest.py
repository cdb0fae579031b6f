"""A registry's database, upgraded once: each test copies it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrations.upgrade import upgrade
from runner.store.engine import Store


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("registry") / "empty.db"
    store = Store(f"sqlite:///{path}", busy_timeout_s=30)
    upgrade(store, keep_backups=3, now=datetime(2026, 11, 29, 12, tzinfo=UTC))
    store.checkpoint()
    store.close()
    return path
