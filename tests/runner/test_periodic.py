"""Work beside the loop: what fails is tried again, ever later while it does nothing but fail."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migrations.upgrade import upgrade
from runner.clock import SystemClock
from runner.flow.runtime import Runtime
from runner.game_counter import GameCounter
from runner.notify.channels import CustomChannel
from runner.notify.dispatcher import Notifier
from runner.periodic import PeriodicWork
from runner.store import games, heartbeat, outbox
from runner.store.engine import Store
from schemas.game import GAME_LOG_FORMAT
from schemas.settings import Settings

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GAME = (
    f'{{"format": "{GAME_LOG_FORMAT}", "game_id": "%s", "you": 0, "outcome": "win",'
    ' "snakes": [{"id": "a", "name": "b"}], "frames": []}\n'
)


class HandClock(SystemClock):
    """Monotonic time as the test says."""

    seconds = 0.0

    def monotonic_s(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOW


@pytest.fixture
def store(tmp_path: Path):
    opened = Store(f"sqlite:///{tmp_path / 'daemon.db'}", 5)
    upgrade(opened, 1, NOW)
    yield opened
    opened.close()


def until(condition: Callable[[], object], what: str) -> None:
    end_s = time.monotonic() + 60
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end_s, f"never came: {what}"
        pause.wait(0.005)


@pytest.fixture
def periodic(store):
    work = PeriodicWork(HandClock(), store)
    yield work
    work.stop(5)


def planned_at_once(periodic: PeriodicWork, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What each turn asked for; the next one comes at once all the same."""
    asked: list[float] = []
    real = periodic._plan

    def plan(work: object, after_s: float) -> None:
        asked.append(after_s)
        real(work, 0.0 if after_s < 3600 else after_s)

    monkeypatch.setattr(periodic, "_plan", plan)
    return asked


def told(periodic: PeriodicWork) -> str:
    """The next thing that the loop is told."""
    found: list[tuple[str, str]] = []

    def asked() -> bool:
        found.extend(periodic.supervise())
        return bool(found)

    until(asked, "a word")
    ((name, trouble),) = found
    assert name == "work"
    return trouble


def test_work_that_only_fails_is_tried_again_ever_later_and_a_whole_turn_makes_it_quick_again(periodic, monkeypatch):
    asked = planned_at_once(periodic, monkeypatch)
    turns = threading.Semaphore(0)
    outcomes = iter([*[RuntimeError("no luck")] * 10, None, SystemExit("again"), 3600.0])

    def turn() -> float:
        turns.acquire()
        outcome = next(outcomes)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome or 0.0

    periodic.add("work", turn, 600)
    periodic.start()
    said = []
    for _ in range(10):
        turns.release()
        said.append(told(periodic))
    assert said[0] == "it failed and is tried again in 1 s: RuntimeError: no luck"
    assert said[9] == "it failed and is tried again in 300 s: RuntimeError: no luck"
    assert asked == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    turns.release(2)
    assert told(periodic) == "it failed and is tried again in 1 s: SystemExit: again"
    turns.release()
    until(lambda: asked[-1] == 3600, "the turn that goes well")
    assert periodic.supervise() == []


def test_a_turn_that_hangs_is_told_once_and_holds_up_no_other(periodic):
    release, others = threading.Event(), []
    periodic.add("work", lambda: float(release.wait(60)), 600)
    periodic.add("other", lambda: others.append(None) or 0.01, 600)
    periodic.start()
    until(lambda: "work" in periodic._under_way() and len(others) > 1, "both at work")
    periodic._clock.seconds += 700
    assert ("work", "it has been at one turn for 700 s") in periodic.supervise()
    assert "work" not in dict(periodic.supervise())
    seen = len(others)
    until(lambda: len(others) > seen, "the other goes on")
    assert periodic.stop(0) == ["work"] or "work" in periodic._under_way()
    release.set()
    assert periodic.stop(60) == []


def test_a_wall_clock_that_was_set_back_holds_up_no_work(periodic):
    """APScheduler waits for an instant of the wall clock."""
    turns = []
    periodic.add("work", lambda: turns.append(None) or (0.0 if len(turns) < 2 else 3600.0), 600)
    periodic.start()
    until(lambda: len(turns) == 2 and not periodic._under_way(), "two turns")
    tomorrow = datetime.now(UTC) + timedelta(days=1, hours=1)
    periodic._scheduler.modify_job("work", next_run_time=tomorrow)  # as where the clock was a day ahead
    periodic.follow_clock()
    (job,) = periodic._scheduler.get_jobs()
    assert abs(job.next_run_time - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=10)
    periodic.run_now("work")
    until(lambda: len(turns) == 3, "the turn at once")


def test_a_clock_of_the_work_that_stands_is_made_anew(periodic):
    turns = []
    periodic.add("work", lambda: turns.append(None) or 1.0, 600)
    periodic.start()
    until(lambda: turns and not periodic._under_way(), "a turn")
    periodic._scheduler.shutdown(wait=False)
    periodic._clock.seconds += 300
    seen = len(turns)
    assert periodic.supervise() == [("periodic work", "its clock stood, and is made anew")]
    until(lambda: len(turns) > seen, "it turns again")


def test_a_games_file_that_cannot_be_read_stops_no_other_and_is_told_of(store, tmp_path, monkeypatch):
    class Silent:
        def send_training_completion_notification(self, result: object) -> None:
            pass

    settings = Settings(home=tmp_path / "home")
    notifier = Notifier([CustomChannel(Silent())], settings.notifications)
    counter = GameCounter(Runtime(settings, store, HandClock(), notifier))
    settings.games_dir.mkdir(parents=True)
    (settings.games_dir / "a.jsonl").write_text(GAME % 1)
    (settings.games_dir / "b.jsonl").write_text(GAME % 2)
    real = Path.open

    def refusing(path: Path, *arguments, **options):
        if path.name == "a.jsonl":  # root may read everything, so permissions would refuse nothing
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refusing)
    for _ in range(2):
        counter.turn()
    with store.read() as session:
        assert games.total(session) == 1
        (loop,) = heartbeat.loops(session)
        assert outbox.counts(session).pending == 1
        assert "a.jsonl: Permission denied" in outbox.take_due(session, NOW, 10)[0].message.headline
    assert (loop.name, loop.restarts) == ("games", 0)
    assert "a.jsonl: Permission denied" in (loop.last_error or "")
    monkeypatch.undo()
    counter.turn()
    with store.read() as session:
        assert games.total(session) == 2
