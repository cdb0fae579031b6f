"""The README's ten queries, run on a history that real runs left."""

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

from schemas.machine import ResourceRequirements

README = Path(__file__).parents[2] / "README.md"
START = datetime(2026, 3, 1, tzinfo=UTC)


def queries() -> dict[str, str]:
    """Title -> query."""
    (block,) = re.findall(r"```sql\n(.*?)```", README.read_text(), re.DOTALL)
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


@pytest.mark.parametrize("title", queries())
def test_query(title: str, database: Path) -> None:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute(queries()[title]).fetchall()
    empty_here = ("3.", "10.", "5.")  # nothing runs any more, all was told, and the week before now holds nothing
    assert rows or title.startswith(empty_here), title


def test_the_sqlite3_shell_runs_them_all(database: Path) -> None:
    command = [needed_program("sqlite3"), "-readonly", "-bail", "-header", str(database), ";".join(queries().values())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "schedule_name|run_count|success_count|success_rate" in done.stdout
