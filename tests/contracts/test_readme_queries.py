"""The ten queries of the scheduler's README, run on a history that real runs left."""

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from left_out import needed_program

sys.path.insert(0, str(Path(__file__).parents[1] / "process"))
from daemon_world import World, schedule

from runner.store.engine import Store
from runner.store.move import move
from schemas.machine import ResourceRequirements

README = Path(__file__).parents[2] / "runner" / "README.md"
STORE_PAGE = README.parent / "store" / "README.md"
"""Has the ten in PostgreSQL's words."""
START = datetime(2026, 3, 1, tzinfo=UTC)


def queries(page: Path = README) -> dict[str, str]:
    """Title -> query."""
    (block,) = re.findall(r"```sql\n(.*?)```", page.read_text(), re.DOTALL)
    parts = re.split(r"^-- (\d+\. .*)$", block, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    greedy = ResourceRequirements(min_free_memory_gb=10**6, min_free_disk_gb=0, max_cpu_usage_percent=100)
    with pytest.MonkeyPatch.context() as patch, World(home, START) as world:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "process"))
        world.save(
            schedule("good", "30 * * * *"),
            schedule("bad", "45 * * * *", job="refuses"),
            schedule("greedy", "0 * * * *", resource_requirements=greedy, start_deadline_hours=0.5),
        )
        world.start()
        for done in (0, 2, 2, 4):
            world.clock.advance(timedelta(minutes=30))
            world.turn_until(lambda done=done: len(world.lines("pigeon.txt")) >= done, "the runs due by now")
        world.turn()
    return home / "automation_tracking.db"


def test_there_are_ten() -> None:
    assert len(queries()) == 10
    assert list(queries(STORE_PAGE)) == list(queries())


@pytest.mark.parametrize("title", queries())
def test_query(title: str, database: Path) -> None:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute(queries()[title]).fetchall()
    empty_here = ("3.", "10.", "5.")  # nothing runs any more, all was told, and the week before now holds nothing
    assert rows or title.startswith(empty_here), title


def test_on_postgresql_they_tell_the_same(database: Path, postgresql_url: str) -> None:
    source, target = Store(f"sqlite:///{database}", 5), Store(postgresql_url, 5)
    move(source, target)
    with source.read() as here, target.read() as there:
        for title, query in queries(STORE_PAGE).items():
            rows = [tuple(row) for row in there.connection().exec_driver_sql(query.replace("%", "%%"))]
            expected = [tuple(row) for row in here.connection().exec_driver_sql(queries()[title])]
            assert [_close(row) for row in sorted(rows, key=str)] == [_close(row) for row in sorted(expected, key=str)]
    for store in (source, target):
        store.close()


def _close(row: tuple[object, ...]) -> list[object]:
    """Numbers as numbers, whatever kind."""
    return [value if isinstance(value, str | None) else pytest.approx(float(value), abs=0.011) for value in row]


def test_the_sqlite3_shell_runs_them_all(database: Path) -> None:
    command = [needed_program("sqlite3"), "-readonly", "-bail", "-header", str(database), ";".join(queries().values())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "schedule_name|run_count|success_count|success_rate" in done.stdout
