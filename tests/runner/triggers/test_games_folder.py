import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.store import games
from runner.store.engine import Store
from runner.triggers import games_folder
from runner.triggers.games_folder import Cursor, FileNews, count_new_games, look, read_game
from schemas.game import GameLog, GameLogOutcome

Game = Callable[..., str]


class Reader:
    """Looks again and again, and keeps the cursors as a caller does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[Path, Cursor] = {}

    def news(self) -> list[FileNews]:
        found = list(look(self.folder, self.known))
        self.known.update({news.path: news.after for news in found})
        return found

    def ids(self) -> list[str]:
        return [game.game_id for news in self.news() for game in news.games]


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def test_a_missing_folder_has_no_news(tmp_path: Path) -> None:
    assert list(look(tmp_path / "nowhere", {})) == []


def test_each_line_is_read_once(reader: Reader, tmp_path: Path, game: Game) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(game("1") + game("2"))
    assert reader.ids() == ["1", "2"]
    assert reader.news() == []
    with path.open("a") as handle:
        handle.write(game("3"))
    assert reader.ids() == ["3"]


def test_the_half_written_last_line_waits(reader: Reader, tmp_path: Path, game: Game) -> None:
    path, line = tmp_path / "a.jsonl", game("2")
    path.write_text(game("1") + line[:40])
    assert reader.ids() == ["1"]
    assert reader.ids() == []
    with path.open("a") as handle:
        handle.write(line[40:])
    assert reader.ids() == ["2"]


def test_a_torn_line_costs_one_game_and_no_more(reader: Reader, tmp_path: Path, game: Game) -> None:
    (tmp_path / "a.jsonl").write_text(game("1") + game("torn")[:60] + "\n" + game("2"))
    (news,) = reader.news()
    assert ([found.game_id for found in news.games], news.malformed) == (["1", "2"], 1)


def test_what_a_line_tells(game: Game) -> None:
    told = read_game(game("7", "draw", imported_from="x.json").encode())
    assert told is not None
    assert (told.game_id, told.you_id, told.you_name, told.outcome) == ("7", "me", "Ouro", GameLogOutcome.DRAW)
    assert (told.snakes, told.imported) == (2, True)
    assert told.ended_at == datetime.fromisoformat("2026-11-21T11:59:00+00:00")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "17",
        "{}",
        '{"format": "ouroboros-game-log/2"}',
        "not json",
        "\xff",
    ],
)
def test_other_lines_tell_of_no_game(line: str) -> None:
    assert read_game(line.encode("latin-1")) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": "ouroboros-game-log/2"},
        {"game_id": ""},
        {"game_id": 5},
        {"you": 2},
        {"you": -1},
        {"you": "me"},
        {"snakes": []},
        {"outcome": "victory"},
        {"ended_at": "yesterday"},
    ],
)
def test_a_game_with_a_wrong_field_is_malformed(game: Game, wrong: dict[str, object]) -> None:
    assert read_game(game("1", **wrong).encode()) is None


def test_a_time_without_an_offset_is_utc(game: Game) -> None:
    line = game("g", ended_at="2026-11-21T11:59:00")
    found = read_game(line.encode())
    assert found is not None
    assert found.ended_at == GameLog.model_validate_json(line).ended_at == datetime(2026, 11, 21, 11, 59, tzinfo=UTC)


def test_the_schema_reads_what_the_counter_counts(game: Game) -> None:
    line = game("1")
    assert GameLog.model_validate_json(line).game_id == "1"
    assert read_game(GameLog.model_validate_json(line).to_line().encode()) == read_game(line.encode())


def test_duplicates_in_the_tail_count_once(reader: Reader, tmp_path: Path, game: Game) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(game("1") + game("1") + game("1", you=1))
    (news,) = reader.news()
    assert (len(news.games), news.duplicates) == (2, 1)
    with path.open("a") as handle:
        handle.write(game("1") + game("2"))
    assert reader.ids() == ["2"]


def test_rotation_by_rename_counts_nothing_twice(reader: Reader, tmp_path: Path, game: Game) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(game("1") + game("2"))
    assert reader.ids() == ["1", "2"]
    with path.open("a") as handle:
        handle.write(game("3"))
    path.rename(tmp_path / "a-old.jsonl")
    path.write_text(game("4"))
    assert sorted(reader.ids()) == ["3", "4"]
    assert reader.news() == []


def test_a_file_cut_short_or_replaced_is_read_from_its_beginning(reader: Reader, tmp_path: Path, game: Game) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(game("1") + game("2"))
    assert reader.ids() == ["1", "2"]
    path.write_text(game("3"))
    assert reader.ids() == ["3"]
    path.unlink()
    assert reader.ids() == []
    # It may well bear the same inode: that it is another one shows where the last read ended, in the middle of a line.
    path.write_text(game("the fourth") + game("5") + game("6"))
    assert reader.ids() == ["the fourth", "5", "6"]


def test_only_log_files_are_read(reader: Reader, tmp_path: Path, game: Game) -> None:
    for name in (".a.jsonl", "a.jsonl.tmp", "a.json"):
        (tmp_path / name).write_text(game("1"))
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "a.json")
    assert reader.news() == []


def test_large_files_come_in_pieces(
    reader: Reader, tmp_path: Path, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(games_folder, "CHUNK_BYTES", 2000)
    (tmp_path / "a.jsonl").write_text("".join(game(str(number)) for number in range(40)))
    pieces = reader.news()
    assert len(pieces) > 5
    assert [found.game_id for news in pieces for found in news.games] == [str(number) for number in range(40)]
    assert all(earlier.after == later.before for earlier, later in pairwise(pieces))
    assert reader.news() == []


def test_an_endless_line_is_passed_over(
    reader: Reader, tmp_path: Path, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(games_folder, "MAX_LINE_BYTES", 1000)
    path = tmp_path / "a.jsonl"
    path.write_text(game("1") + "x" * 5000 + "\n" + game("2"))
    (news,) = reader.news()
    assert ([found.game_id for found in news.games], news.malformed) == (["1", "2"], 1)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 4000), max_size=12), chunk=st.sampled_from([300, 5000, 1 << 20]))
def test_however_the_writes_fall_every_game_counts_once(
    tmp_path_factory: pytest.TempPathFactory, game: Game, cuts: list[int], chunk: int
) -> None:
    folder = tmp_path_factory.mktemp("games")
    text = "".join(game(str(number)) for number in range(5)).encode()
    reader, path, ids = Reader(folder), folder / "a.jsonl", []
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(games_folder, "CHUNK_BYTES", chunk)
        for start, end in pairwise(edges):
            with path.open("ab") as handle:
                handle.write(text[start:end])
            ids += reader.ids()
    assert ids == ["0", "1", "2", "3", "4"]


def test_the_store_keeps_the_count(store: Store, tmp_path: Path, game: Game, now: datetime) -> None:
    folder = tmp_path / "games"
    assert count_new_games(store, folder, now) == 0
    folder.mkdir()
    (folder / "a.jsonl").write_text(game("1") + game("2"))
    assert count_new_games(store, folder, now) == 2
    assert count_new_games(store, folder, now) == 2
    (folder / "b.jsonl").write_text(game("3"))
    (folder / "a.jsonl").unlink()
    assert count_new_games(store, folder, now) == 3, "a file that goes away takes no games with it"


def test_two_who_count_at_once_count_each_game_once(
    store: Store, tmp_path: Path, game: Game, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one comes between the first one's reading and its writing."""
    folder = tmp_path / "games"
    folder.mkdir()
    (folder / "a.jsonl").write_text(game("1") + game("2"))
    real, came = games_folder.look, []

    def look_with_company(of: Path, known: dict[Path, Cursor], unreadable: Any) -> list[FileNews]:
        news = list(real(of, known, unreadable))
        if not came:
            came.append(True)
            assert count_new_games(store, folder, now) == 2
        return news

    monkeypatch.setattr("runner.triggers.games_folder.look", look_with_company)
    assert count_new_games(store, folder, now) == 2
    with store.read() as session:
        assert games.total(session) == 2


def test_a_file_whose_name_no_row_can_hold_is_told_of_and_stops_no_other(tmp_path: Path, game: Game) -> None:
    for name in (b"a\xff.jsonl", b"b\n.jsonl", b"c.jsonl"):
        (tmp_path / os.fsdecode(name)).write_text(game("g") + "\n", encoding="utf-8")
    told: list[tuple[str, str | None]] = []
    news = list(games_folder.look(tmp_path, {}, lambda path, error: told.append((path.name, error.strerror))))
    assert [piece.path.name for piece in news] == ["c.jsonl"]
    assert [name for name, _ in told] == [os.fsdecode(b"a\xff.jsonl"), "b\n.jsonl"]
    assert all("rename it" in (why or "") for _, why in told)


def test_files_whose_numbers_take_all_64_bits_are_counted(
    store: Store, tmp_path: Path, game: Game, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fstat

    def as_in_user_space(descriptor: int) -> os.stat_result:
        told = list(real(descriptor))
        told[stat.ST_INO] += 1 << 63
        return os.stat_result(told)

    path = tmp_path / "a.jsonl"
    path.write_text(game("1"))
    monkeypatch.setattr(games_folder.os, "fstat", as_in_user_space)
    assert count_new_games(store, tmp_path, now) == 1
    with path.open("a") as handle:
        handle.write(game("2"))
    assert count_new_games(store, tmp_path, now) == 2
