"""The database is taken away under a daemon that serves it: it ends with a word, and what it knew is kept."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from daemon_world import World, schedule

from runner.store import schedules
from runner.store.engine import Store
from schemas.errors import StateError

pytestmark = pytest.mark.sqlite_files
START = datetime(2026, 3, 1, tzinfo=UTC)


def known(database: Path) -> list[str]:
    store = Store(f"sqlite:///{database}", 5)
    try:
        with store.read() as session:
            return [record.name for record in schedules.list_active(session)]
    finally:
        store.close()


@pytest.mark.parametrize("how", ["removed", "replaced by another file"])
def test_the_daemon_ends_and_all_it_knew_lies_beside_the_old_place(tmp_path, how, caplog):
    home = tmp_path / "home"
    with World(home, START) as world:
        world.save(schedule("hourly", "0 * * * *"))
        database, turns = home / "automation_tracking.db", []

        def take_away(_status: object) -> None:
            turns.append(None)
            if len(turns) > 1:
                return
            for file in home.glob("automation_tracking.db-*"):
                file.unlink()
            database.unlink()
            if how != "removed":
                database.write_bytes(b"somebody's file")

        world.daemon.on_turn = take_away
        with caplog.at_level(logging.CRITICAL, "ouroboros"), pytest.raises(StateError, match=how) as told:
            world.service.run()
        assert f"the database was {how} under the daemon" in caplog.text
    (rescued,) = home.glob("automation_tracking.db.rescued-*")
    assert str(rescued) in told.value.remedy
    assert known(rescued) == ["hourly"]
