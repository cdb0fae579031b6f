"""Threads beside the loop: a dead one comes back, ever later while it does nothing but die."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrations.upgrade import upgrade
from runner.background import Background
from runner.clock import SystemClock
from runner.flow.runtime import Runtime
from runner.game_counter import GameCounter
from runner.notify.custom_channel import CustomChannel
from runner.notify.outbound import Outbound
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


def test_a_thread_that_only_dies_is_started_again_ever_later_and_told_once_each(store):
    clock, turns = HandClock(), []

    def turn() -> float:
        turns.append(clock.seconds)
        if len(turns) == 11:
            return 3600.0
        raise RuntimeError("no luck")

    thread = Background("unlucky", turn, 600, clock, store)
    thread.start()
    told = []
    for number in range(1, 11):
        until(lambda number=number: len(turns) == number and not thread._thread.is_alive(), f"death {number}")
        told.append(thread.supervise())
        assert thread.supervise() == ""
        wait_s = min(2.0 ** (number - 1), 300.0)
        clock.seconds += wait_s - 0.1
        assert thread.supervise() == ""
        assert len(turns) == number, "not yet"
        clock.seconds += 0.2
        thread.supervise()
    until(lambda: len(turns) == 11, "the turn that goes well")
    assert told[0] == "it died and is started again in 1 s: RuntimeError: no luck"
    assert told[9] == "it died and is started again in 300 s: RuntimeError: no luck"
    assert thread.supervise() == ""
    assert thread.stop(60)


def test_a_whole_turn_makes_the_next_restart_quick_again(store):
    clock, turns = HandClock(), []

    def turn() -> float:
        turns.append(None)
        if len(turns) in (3, 4):
            return 0.0
        raise RuntimeError("no luck")

    thread = Background("unlucky", turn, 600, clock, store)
    thread.start()
    for expected, number in (("1 s", 1), ("2 s", 2), ("1 s", 5)):
        until(lambda number=number: len(turns) == number and not thread._thread.is_alive(), f"death {number}")
        assert f"in {expected}:" in thread.supervise()
        clock.seconds += 10
        thread.supervise()
    assert thread.stop(60)


def test_a_games_file_that_cannot_be_read_stops_no_other_and_is_told_of(store, tmp_path, monkeypatch):
    class Silent:
        def send_training_completion_notification(self, result: object) -> None:
            pass

    settings = Settings(home=tmp_path / "home")
    outbound = Outbound([CustomChannel(Silent())], settings.notifications)
    counter = GameCounter(Runtime(settings, store, HandClock(), outbound))
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
