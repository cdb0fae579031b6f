"""kill -9 of the daemon and of PostgreSQL at random moments of half a day: nothing lost, nothing twice."""

import random
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from daemon_world import DATABASE_VARIABLE
from postgresql_server import PrivateServer, private_server
from test_daemon_random_kills import lives

from migrations.upgrade import upgrade
from runner.store.engine import Store

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MEAN_LIFE_S = 3.0
LONGEST_AWAY_S = 1.5


class Reaper:
    """Kills the server now and then until it is told to end, and starts it again after a while."""

    def __init__(self, server: PrivateServer, seed: int) -> None:
        self._server, self._dice = server, random.Random(seed)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._reap)
        self.kills = 0

    def __enter__(self) -> "Reaper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _reap(self) -> None:
        while not self._ending.wait(self._dice.expovariate(1 / MEAN_LIFE_S)):
            self._server.kill()
            self.kills += 1
            self._ending.wait(self._dice.uniform(0, LONGEST_AWAY_S))
            self._server.start()


def upgraded(server: PrivateServer) -> str:
    """The URL of a new history."""
    url = server.url(server.new_database())
    store = Store(url, 30)
    upgrade(store, 1, NOW)
    store.close()
    return url


def lives_on_a_mortal_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int, days: float, timeout_s: float
) -> dict[str, float]:
    """As `lives`, with a server that is killed meanwhile."""
    with private_server() as server:
        url = upgraded(server)
        monkeypatch.setenv(DATABASE_VARIABLE, url)
        with Reaper(server, kills) as reaper:
            counted = lives(tmp_path / "home", kills, days, timeout_s)
        return counted | {"server kills": reaper.kills}


def test_twelve_kills_of_the_daemon_and_some_of_the_server_lose_and_double_nothing(tmp_path, monkeypatch):
    counted = lives_on_a_mortal_server(tmp_path, monkeypatch, 12, 0.4, 280)
    print(counted)
    assert counted["kills"] == 12
    assert counted["server kills"] >= 1
    assert counted["occurrences"] >= 4
