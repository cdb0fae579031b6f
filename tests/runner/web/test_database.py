"""Readers of one file: many at once, one inside another, and a file that is exchanged under them."""

import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from served_site import Served

from runner.web.read.database import READERS, Database
from schemas.errors import StateError

DEADLINE_S = 60


def test_readers_inside_readers_never_wait_for_each_other(home: Path) -> None:
    database = Database(home / "automation_tracking.db")
    many = 4 * READERS
    all_inside = threading.Barrier(many, timeout=DEADLINE_S)

    def read(_number: int) -> int:
        with database.snapshot() as outer:
            all_inside.wait()
            with database.snapshot() as inner:
                rows = (each.execute("SELECT count(*) FROM execution_rows").fetchone()[0] for each in (outer, inner))
                return sum(rows)

    with ThreadPoolExecutor(many) as pool:
        assert list(pool.map(read, range(many), timeout=DEADLINE_S)) == [8] * many
    database.close()


def test_a_reader_that_is_still_inside_when_the_database_is_closed_closes_its_connection(home: Path) -> None:
    database = Database(home / "automation_tracking.db")
    assert database.version() is not None
    with database.snapshot() as rows:
        database.close()
        assert rows.execute("SELECT count(*) FROM execution_rows").fetchone()[0] == 4
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        rows.execute("SELECT 1")
    assert database.version() is None


def test_pages_asked_at_once_are_all_answered(reading: Served) -> None:
    paths = ["/", "/api/v1/status", "/history", "/metrics"] * 5
    with ThreadPoolExecutor(len(paths)) as pool:
        answers = list(pool.map(lambda path: reading.get(path, accept="text/html").status, paths, timeout=DEADLINE_S))
    assert answers == [200] * len(paths)


def test_another_file_at_the_path_is_the_one_that_is_read(home: Path) -> None:
    path = home / "automation_tracking.db"
    database = Database(path)
    with database.snapshot() as rows:
        assert rows.execute("SELECT count(*) FROM schedules").fetchone()[0] == 4
    first = database.version()
    other = home / "other.db"
    shutil.copy(path, other)
    with closing(sqlite3.connect(other)) as plain, plain:
        plain.execute("DELETE FROM schedules")
    plain.close()
    other.replace(path)
    with database.snapshot() as rows:
        assert rows.execute("SELECT count(*) FROM schedules").fetchone()[0] == 0
        with pytest.raises(sqlite3.OperationalError, match="attempt to write a readonly database"):
            rows.execute("DELETE FROM triggers")
    assert database.version() is not None
    assert first is not None
    path.unlink()
    with pytest.raises(StateError, match="no database here"), database.snapshot():
        pass
    database.close()
