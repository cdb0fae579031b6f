"""Files as other programs write them: what each is read as, and what is said of those that cannot be read."""

import bz2
import gzip
import json
import lzma
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.external_games import stored_games
from pipeline.data.game_logs import import_games
from pipeline.data.importers.documents import UnreadablePlace
from pipeline.data.importers.frames import FrameReader, ImportedGame, SeenBoard, SeenSnake, to_game_log
from pipeline.data.importers.reading import games_in
from pipeline.data.stored_game import RefusedGame, StoredGame
from schemas.game import GAME_LOG_SUFFIX, GameLog, GameLogFrame, GameLogOutcome

GOLDEN = Path(__file__).parents[2] / "golden"
GAMES, ARENA = GOLDEN / "games", GOLDEN / "arena"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def read(*paths: Path) -> list[ImportedGame | GameLog | str]:
    return [found.game.reason if isinstance(found.game, UnreadablePlace) else found.game for found in games_in(paths)]


def only(*paths: Path) -> ImportedGame:
    (game,) = read(*paths)
    assert isinstance(game, ImportedGame), game
    return game


def refusal(*paths: Path) -> str:
    (reason,) = read(*paths)
    assert isinstance(reason, str), reason
    return reason


def lines_of(name: str) -> list[Any]:
    return [json.loads(line) for line in (GAMES / name).read_text().splitlines()]


def write(path: Path, *trees: Any) -> Path:
    path.write_text("".join(json.dumps(tree) + "\n" for tree in trees))
    return path


@pytest.mark.parametrize("name", ["cli_1.0_without_map.jsonl", "cli_1.1_winner_line_ignored.jsonl"])
def test_older_command_lines_name_no_map_and_their_last_line_names_the_winner(name: str) -> None:
    game = only(GAMES / name)
    assert (game.ruleset, game.map_id, game.winner_id) == ("standard", "standard", "b")
    assert to_game_log(game, "b", name).outcome is GameLogOutcome.WIN
    assert to_game_log(game, "a", name).outcome is GameLogOutcome.LOSS
    (stored,) = stored_games([GAMES / name], NOW)
    assert isinstance(stored, StoredGame)
    assert stored.winner == stored.players.index("snake:b")
    assert stored.seats_to_learn == (stored.winner,)
    assert stored.ranks == (2, 1)


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ({"winnerId": "c", "winnerName": "c", "isDraw": False}, "line 4 names 'c' the winner"),
        ({"winnerId": "", "winnerName": "", "isDraw": True}, ""),
    ],
)
def test_a_result_line_that_its_boards_refute_and_one_that_tells_of_a_draw(
    tmp_path: Path, result: dict[str, Any], says: str
) -> None:
    *lines, _ = lines_of("cli_1.1_winner_line_ignored.jsonl")
    path = write(tmp_path / "game.jsonl", *lines, result)
    if says:
        assert says in refusal(path)
    else:
        assert to_game_log(only(path), "a", "").outcome is GameLogOutcome.DRAW


def test_two_snakes_with_one_id_are_refused_with_that_word() -> None:
    assert refusal(GAMES / "cli_same_ids.jsonl") == "line 2: turn 0 shows 2 snakes with the same id 'x'"


def test_frames_that_end_before_the_game_are_an_error_and_no_draw(tmp_path: Path) -> None:
    assert refusal(GAMES / "engine_frames_cut_short.json") == "its frames end at turn 1, the game at turn 2"
    tree = lines_of("engine_frames_cut_short.json")[0]
    del tree["LastFrame"]
    assert refusal(write(tmp_path / "cut.json", tree)) == (
        "its frames end at turn 1, where a, b still live: the rest is missing"
    )
    assert only(GAMES / "engine_whole_control.json").winner_id == "b"


def test_a_log_whose_end_shows_new_food_is_the_game_without_that_food() -> None:
    (control,) = stored_games([GAMES / "log_official_end_control.jsonl"], NOW)
    (spawned,) = stored_games([GAMES / "log_official_end_with_new_food.jsonl"], NOW)
    assert isinstance(control, StoredGame)
    assert isinstance(spawned, StoredGame), spawned
    assert spawned.tape == control.tape
    assert spawned.winner == 1


def test_the_log_of_a_snake_that_died_on_the_last_turn_lacks_that_turn_and_is_read(tmp_path: Path) -> None:
    """The official command does not ask it again: of the last turn it sees `/end`, which counts one more."""
    (log,) = lines_of("log_official_end_control.jsonl")
    (control,) = stored_games([GAMES / "log_official_end_control.jsonl"], NOW)
    assert isinstance(control, StoredGame)
    third = log["frames"].pop(2)
    (read_anyway,) = stored_games([write(tmp_path / "loser.jsonl", {**log, "you": 0, "outcome": "loss"})], NOW)
    assert isinstance(read_anyway, StoredGame), read_anyway
    assert read_anyway.tape == control.tape
    log["frames"][-1] = {**third, "t": 3, "s": [[1, 97, 3, 1, 4]]}
    (refused,) = stored_games([write(tmp_path / "missed.jsonl", log)], NOW)
    assert isinstance(refused, RefusedGame), "a turn that nobody saw"


def test_a_log_with_missing_turns_says_which(tmp_path: Path) -> None:
    (log,) = lines_of("log_official_end_control.jsonl")
    del log["frames"][1]
    (refused,) = stored_games([write(tmp_path / "gap.jsonl", log)], NOW)
    assert isinstance(refused, RefusedGame)
    assert "turn 1 missing" in refused.reason


def test_of_several_games_in_one_file_a_bad_one_stops_no_other(tmp_path: Path) -> None:
    good, same = lines_of("cli_1.1_winner_line_ignored.jsonl"), lines_of("cli_same_ids.jsonl")
    path = write(tmp_path / "three.jsonl", *good, *same, *good[1:], *good[:2])
    with path.open("a") as handle:
        handle.write('{"game": \n')
        handle.write("".join(json.dumps(line) + "\n" for line in [*good[2:], *good]))
    first, twins, headless, damaged, last = read(path)
    assert isinstance(first, ImportedGame)
    assert isinstance(headless, ImportedGame)
    assert isinstance(last, ImportedGame)
    assert first.game_id == headless.game_id == last.game_id == "old-cli-winner"
    assert "line 6: turn 0 shows 2 snakes with the same id" in str(twins)
    assert "line 14 is no JSON" in str(damaged)


def test_a_game_that_stops_in_the_middle_of_a_file_tells_its_last_turn(tmp_path: Path) -> None:
    good = lines_of("cli_1.1_winner_line_ignored.jsonl")
    cut, whole = read(write(tmp_path / "two.jsonl", *good[:3], *good))
    assert cut == (
        "line 1: the game has not ended: no line tells its winner or a draw; the last turn it has is 1, in line 3"
    )
    assert isinstance(whole, ImportedGame)


def events(end: bool = True, info: bool = True) -> list[Any]:
    tree = lines_of("engine_whole_control.json")[0]
    told = [{"Type": "frame", "Data": frame} for frame in tree["Frames"]]
    running = {**tree["Game"], "Status": "running"}  # as the official CLI's board says it, the game bare
    closing = {"Type": "game_end", "Data": {} if info else running}
    return [*([{"Game": tree["Game"]}] if info else []), *told, *([closing] if end else [])]


def test_websocket_events_one_a_line_are_a_game_with_its_description_first_last_or_beside(tmp_path: Path) -> None:
    whole = only(GAMES / "engine_whole_control.json")
    assert only(write(tmp_path / "first.jsonl", *events())) == whole
    assert only(write(tmp_path / "last.jsonl", *events(info=False))) == whole
    wrapped = {"Type": "game_end", "Data": {"Game": events()[0]["Game"]}}
    assert only(write(tmp_path / "wrapped.jsonl", *events(info=False)[:-1], wrapped)) == whole
    beside = tmp_path / "beside"
    beside.mkdir()
    write(beside / "info.json", events()[0])
    write(beside / "events.jsonl", *events()[1:])
    assert only(beside) == whole
    assert read(write(tmp_path / "two.jsonl", *events(), *events(info=False))) == [whole, whole]
    assert "no game_end event; the last turn it has is 2" in refusal(write(tmp_path / "cut.jsonl", *events(end=False)))


@pytest.mark.parametrize(
    ("name", "ruleset", "map_id", "winner"),
    [("duel", "standard", "standard", "?"), ("royale", "royale", "royale", "Ouroboros"),
     ("constrictor", "constrictor", "empty", "Ouroboros")],
)  # fmt: skip
def test_the_arena_s_details_are_whole_games(name: str, ruleset: str, map_id: str, winner: str) -> None:
    game = only(ARENA / f"{name}.details.json.gz")
    told = json.loads(gzip.decompress((ARENA / f"{name}.details.json.gz").read_bytes()))
    assert (game.ruleset, game.map_id, game.boards.frames[-1].t) == (ruleset, map_id, len(told["frames"]) - 1)
    names = {snake["id"]: snake["name"] for snake in told["snakes"]}
    seen = {snake.id: snake.name for snake in game.boards.snakes}
    assert seen.get(game.winner_id or "") == names[told["winner"]]
    (stored,) = stored_games([ARENA / f"{name}.details.json.gz"], NOW)
    assert isinstance(stored, StoredGame), stored
    assert stored.turns == len(told["frames"]) - 1


@pytest.mark.parametrize(
    ("name", "ends"),
    [("royale", [("Third", 62, "wall-collision", None)]), ("constrictor", None), ("duel", None)],
)
def test_how_each_snake_died_and_how_fast_it_answered_is_kept_where_a_file_tells(
    name: str, ends: list[tuple[str, int, str, str | None]] | None
) -> None:
    game = only(ARENA / f"{name}.details.json.gz")
    told = json.loads(gzip.decompress((ARENA / f"{name}.details.json.gz").read_bytes()))["frames"]
    names = [snake.name for snake in game.boards.snakes]
    dead = [(names[d.snake], d.turn, d.cause, None if d.by is None else names[d.by]) for d in game.boards.deaths]
    assert {(who, cause) for who, _, cause, _ in dead} == {
        (snake["Name"], snake["Death"]["Cause"]) for snake in told[-1]["Snakes"] if snake["Death"]
    }
    assert ends is None or dead == ends
    for frame, board in zip(told, game.boards.frames, strict=True):
        living = [snake for snake in frame["Snakes"] if not snake["Death"]]
        assert [ms for _, ms in board.l or []] == [int(snake["Latency"]) for snake in living if snake["Latency"]]
        assert [words for _, words in board.w or []] == [snake["Shout"] for snake in living if snake["Shout"]]


def test_info_and_frames_in_files_of_their_own_are_one_game(tmp_path: Path) -> None:
    for name in ("royale", "constrictor"):
        for part in ("info", "frames"):
            shutil.copy(ARENA / f"{name}.{part}.json.gz", tmp_path)
    for game in map(only, (ARENA / "constrictor.details.json.gz", ARENA / "royale.details.json.gz")):
        (same,) = [g for g in read(tmp_path) if isinstance(g, ImportedGame) and g.game_id == game.game_id]
        assert (same.boards, same.ruleset) == (game.boards, game.ruleset)


def test_pages_of_frames_come_in_any_order_and_a_missing_last_one_is_an_error(tmp_path: Path) -> None:
    told = json.loads(gzip.decompress((ARENA / "duel.details.json.gz").read_bytes()))
    shutil.copy(ARENA / "duel.info.json.gz", tmp_path / "duel.json.gz")
    for page in range(4):
        frames = told["frames"][100 * page : 100 * page + 100]
        write(tmp_path / f"duel-frames-{9 - page}.json", {"count": len(frames), "frames": frames})
    assert only(tmp_path).boards == only(ARENA / "duel.details.json.gz").boards
    assert refusal(ARENA / "duel.info.json.gz", ARENA / "duel.frames.json.gz") == (
        "its frames end at turn 99, where Ouroboros, Rival still live: the rest is missing"
    )


def test_parts_that_lack_their_other_part_say_what_is_missing() -> None:
    assert "a game without its frames" in refusal(ARENA / "duel.info.json.gz")
    assert "without its description" in refusal(ARENA / "royale.frames.json.gz")


def test_what_a_server_answered_instead_of_a_game_is_told(tmp_path: Path) -> None:
    assert refusal(ARENA / "missing.json") == "it is an error that a server answered: 404 Game not found"
    assert all("without its frames" in str(reason) for reason in read(ARENA / "games.json"))


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_packed_files_are_known_by_their_bytes_whatever_their_name(tmp_path: Path, packing: str) -> None:
    whole = only(GAMES / "engine_whole_control.json")
    data = (GAMES / "engine_whole_control.json").read_bytes()
    packed = bytes(pa.compress(data, codec=packing, asbytes=True)) if packing == "zstd" else gzip.compress(data)
    (tmp_path / "game.json").write_bytes(packed)
    assert only(tmp_path) == whole
    (tmp_path / "game.json").rename(tmp_path / "game.json.zst")
    assert only(tmp_path) == whole
    (tmp_path / "game.json.zst").write_bytes(packed[:-40])
    assert f"its {'zstandard' if packing == 'zstd' else 'gzip'} data are cut or damaged" in refusal(tmp_path)


def test_every_game_of_the_cases_is_imported_in_one_go(tmp_path: Path) -> None:
    report = import_games([GAMES], tmp_path / "games", NOW)
    assert report.games == 5
    assert sorted(refused.path.name for refused in report.refused) == [
        "cli_same_ids.jsonl", "engine_frames_cut_short.json",
    ]  # fmt: skip


cells = st.tuples(st.integers(0, 6), st.integers(0, 6))
moves = st.lists(st.sampled_from([(0, 1), (0, -1), (-1, 0), (1, 0)]), min_size=1, max_size=12)
snakes = st.lists(st.tuples(cells, moves, st.integers(1, 12), st.integers(0, 3)), min_size=1, max_size=4)


@given(snakes, st.sets(st.integers(1, 12)), st.lists(st.lists(cells, max_size=4), min_size=13, max_size=13))
def test_bodies_food_and_hazards_of_every_turn_can_be_read_back(
    paths: list[Any], left_out: set[int], lists: list[list[tuple[int, int]]]
) -> None:
    """Snakes that move a cell a turn and grow at their tail, from boards with turns left out, as files have them."""
    boards = []
    for turn in range(13):
        seen = []
        for number, (start, steps, dies_on, grows_by) in enumerate(paths):
            if turn < dies_on:
                seen.append(SeenSnake(str(number), str(number), 100 - turn, flat(body(start, steps, turn, grows_by))))
        boards.append(SeenBoard(turn, seen, flat(lists[turn]), flat(lists[12 - turn])))
    boards = [board for board in boards if board.turn not in left_out]
    reader = FrameReader()
    for board in boards:
        reader.add(board)
        reader.add(board)
    assert read_back(reader) == boards
    if boards[:-1]:
        with pytest.raises(ValueError, match="follows turn"):
            reader.add(boards[0])
        with pytest.raises(ValueError, match="twice, with different boards"):
            reader.add(SeenBoard(boards[-1].turn, boards[-1].snakes, [9, 9, 9], []))


def body(start: tuple[int, int], steps: list[tuple[int, int]], turn: int, grows_by: int) -> list[tuple[int, int]]:
    """Head first; after each third turn it is longer by `grows_by` copies of its end."""
    cells = [start] * 3
    for number in range(turn):
        dx, dy = steps[number % len(steps)]
        cells = [(cells[0][0] + dx, cells[0][1] + dy), *cells[:-1]]
        cells += [cells[-1]] * (grows_by if number % 3 == 2 else 0)
    return cells


def flat(pairs: list[tuple[int, int]]) -> list[int]:
    return [number for pair in pairs for number in pair]


def read_back(reader: FrameReader) -> list[SeenBoard]:
    """The boards of a log's frames, by the rule that `schemas.game` states."""
    bodies: dict[int, list[int]] = {}
    food: list[int] = []
    hazards: list[int] = []
    boards = []
    for frame in reader.frames:
        bodies = dict(frame.b) if frame.b is not None else {at: grown(bodies[at], frame, at) for at in seats(frame)}
        food = food if frame.f is None else frame.f
        hazards = hazards if frame.z is None else frame.z
        seen = [
            SeenSnake(reader.snakes[at].id, reader.snakes[at].name, health, bodies[at]) for at, health, *_ in frame.s
        ]
        boards.append(SeenBoard(frame.t, seen, food, hazards))
    return boards


def seats(frame: GameLogFrame) -> list[int]:
    return [entry[0] for entry in frame.s]


def grown(before: list[int], frame: GameLogFrame, seat: int) -> list[int]:
    ((length, x, y),) = [entry[2:] for entry in frame.s if entry[0] == seat]
    moved = [x, y, *before[:-2]]
    return moved + moved[-2:] * (length - len(moved) // 2)


CLI = (GAMES / "cli_1.1_winner_line_ignored.jsonl").read_bytes()
ENGINE = (GAMES / "engine_whole_control.json").read_bytes()
EVENTS = b"".join(json.dumps(event).encode() + b"\n" for event in events())
LOG = (GAMES / "log_official_end_control.jsonl").read_bytes()
WHOLE = {
    "cli": CLI,
    "engine": ENGINE,
    "events": EVENTS,
    "log": LOG,
    "indented": json.dumps(json.loads(ENGINE), indent=1).encode(),
    "gzip": gzip.compress(CLI),
    "zstd": bytes(pa.compress(CLI, codec="zstd", asbytes=True)),
}


def read_bytes(folder: Path, data: bytes) -> list[ImportedGame | GameLog | str]:
    path = folder / "game.json"
    path.write_bytes(data)
    return read(path)


@given(kind=st.sampled_from(sorted(WHOLE)), part=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_the_whole_game_or_an_error_and_never_another_game(
    tmp_path_factory: pytest.TempPathFactory, kind: str, part: float
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole, data = read_bytes(folder, WHOLE[kind]), WHOLE[kind]
    found = read_bytes(folder, data[: int(part * len(data))])
    assert found == whole or all(isinstance(reason, str) and reason for reason in found)


def lines(*trees: Any) -> bytes:
    return b"".join(json.dumps(tree).encode() + b"\n" for tree in trees)


*PLAYED, _ = [json.loads(line) for line in CLI.splitlines()]
TREE = json.loads(ENGINE)
SHAPES = {
    "CRLF": (CLI.replace(b"\n", b"\r\n"), CLI),
    "CR": (CLI.replace(b"\n", b"\r"), CLI),
    "byte order mark": (b"\xef\xbb\xbf" + CLI, CLI),
    "UTF-16, as PowerShell writes": (CLI.decode().encode("utf-16"), CLI),
    "UTF-16 of the other order": (b"\xfe\xff" + ENGINE.decode().encode("utf-16-be"), ENGINE),
    "empty lines": (b"\n" + CLI.replace(b"\n", b"\n\n"), CLI),
    "no last line feed": (CLI.rstrip(b"\n"), CLI),
    "gzip in gzip": (gzip.compress(gzip.compress(CLI)), CLI),
    "gzip in two members": (gzip.compress(CLI[:99]) + gzip.compress(CLI[99:]), CLI),
    "zstd in two frames": (
        b"".join(bytes(pa.compress(part, codec="zstd", asbytes=True)) for part in (CLI[:99], CLI[99:])), CLI
    ),
    "indented": (json.dumps(TREE, indent=2).encode(), ENGINE),
    "lines indented": (b"\n".join(json.dumps(json.loads(line), indent=1).encode() for line in CLI.splitlines()), CLI),
    "commas between the lines": (b",\n".join(CLI.splitlines()), CLI),
    "a list": (json.dumps([json.loads(line) for line in CLI.splitlines()]).encode(), CLI),
    "a list of events": (json.dumps(events()).encode(), ENGINE),
    "server-sent events": (b"".join(b"data: " + line + b"\n\n" for line in EVENTS.splitlines()), ENGINE),
    "wscat": (b"".join(b"< " + line + b"\n" for line in EVENTS.splitlines()), ENGINE),
    "pings between": (EVENTS.replace(b'{"Type": "frame"', b'{"Type":"ping","Data":null}\n{"Type": "frame"'), ENGINE),
    "an event behind the end": (EVENTS + b'{"Type": "error", "Data": "gone"}\n', ENGINE),
    "data as text": (
        lines(*[{**e, "Data": json.dumps(e["Data"])} if "Data" in e else e for e in events()]), ENGINE
    ),
    "every event twice": (lines(events()[0], *[e for e in events()[1:-1] for _ in range(2)], events()[-1]), ENGINE),
    "events in another order": (lines(*[events()[at] for at in (0, 3, 1, 2, 4)]), ENGINE),
    "frames in another order": (lines({**TREE, "Frames": TREE["Frames"][::-1]}), ENGINE),
    "a turn twice": (lines(*PLAYED[:2], *PLAYED[1:], {"winnerId": "b"}), CLI),
    "the winner's name alone": (lines(*PLAYED, {"winnerName": "b"}), CLI),
    "the winner in other case": (lines(*PLAYED, {"WinnerID": "b", "IsDraw": False}), CLI),
    "nobody told": (lines(*PLAYED[:2], *PLAYED[2:], {"winnerId": None, "winnerName": None}), None),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_other_shapes_of_the_same_game(tmp_path: Path, shape: str) -> None:
    data, plain = SHAPES[shape]
    (game,) = read_bytes(tmp_path, data)
    assert isinstance(game, ImportedGame), game
    if plain is None:
        assert game.winner_id is None
    else:
        assert [game] == read_bytes(tmp_path, plain)


TWO_LIVE = {"winnerId": "", "winnerName": "", "isDraw": False}
REFUSED = {
    "draw and winner": (lines(*PLAYED, {"winnerId": "b", "isDraw": True}), "line 4 tells of a draw and names 'b'"),
    "draw as text": (lines(*PLAYED, {"winnerId": "", "isDraw": "false"}), "isDraw in line 4 is no truth value"),
    "winner as number": (lines(*PLAYED, {"winnerId": 5}), "isDraw in line 4 is no truth value, or its winner no text"),
    "winner nobody knows": (lines(*PLAYED, {"winnerName": "zoe"}), "line 4 names 'zoe' the winner, who does not live"),
    "lines in another order": (lines(PLAYED[0], PLAYED[2], PLAYED[1], TWO_LIVE), "line 3: turn 0 follows turn 1"),
    "empty": (b"", "the file is empty"),
    "blanks": (b" \r\n\t", "the file is empty"),
    "zeros": (bytes(50), "line 1 is no JSON"),
    "a page": (b"<html>404</html>", "line 1 is no JSON"),
    "a number": (b"5", "neither a game log"),
    "pings alone": (lines({"Type": "ping", "Data": None}), "there is no game in it"),
    "nesting": (b"[" * 100_000, "line 1 is no JSON"),
    "gzip with more behind": (gzip.compress(CLI) + b"xx", "its gzip data are cut or damaged"),
    "bzip2": (bz2.compress(CLI), "it is packed with bzip2: unpack it first"),
    "xz": (lzma.compress(CLI), "it is packed with xz: unpack it first"),
    "zip": (b"PK\x03\x04 and so on", "it is packed with zip: unpack it first"),
    "lz4": (bytes(pa.compress(CLI, codec="lz4", asbytes=True)), "it is packed with lz4: unpack it first"),
    "a log of another version": (LOG.replace(b"game-log/1", b"game-log/7"), "format: "),
    "running": (lines({**TREE, "Game": {**TREE["Game"], "Status": "running"}}), "its status is 'running'"),
    "no frames": (lines({**TREE, "Frames": []}), "it has no turns"),
    "frames null": (lines({**TREE, "Frames": None}), "a field is not what it must be"),
    "a frame null": (lines({**TREE, "Frames": [None]}), "frame 0: a field is not what it must be"),
    "two frames of a turn": (
        lines({**TREE, "Frames": [*TREE["Frames"], {**TREE["Frames"][1], "Food": []}]}), "comes twice"
    ),
    "a damaged line": (CLI.replace(b'"turn": 1', b'"turn": x', 1), "line 3 is no JSON"),
    "food without its y": (re.sub(rb'"f": ?\[\d+, ?', b'"f": [', LOG, count=1), "a list of x and y has an odd end"),
    "an id that is no text": (lines({**PLAYED[0], "id": [1]}, *PLAYED[1:], TWO_LIVE), "the game's id is no text: [1]"),
    "a last turn as text": (lines({**TREE, "LastFrame": {"Turn": "9"}}), "a field is not what it must be"),
    "a status as number": (lines({**TREE, "Game": {**TREE["Game"], "Status": 5}}), "a field is not what it must be"),
    "an event without its frame": (
        lines({"Game": TREE["Game"]}, {"Type": "frame", "Data": None}), "there is no game_end event"
    ),
    "a description nested too deep": (
        json.dumps(TREE).encode()[:-1] + b', "more": ' + b'{"a": ' * 1000 + b"1" + b"}" * 1001, "it is nested too deep"
    ),
    "half a cell": (CLI.replace(b'"x": 1', b'"x": 1.5'), "line 2: "),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_read_says_at_which_line_and_why(tmp_path: Path, kind: str) -> None:
    data, says = REFUSED[kind]
    (reason,) = read_bytes(tmp_path, data)
    assert isinstance(reason, str), reason
    assert says in reason
    assert "\n" not in reason


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ((b'"standard"', b'"squad"'), "unknown ruleset 'squad'"),
        ((b'"width": 7', b'"width": 30'), "a board of 30x7"),
        ((b'"width": 7', b'"width": 0'), "width: "),
    ],
)
def test_rules_and_boards_that_are_not_played_here_are_kept_as_logs_or_refused_by_name(
    tmp_path: Path, change: tuple[bytes, bytes], says: str
) -> None:
    path = tmp_path / "game.jsonl"
    path.write_bytes(CLI.replace(*change))
    assert isinstance(only(path), ImportedGame)
    (refused,) = stored_games([path], NOW)
    assert isinstance(refused, RefusedGame)
    assert says in refused.reason


def test_a_damaged_line_in_the_games_folder_stops_no_import(tmp_path: Path) -> None:
    folder = tmp_path / "games"
    folder.mkdir()
    (folder / f"old{GAME_LOG_SUFFIX}").write_bytes(b'{"game_id": "\\q"}\n{"game_id": "\xff"}\n')
    report = import_games([GAMES / "cli_1.0_without_map.jsonl"], folder, NOW)
    assert (report.games, report.refused) == (1, ())
