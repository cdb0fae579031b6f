"""The store holds each game once, whole, whoever writes it and whenever that one is killed."""

import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.data.game_table import from_parquet, to_parquet
from pipeline.data.store import REJECTED, GameStore
from pipeline.data.stored_game import StoredGame
from schemas.errors import DataError
from schemas.training import DataSettings

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def aged(games: Sequence[StoredGame], days: int) -> list[StoredGame]:
    return [dataclasses.replace(game, played_at=NOW - timedelta(days=days)) for game in games]


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"))


def test_what_is_added_is_read_in_order(tmp_path: Path, games: list[StoredGame]) -> None:
    store = GameStore(tmp_path / "a" / "b", DataSettings(games_per_file=10))
    assert store.add(games) == len(games)
    assert len(files(store.folder)) == -(-len(games) // 10)
    assert sorted(GameStore(store.folder).read(), key=lambda g: g.game_id) == sorted(games, key=lambda g: g.game_id)


def test_a_game_is_held_once(tmp_path: Path, games: list[StoredGame]) -> None:
    store, other = GameStore(tmp_path), GameStore(tmp_path)
    assert store.add([*games[:5], *games[:5]]) == 5
    assert other.add(games[3:8]) == 3
    assert store.add(games[:8]) == 0
    assert store.counts().games == other.counts().games == len(store.read()) == 8


def test_counts_are_those_of_the_games(tmp_path: Path, games: list[StoredGame]) -> None:
    store = GameStore(tmp_path, DataSettings(games_per_file=7))
    store.add(games)
    counts = GameStore(tmp_path).counts()
    assert counts == store.counts()
    assert counts.games == len(games)
    assert counts.turns == sum(game.turns for game in games)
    assert counts.decisions == sum(game.decisions for game in games)
    assert counts.quality_sum == pytest.approx(sum(game.quality for game in games))
    assert counts.by_source == {"self_play": len(games)}


def test_reading_chooses(tmp_path: Path, games: list[StoredGame]) -> None:
    store = GameStore(tmp_path, DataSettings(games_per_file=4))
    for day in range(3):
        store.add(aged(games[10 * day : 10 * day + 10], 3 - day))
    store.add([dataclasses.replace(games[40], source="imported")])
    assert [game.source for game in store.read(sources=["imported"])] == ["imported"]
    newest = store.read(newest=12)
    assert len(newest) == 12
    assert newest == store.read()[-12:]
    good = store.read(min_quality=0.6)
    assert good == [game for game in store.read() if game.quality >= 0.6]
    assert 0 < len(good) < len(store.read())
    assert store.read(newest=0) == []


def test_others_read_it_without_us(tmp_path: Path, games: list[StoredGame]) -> None:
    GameStore(tmp_path).add(games[:3])
    table = pq.read_table(files(tmp_path)[0])
    assert table.column("players").to_pylist() == [list(game.players) for game in games[:3]]
    assert table.column("tape").to_pylist() == [game.tape for game in games[:3]]
    assert set(table.column("causes").to_pylist()[0]) <= {
        "", "snake-collision", "snake-self-collision", "out-of-health", "head-collision", "wall-collision", "hazard",
    }  # fmt: skip


damage = {
    "cut": lambda data: data[:-7],
    "empty": lambda data: b"",
    "one bit": lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
}


@pytest.mark.parametrize("harm", damage)
@pytest.mark.parametrize("seen", [False, True])
def test_a_damaged_file_is_set_aside_with_its_reason(
    tmp_path: Path, games: list[StoredGame], harm: str, seen: bool
) -> None:
    store = GameStore(tmp_path, DataSettings(games_per_file=5))
    store.add(games[:10])
    victim = files(tmp_path)[0]
    victim.write_bytes(damage[harm](victim.read_bytes()))
    reader = store if seen else GameStore(tmp_path)
    assert len(reader.read()) == 5
    assert reader.counts().games == 5
    assert not victim.exists()
    assert (tmp_path / REJECTED / victim.name).exists()
    assert "torn or altered" in (tmp_path / REJECTED / f"{victim.name}.reason.txt").read_text()
    assert reader.add(games[:10]) == 5


def test_foreign_and_copied_files_are_set_aside(tmp_path: Path, games: list[StoredGame]) -> None:
    store = GameStore(tmp_path)
    store.add(games[:5])
    whole = files(tmp_path)[0]
    (tmp_path / "mine.parquet").write_bytes(whole.read_bytes())
    (tmp_path / whole.name.replace("games-2026", "games-2031")).write_bytes(whole.read_bytes())
    (tmp_path / "notes.txt").write_text("left alone")
    assert GameStore(tmp_path).counts().games == 5
    reasons = [path.read_text() for path in (tmp_path / REJECTED).glob("*.txt")]
    assert len(reasons) == 2
    assert any("lie in other files already" in reason for reason in reasons)
    assert (tmp_path / "notes.txt").exists()


def test_retention_by_number_takes_the_oldest_files(tmp_path: Path, games: list[StoredGame]) -> None:
    store = GameStore(tmp_path, DataSettings(games_per_file=5, max_games=12))
    for day in range(4):
        store.add(aged(games[5 * day : 5 * day + 5], 10 - day))
    assert store.prune(NOW) == 10
    assert {game.game_id for game in store.read()} == {game.game_id for game in games[10:20]}
    assert store.prune(NOW) == 0
    assert GameStore(tmp_path, DataSettings(max_games=1)).prune(NOW) == 5
    assert GameStore(tmp_path, DataSettings(max_games=1)).prune(NOW) == 0


def test_retention_by_age(tmp_path: Path, games: list[StoredGame]) -> None:
    store = GameStore(tmp_path, DataSettings(keep_days=7))
    for number, days in enumerate((30, 8, 7, 1)):
        store.add(aged(games[5 * number : 5 * number + 5], days))
    assert store.prune(NOW) == 10
    assert store.counts().games == 10
    assert store.add(games[:5]) == 5
    assert store.prune(NOW + timedelta(days=100)) == 15


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path, games: list[StoredGame]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be used"):
        GameStore(tmp_path / "file").add(games[:1])


def add_part(folder: str, games: list[StoredGame], barrier: object) -> None:
    store = GameStore(Path(folder), DataSettings(games_per_file=3))
    barrier.wait()  # type: ignore[attr-defined]
    for first in range(0, len(games), 6):
        store.add(games[first : first + 6])


def test_processes_add_the_same_games_at_once(tmp_path: Path, games: list[StoredGame]) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    halves = (games[:36], games[18:])
    workers = [context.Process(target=add_part, args=(str(tmp_path), half, barrier)) for half in halves]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    read = GameStore(tmp_path).read()
    assert len(read) == len({game.game_id for game in read}) == len(games)
    assert not (tmp_path / REJECTED).exists()


KILLED = """
    import os, pathlib, signal, sys
    from pathlib import Path
    folder, point = Path(sys.argv[1]), sys.argv[2]
    import schemas.files
    from pipeline.data import store as room
    from pipeline.data.store import GameStore
    from pipeline.data.game_table import from_parquet
    from schemas.training import DataSettings

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    def half(path, content):
        path.with_name(f".{path.name}.dead.tmp").write_bytes(content[: len(content) // 2])
        die()

    def second(original):
        calls = []
        def call(*args, **kwargs):
            calls.append(1)
            return die() if len(calls) > 1 else original(*args, **kwargs)
        return call

    games = from_parquet((folder.parent / "games.parquet").read_bytes())
    store = GameStore(folder, DataSettings(games_per_file=4))
    if point == "before writing":
        room.write_atomic = die
    elif point == "half written":
        room.write_atomic = half
    elif point == "before the rename":
        pathlib.Path.replace = die
    elif point == "after the rename":
        schemas.files.fsync_folder = die
    elif point == "between two files":
        room.write_atomic = second(room.write_atomic)
    elif point == "between reason and setting aside":
        (folder / "torn.parquet").write_bytes(b"PAR1")
        room.write_atomic = lambda *a: (schemas.files.write_atomic(*a), die())
    elif point == "while pruning":
        store.add(games)
        pathlib.Path.unlink = second(pathlib.Path.unlink)
        GameStore(folder, DataSettings(max_games=1, games_per_file=4)).prune(games[0].played_at)
    store.add(games)
    sys.exit("not killed")
"""
POINTS = {
    "before writing": 0, "half written": 0, "before the rename": 0, "after the rename": 4, "between two files": 4,
    "between reason and setting aside": 0, "while pruning": 8,
}  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_point_leaves_whole_files_and_no_game_twice(
    tmp_path: Path, games: list[StoredGame], point: str
) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    (tmp_path / "games.parquet").write_bytes(to_parquet(games[:12]))
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(folder), point]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL, done.stderr
    store = GameStore(folder)
    assert store.counts().games == POINTS[point]
    assert store.add(games[:12]) == 12 - POINTS[point]
    read = GameStore(folder).read()
    assert len(read) == len({game.game_id for game in read}) == 12
    assert not list(folder.rglob(".*.tmp"))
    assert [path.name for path in (folder / REJECTED).glob("*.parquet")] == (
        ["torn.parquet"] if point == "between reason and setting aside" else []
    )


words = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.integers(-(2**31), 2**31 - 1)
stored = st.builds(
    StoredGame,
    game_id=words,
    seed=st.integers(-(2**63), 2**63 - 1),
    tape=st.binary(max_size=60),
    players=st.lists(words, max_size=4).map(tuple),
    ranks=st.lists(numbers, max_size=4).map(tuple),
    causes=st.lists(st.integers(0, 6), max_size=4).map(tuple),
    killers=st.lists(numbers, max_size=4).map(tuple),
    deaths=st.lists(numbers, max_size=4).map(tuple),
    lengths=st.lists(numbers, max_size=4).map(tuple),
    turns=numbers,
    width=numbers,
    height=numbers,
    ruleset=words,
    map_id=words,
    source=words,
    played_at=st.datetimes(
        min_value=NOW.replace(tzinfo=None) - timedelta(days=9000),
        max_value=NOW.replace(tzinfo=None) + timedelta(days=9000),
    ).map(lambda moment: moment.replace(tzinfo=NOW.tzinfo)),
    quality=st.floats(0, 1),
    seats_to_learn=st.lists(numbers, max_size=4).map(tuple),
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(stored, max_size=5))
def test_a_file_gives_back_what_was_put_in(games: list[StoredGame]) -> None:
    assert from_parquet(to_parquet(games)) == games


def test_other_bytes_are_no_games() -> None:
    with pytest.raises(DataError, match="not a Parquet file"):
        from_parquet(b"PAR1 nothing PAR1")
