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


def take_away(home: Path, how: str) -> None:
    for file in home.glob("automation_tracking.db-*"):
        file.unlink()
    (home / "automation_tracking.db").unlink()
    if how != "removed":
        (home / "automation_tracking.db").write_bytes(b"somebody's file")


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
        turns: list[None] = []

        def first_turn(_status: object) -> None:
            turns.append(None)
            if len(turns) == 1:
                take_away(home, how)

        world.daemon.on_turn = first_turn
        with caplog.at_level(logging.CRITICAL, "ouroboros"), pytest.raises(StateError, match=how) as told:
            world.service.run()
        assert f"the database was {how} under the daemon" in caplog.text
    (rescued,) = home.glob("automation_tracking.db.rescued-*")
    assert str(rescued) in told.value.remedy
    assert known(rescued) == ["hourly"]


@pytest.mark.parametrize("moment", ["after the last turn", "when the last messages go out"])
def test_what_the_disk_says_of_a_file_that_is_gone_is_not_the_last_word(tmp_path, monkeypatch, moment):
    """The daemon is about to end, and no turn looks at the file again: an error of reading or writing comes first."""

    def broken(*_now: object) -> None:
        take_away(home, "removed")
        raise StateError("reading or writing the database failed: disk I/O error")

    home = tmp_path / "home"
    with World(home, START) as world:
        world.daemon.on_turn = lambda _status: world.daemon.request_stop()
        where = world.daemon if moment == "after the last turn" else world.service
        monkeypatch.setattr(where, "_end" if where is world.daemon else "deliver", broken)
        with pytest.raises(StateError, match="removed under the daemon"):
            world.service.run()
    assert list(home.glob("automation_tracking.db.rescued-*"))


def test_a_disk_that_fails_at_the_end_is_told_as_it_is(tmp_path, monkeypatch):
    def broken(*_now: object) -> None:
        raise StateError("disk I/O error")

    with World(tmp_path / "home", START) as world:
        world.daemon.on_turn = lambda _status: world.daemon.request_stop()
        monkeypatch.setattr(world.daemon, "_end", broken)
        with pytest.raises(StateError, match="disk I/O error"):
            world.service.run()
