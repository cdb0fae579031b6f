"""Trainers on a simulated landscape."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuning_bench import Bench


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """A clock that is one second later at every look."""
    ticks = itertools.count()
    return lambda: datetime(2026, 11, 21, 12, tzinfo=UTC) + timedelta(seconds=next(ticks))


@pytest.fixture
def bench(tmp_path: Path, clock: Callable[[], datetime]) -> Bench:
    """See `Bench`."""
    return Bench(tmp_path, clock)
