"""Run folders that an earlier database left behind: its numbers come again, its results must not."""

from datetime import UTC, datetime, timedelta

from daemon_world import World, schedule

from runner.store import history
from schemas.execution import Outcome, RunResult
from schemas.model import PipelineState

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def left_behind(world: World, name: str) -> None:
    folder = world.service.settings.runs_dir / name
    folder.mkdir()
    boasting = PipelineState(best_win_rate=0.99, best_win_rate_games=10_000)
    (folder / "result.json").write_text(RunResult(outcome=Outcome.SUCCEEDED, state=boasting).model_dump_json())


def test_a_new_database_beside_old_run_folders_believes_none_of_their_results(tmp_path):
    with World(tmp_path / "home", START) as world:
        world.save(schedule("hourly", "0 * * * *"))
        world.start()
        left_behind(world, "00000001")
        left_behind(world, "00000001-2")
        world.clock.advance(HOUR)
        world.turn_until(lambda: world.lines("pigeon.txt") and world.is_quiet(), "the run")
        with world.store.read() as session:
            (run,) = history.recent(session, 10, "hourly")
    assert run.run_dir.name == "00000001-3"
    assert run.success
    assert run.state is not None
    assert run.state.best_win_rate_games != 10_000


def test_a_run_that_a_kill_kept_from_beginning_is_not_settled_by_an_old_folder(tmp_path):
    class Killed(BaseException):
        pass

    def reach(point: str) -> None:
        if point == "launch.intended":
            raise Killed

    world = World(tmp_path / "home", START, reach=reach)
    try:
        with world:
            world.save(schedule("hourly", "0 * * * *"))
            world.start()
            left_behind(world, "00000001")
            world.clock.advance(HOUR)
            world.turn_until(lambda: False, "the kill")
    except Killed:
        pass
    with World(tmp_path / "home", START) as world:
        world.start()
        world.turn_until(lambda: world.lines("pigeon.txt") and world.is_quiet(), "the run")
        with world.store.read() as session:
            latest, first = history.recent(session, 10, "hourly")
    assert (first.success, first.status.value) == (False, "lost")
    assert latest.success
    assert {first.run_dir.name, latest.run_dir.name} == {"00000001-2", "00000002"}
