"""A history moved between databases is the same, row for row; ended anywhere, it goes on; nothing is written over."""

import json
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from lived_in import add_history, add_ladder, add_networks
from postgresql_server import PrivateServer
from served_site import fill

from runner import cli
from runner.store import administration, migrate, move, queue
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from runner.store.states import OccurrenceState
from schemas.automation import TrainingSchedule
from schemas.database import HEAD
from schemas.errors import DatabaseNewerError, StateError


@pytest.fixture
def home(tmp_path: Path, now: datetime) -> Path:
    """A state folder with rows in most tables, one that refers to a later one, and a number that is used no more."""
    home = tmp_path / "home"
    home.mkdir()
    fill(home, now)
    file = home / "automation_tracking.db"
    with closing(sqlite3.connect(file)) as database, database:
        add_history(database, home, now)
        add_networks(database, now)
        add_ladder(database, now)
        database.execute("UPDATE schedules SET paused_note = ?", ("ÄÖ\u202e\t'\"\\ %s {x} \U0001f40d",))
    store = Store(f"sqlite:///{file}", 5)
    with store.write() as session:
        nightly = TrainingSchedule(name="merged", cron_expression="0 2 * * *")
        first = queue.record(session, NewOccurrence(nightly, now), now, 100).occurrence_id
        last = queue.record(session, NewOccurrence(nightly, now + timedelta(days=1)), now, 100).occurrence_id
        merged = f"SET coalesced_into = {last}, state = '{OccurrenceState.COALESCED}'"
        session.connection().exec_driver_sql(f"UPDATE occurrence_rows {merged} WHERE id = {first}")
        gone = queue.record(session, NewOccurrence(nightly, now + timedelta(days=2)), now, 100).occurrence_id
        session.connection().exec_driver_sql(f"DELETE FROM occurrence_rows WHERE id = {gone}")
    store.checkpoint()
    store.close()
    return home


@pytest.fixture
def source(home: Path) -> Store:
    return Store(f"sqlite:///{home / 'automation_tracking.db'}", 5)


def exported(store: Store, folder: Path) -> dict[str, list[object]]:
    """All that users see of it."""
    paths = administration.export(store, folder, administration.ExportFormat.JSONL)
    return {path.name: [_plain(json.loads(line)) for line in path.read_text().splitlines()] for path in paths}


def _plain(row: dict[str, object]) -> dict[str, object]:
    return {name: int(value) if isinstance(value, bool) else value for name, value in row.items()}


def next_id(store: Store, now: datetime) -> int:
    with store.write() as session:
        later = NewOccurrence(TrainingSchedule(name="new", cron_expression="0 2 * * *"), now)
        return queue.record(session, later, now, 100).occurrence_id


def test_there_and_back_it_is_the_same_history(
    home: Path,
    source: Store,
    postgresql: PrivateServer,
    now: datetime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = exported(source, tmp_path / "before")
    name = postgresql.new_database()
    url, back = postgresql.url(name), f"sqlite:///{tmp_path / 'back.db'}"
    monkeypatch.setenv("OUROBOROS_HOME", str(home))
    assert cli.run(["db", "move", url]) == 0, capsys.readouterr().err
    told = capsys.readouterr().out
    assert f"Now set storage.database_url to {url}" in told
    assert "occurrence_rows" in told
    target = Store(url, 5)
    assert exported(target, tmp_path / "there") == before
    assert administration.check(target).problems == ()
    (home / "settings.json").write_text(json.dumps({"storage": {"database_url": url}}))
    assert cli.run(["db", "move", back]) == 0, capsys.readouterr().err
    returned = Store(back, 5)
    assert exported(returned, tmp_path / "back") == before
    assert next_id(source, now) == next_id(target, now) == next_id(returned, now)
    for store in (source, target, returned):
        store.close()
    postgresql.drop(name)


@pytest.mark.parametrize("pieces", [1, 25])
def test_ended_after_any_piece_it_goes_on_and_is_refused_to_others_until_it_is_whole(
    pieces: int,
    source: Store,
    home: Path,
    postgresql_url: str,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(move, "PIECE_ROWS", 2)
    target = Store(postgresql_url, 5)
    left = pieces

    def end(_table: str, _rows: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move.move(source, target, end)
    revision = migrate.stored_revision(target)
    with pytest.raises(DatabaseNewerError, match="revision moving-"):
        migrate.upgrade(target, 1, now)
    other = Store(f"sqlite:///{tmp_path / 'other.db'}", 5)
    (tmp_path / "other.db").write_bytes((home / "automation_tracking.db").read_bytes())
    with pytest.raises(StateError, match="the target is not empty"):
        move.refuse_unfit(other, target, revision)
    move.refuse_unfit(source, target, revision)
    moved = move.move(source, target)
    assert {table.name: table.rows for table in moved}["arena_ratings"] == 24
    assert migrate.stored_revision(target) == HEAD
    for store in (source, other, target):
        store.close()


def test_what_was_written_meanwhile_is_found(source: Store, postgresql_url: str, now: datetime) -> None:
    target = Store(postgresql_url, 5)

    def write(table: str, _rows: int) -> None:
        if table == "execution_rows":
            with source.write() as session:
                session.connection().exec_driver_sql("UPDATE schedules SET run_count = run_count + 1")

    with pytest.raises(StateError, match=r"the table schedules has .* Something wrote one of them meanwhile"):
        move.move(source, target, write)
    assert (migrate.stored_revision(target) or "").startswith("moving-")
    source.close()
    target.close()


def test_a_target_that_holds_anything_is_refused(source: Store, store: Store, now: datetime) -> None:
    next_id(store, now)
    for refused in (store, source):
        with pytest.raises(StateError, match=r"the target is not empty|the same database"):
            move.refuse_unfit(source, refused, migrate.stored_revision(refused))
    source.close()


def test_what_a_database_cannot_hold_is_named(source: Store, postgresql_url: str) -> None:
    with source.write() as session:
        session.connection().exec_driver_sql("UPDATE decisions SET reason = 'a' || char(0) || 'b'")
    target = Store(postgresql_url, 5)
    with pytest.raises(StateError, match="a row of decisions between id 1 and 1 holds what the target cannot take"):
        move.move(source, target)
    source.close()
    target.close()
