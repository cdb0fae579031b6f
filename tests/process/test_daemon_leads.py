"""A daemon takes over from another one on PostgreSQL: what ran is adopted where it can be seen, and lost where not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from daemon_world import DATABASE_VARIABLE, World, schedule, settings_for

from runner.store import history
from runner.store.engine import Store
from runner.store.history import ExecutionRecord
from runner.worker.run_folder import RunDir
from runner.worker.stopping import StopReason

START = datetime(2026, 3, 1, tzinfo=UTC)


def runs(store: Store) -> list[ExecutionRecord]:
    with store.read() as session:
        return history.recent(session, 10)[::-1]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_runs_of_the_leader_before(
    elsewhere: bool, tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATABASE_VARIABLE, postgresql_url)
    with World(tmp_path / "first", START) as world:
        world.save(schedule("hourly", "0 * * * *", job="until_stopped"))
        world.start()
        world.clock.advance(timedelta(hours=1))
        world.turn_until(lambda: world.lines("ledger.txt"), "the run under way")
    store = Store(settings_for(tmp_path).database_url, 30)
    (run,) = runs(store)
    if elsewhere:
        with store.write() as session:
            connection = session.connection()
            connection.exec_driver_sql("UPDATE daemon SET host = 'another-machine'")
            connection.exec_driver_sql("UPDATE execution_rows SET run_dir = '/nowhere/00000001'")
    with World(tmp_path / "second", START + timedelta(hours=1)) as world:
        world.start()
        watched = len(world.daemon.steps.watch.runs)
        (first, *_) = runs(store)
        if elsewhere:
            assert watched == 0
            assert first.status.value == "lost"
            assert "It ran on another-machine, whose daemon leads no more" in (first.error_message or "")
        else:
            assert watched == 1
            assert first.completed_at is None
        RunDir(run.run_dir).request_stop(StopReason.CANCEL)
        if not elsewhere:
            world.turn_until(lambda: runs(store)[0].completed_at, "the end of what was adopted")
            assert runs(store)[0].status.value == "cancelled"
    store.close()
