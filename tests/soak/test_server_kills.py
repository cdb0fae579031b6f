"""What `tests/process` tries a little of on PostgreSQL, at length: every named point, fifty kills at random moments."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cradle import Cradle, cradle
from daemon_world import DATABASE_VARIABLE
from test_daemon_kills import LIFE, POINTS, killed_and_lived_again
from test_daemon_server_kills import lives_on_a_mortal_server


@pytest.mark.timeout(3600)
def test_fifty_kills_of_the_daemon_and_more_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = lives_on_a_mortal_server(tmp_path, monkeypatch, 50, 2, 3500)
    print(counted)
    assert counted["kills"] == 50
    assert counted["server kills"] >= 5


@pytest.fixture(scope="module")
def lives() -> Iterator[Cradle]:
    with cradle(LIFE) as made:
        yield made


@pytest.mark.parametrize(("point", "nth"), POINTS, ids=[point for point, _ in POINTS])
def test_killed_on_postgresql_at(
    point: str, nth: int, tmp_path: Path, lives: Cradle, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATABASE_VARIABLE, postgresql_url)
    killed_and_lived_again(lives, point, nth, tmp_path)
