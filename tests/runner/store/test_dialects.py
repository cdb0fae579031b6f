"""SQLite-only SQL stands in few files, so that another database can follow: the rest compiles for PostgreSQL too."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_mock_engine
from sqlalchemy.dialects import postgresql

import runner
from runner.store import due_schedules, history, queue
from runner.store.statements import insert_or_ignore
from runner.store.tables import Base

SQLITE_ONLY = re.compile(
    r"\b(pragma|vacuum|sqlite_master|sqlite_schema|rowid|julianday|strftime|json_extract|insert or|glob )\b", re.I
)
ENGINE_SPECIFIC = {
    "runner/store/engine.py": "opens transactions and looks after the file",
    "runner/store/statements.py": "foreign keys that point at nothing",
    "runner/store/sqlite_connections.py": "sets a connection up",
    "runner/store/opened_file.py": "opens an SQLite file that may not be written",
    "runner/store/server_backup.py": "makes the file that a copy without a dump is kept in",
    "migrations/rebuild.py": "moves an SQLite file into a new one",
    "migrations/disk_space.py": "measures the SQLite file that is moved",
    "migrations/views.py": "the views in the words of each dialect",
}
"""All of another database's engine would be written beside these; nothing else names one."""
READS_SQLITE_FILES = "runner/web/read/"
"""The dashboard's own readers, in narrow SQL; each says beside it what PostgreSQL is asked."""


def strings_of(source: str) -> list[str]:
    """Quoted text without comments or docstring prose: what may reach a database."""
    code = re.sub(r'"""(?:.|\n)*?"""(?=\n)', "", source)
    return re.findall(r'"([^"\n]*)"', re.sub(r"#[^\n]*", "", code))


def test_sqlite_only_sql_stands_where_it_is_said_to() -> None:
    root = Path(runner.__file__).parent.parent
    files = [path for folder in ("runner", "migrations") for path in (root / folder).rglob("*.py")]
    found = {
        path.relative_to(root).as_posix()
        for path in files
        if any(SQLITE_ONLY.search(text) for text in strings_of(path.read_text()))
    }
    assert {name for name in found if not name.startswith(READS_SQLITE_FILES)} == set(ENGINE_SPECIFIC)


def test_the_tables_can_be_made_elsewhere() -> None:
    statements: list[str] = []

    def keep(statement: Any, *_arguments: object, **_options: object) -> None:
        statements.append(str(statement.compile(dialect=postgresql.dialect())))

    Base.metadata.create_all(create_mock_engine("postgresql+psycopg://", keep), checkfirst=False)
    made = " ".join(statements)
    assert "CREATE TABLE execution_rows" in made
    assert "id BIGSERIAL NOT NULL" in made
    assert "WHERE state = 'queued'" in made


class Recorder:
    """A session that compiles what it is asked for PostgreSQL."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.asked = RuntimeError("asked")

    def _compile(self, statement: Any, *_arguments: object, **_options: object) -> None:
        options = {"render_postcompile": True}
        self.statements.append(str(statement.compile(dialect=postgresql.dialect(), compile_kwargs=options)))
        raise self.asked

    execute = scalar = scalars = _compile

    def get_bind(self) -> Any:
        return type("Bind", (), {"dialect": postgresql.dialect()})()


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (lambda s, now: queue.waiting(s, now, 5), "occurrence_rows.state = 'queued'"),
        (lambda s, now: due_schedules.due(s, now, 5), "schedules.enabled IS true"),
        (lambda s, now: history.new_games_since_success(s, "a"), "execution_rows.status = 'succeeded'"),
        (
            lambda s, now: s.execute(insert_or_ignore(s, Base.metadata.tables["occurrence_rows"])),
            "ON CONFLICT DO NOTHING",
        ),
    ],
)
def test_the_hot_queries_compile_elsewhere(use: Any, expected: str) -> None:
    recorder = Recorder()
    with pytest.raises(RuntimeError, match="asked"):
        use(recorder, datetime(2026, 11, 21, tzinfo=UTC))
    assert expected in recorder.statements[0]


def test_a_daemon_on_sqlite_pays_for_no_other_database(tmp_path: Path) -> None:
    code = (
        "import sys, runner.service; from runner.store.engine import Store\n"
        "from runner.store.statements import insert_or_ignore\n"
        "from runner.store.tables import Base\n"
        f"store = Store('sqlite:///{tmp_path / 'a.db'}', 1); store.create_file()\n"
        "with store.write() as session: insert_or_ignore(session, Base.metadata.tables['outbox'])\n"
        "store.changed(); store.close()\n"
        "print([name for name in sys.modules if name.startswith(('sqlalchemy.dialects.postgresql', 'psycopg'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "[]\n", done
