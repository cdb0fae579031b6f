import gzip
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.data.command import import_games_command
from pipeline.data.game_logs import ImportReport, import_games
from schemas.errors import BadInputError
from schemas.game import GameLog, GameLogFrame, GameLogOutcome

GOLDEN = Path(__file__).parents[2] / "golden" / "game_logs"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def imported(report: ImportReport) -> list[GameLog]:
    if report.written_to is None:
        return []
    return [GameLog.model_validate_json(line) for line in report.written_to.read_text().splitlines()]


def bring(folder: Path, *paths: Path, you: str | None = None) -> ImportReport:
    return import_games(paths, folder / "games", NOW, you)


def cli_lines(name: str) -> list[dict[str, Any]]:
    with gzip.open(GOLDEN / f"{name}.cli.jsonl.gz", "rt") as handle:
        return [json.loads(line) for line in handle]


def bodies(frames: list[GameLogFrame]) -> Iterator[dict[int, list[tuple[int, int]]]]:
    """The whole bodies of each turn, by the rule that `schemas.game` states."""
    last: dict[int, list[tuple[int, int]]] = {}
    for frame in frames:
        if frame.b is not None:
            last = {at: list(zip(cells[::2], cells[1::2], strict=True)) for at, cells in frame.b}
        else:
            grown = {}
            for at, _, length, x, y in frame.s:
                body = [(x, y), *last[at][:-1]]
                grown[at] = body + [body[-1]] * (length - len(body))
            last = grown
        yield last


def boards_alone(game: GameLog) -> GameLog:
    """The game without what files tell beside the boards: times and ends."""
    frames = [frame.model_copy(update={"l": None}) for frame in game.frames]
    return game.model_copy(update={"frames": frames, "deaths": None})


@pytest.mark.parametrize("name", ["duel", "royale"])
def test_a_cli_file_becomes_what_our_snake_wrote_of_the_same_game(tmp_path: Path, name: str) -> None:
    """The golden log was written by the Go snake while it played the very game of the CLI's file.

    The CLI counts one turn more after the last, in which nothing moves: its `/end` tells of it, its file does not.
    """
    own = GameLog.model_validate_json((GOLDEN / f"{name}.log.jsonl").read_text())
    *turns, end = own.frames
    assert end == GameLogFrame(t=turns[-1].t + 1, s=turns[-1].s)
    own = own.model_copy(update={"frames": turns, "turns": turns[-1].t})
    (made,) = imported(bring(tmp_path, GOLDEN / f"{name}.cli.jsonl.gz", you=own.snakes[own.you].name))
    same = {"started_at": None, "ended_at": None, "imported_from": f"{name}.cli.jsonl.gz"}
    assert boards_alone(made) == own.model_copy(update=same)
    number = {snake.id: at for at, snake in enumerate(made.snakes)}
    assert [frame.l for frame in made.frames] == [
        [(number[snake["id"]], int(snake["latency"])) for snake in line["board"]["snakes"]]
        for line in cli_lines(name)[1:-1]
    ], "the file tells each answer's time beside the boards"


@pytest.mark.parametrize("name", ["duel", "royale"])
def test_every_board_can_be_rebuilt_from_the_frames(tmp_path: Path, name: str) -> None:
    (made,) = imported(bring(tmp_path, GOLDEN / f"{name}.cli.jsonl.gz"))
    boards = [line["board"] for line in cli_lines(name)[1:-1]]
    food: list[int] = []
    hazards: list[int] = []
    for frame, board, body in zip(made.frames, boards, bodies(made.frames), strict=True):
        food = food if frame.f is None else frame.f
        hazards = hazards if frame.z is None else frame.z
        cells = {snake["id"]: [(cell["x"], cell["y"]) for cell in snake["body"]] for snake in board["snakes"]}
        assert {made.snakes[at].id: found for at, found in body.items()} == cells
        assert food == [number for cell in board["food"] for number in (cell["x"], cell["y"])]
        assert hazards == [number for cell in board["hazards"] for number in (cell["x"], cell["y"])]


@pytest.mark.parametrize(("you", "outcome"), [("A", GameLogOutcome.LOSS), ("B", GameLogOutcome.WIN), (None, None)])
def test_the_outcome_is_that_of_the_named_snake(
    tmp_path: Path, you: str | None, outcome: GameLogOutcome | None
) -> None:
    (made,) = imported(bring(tmp_path, GOLDEN / "duel.cli.jsonl.gz", you=you))
    assert outcome in {None, made.outcome}
    assert made.snakes[made.you].name == (you or "A")


def engine_game(name: str, **game: Any) -> dict[str, Any]:
    """The CLI's game as the engine would export it."""
    lines = cli_lines(name)
    names = {snake["id"]: snake for line in lines[1:-1] for snake in line["board"]["snakes"]}
    frames = []
    for line in lines[1:-1]:
        living = {snake["id"]: snake for snake in line["board"]["snakes"]}
        snakes = [
            {
                "ID": key, "Name": snake["name"], "Health": living.get(key, snake)["health"],
                "Body": [{"X": cell["x"], "Y": cell["y"]} for cell in living.get(key, snake)["body"]],
                "Death": None if key in living else {"Cause": "snake-collision", "Turn": 3, "EliminatedBy": ""},
                "Latency": "12", "StatusCode": 200,
            }
            for key, snake in names.items()
        ]  # fmt: skip
        cells = {
            kind: [{"X": cell["x"], "Y": cell["y"]} for cell in line["board"][kind.lower()]]
            for kind in ("Food", "Hazards")
        }
        frames.append({"Turn": line["turn"], "Snakes": snakes, **cells})
    rules = lines[0]["ruleset"]
    told = {
        "ID": lines[0]["id"], "Status": "complete", "Width": 7, "Height": 7, "SnakeTimeout": 500, "Source": "arena",
        "Map": lines[0]["map"],
        "Ruleset": {
            "name": rules["name"], "foodSpawnChance": "15", "minimumFood": "1", "damagePerTurn": "14",
            "shrinkEveryNTurns": str(rules["settings"]["royale"]["shrinkEveryNTurns"]),
        },
    }  # fmt: skip
    return {"Game": {**told, **game}, "Frames": frames}


def lower_keys(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key.lower(): lower_keys(value) for key, value in tree.items()}
    return [lower_keys(item) for item in tree] if isinstance(tree, list) else tree


def as_events(tree: dict[str, Any]) -> str:
    events = [{"Type": "frame", "Data": frame} for frame in tree["Frames"]]
    lines = [{"Game": {**tree["Game"], "Status": "running"}}, *events, {"Type": "game_end", "Data": {"game": {}}}]
    return "\n".join(map(json.dumps, lines))


@pytest.mark.parametrize("name", ["duel", "royale"])
@pytest.mark.parametrize("form", ["object", "lower", "list", "line", "events"])
def test_an_engine_export_becomes_the_same_game(tmp_path: Path, name: str, form: str) -> None:
    tree = engine_game(name)
    texts = {
        "object": json.dumps(tree, indent=1), "lower": json.dumps(lower_keys(tree)), "list": json.dumps([tree]),
        "line": json.dumps(tree) + "\n", "events": as_events(tree),
    }  # fmt: skip
    path = tmp_path / "game.json"
    path.write_text(texts[form])
    (made,) = imported(bring(tmp_path, path, you="B"))
    (from_cli,) = imported(bring(tmp_path / "other", GOLDEN / f"{name}.cli.jsonl.gz", you="B"))
    same = {"source": "arena", "imported_from": "game.json"}
    assert boards_alone(made) == boards_alone(from_cli).model_copy(update=same)
    assert {ms for frame in made.frames for _, ms in frame.l or ()} == {12}
    lost = set(range(len(made.snakes))) - {entry[0] for entry in made.frames[-1].s}
    assert {(death.snake, death.cause) for death in made.deaths or ()} == {(at, "snake-collision") for at in lost}


def test_a_game_is_imported_once_whoever_wrote_it(tmp_path: Path) -> None:
    games = tmp_path / "games"
    games.mkdir()
    (games / "Ouro-20261121.jsonl").write_text((GOLDEN / "royale.log.jsonl").read_text())
    both = [GOLDEN / "duel.cli.jsonl.gz", GOLDEN / "royale.cli.jsonl.gz"]
    first = bring(tmp_path, *both)
    assert (first.games, first.already_there) == (1, 1)
    second = bring(tmp_path, *both)
    assert (second.games, second.already_there, second.written_to) == (0, 2, None)
    assert sorted(path.name[:5] for path in games.iterdir()) == ["Ouro-", "impor"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "the file is empty"),
        ("{}", "neither"),
        ("not json", "line 1 is no JSON"),
        ('{"a": 1}\n{"b"', "line 1: neither"),
        ('{"Game": {"ID": "x", "Status": "complete", "Width": 7, "Height": 7}, "Frames": []}', "no turns"),
        ('{"Game": {"Status": "complete"}, "Frames": []}', "'id' is missing"),
        ('{"Game": 5, "Frames": []}', "its game is no object"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_and_the_others_go_on(
    tmp_path: Path, content: str, says: str
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(content)
    report = bring(tmp_path, bad, GOLDEN / "duel.cli.jsonl.gz")
    assert report.games == 1
    assert {refused.path for refused in report.refused} == {bad}
    assert says in report.refused[0].reason


def test_games_that_have_not_ended_are_refused(tmp_path: Path) -> None:
    lines = cli_lines("duel")
    (tmp_path / "cut.jsonl").write_text("\n".join(map(json.dumps, lines[:-1])))
    (tmp_path / "running.json").write_text(json.dumps(engine_game("duel", Status="running")))
    (tmp_path / "events.jsonl").write_text(as_events(engine_game("duel")).rsplit("\n", 1)[0])
    report = bring(tmp_path, tmp_path)
    assert report.games == 0
    assert sorted(refused.path.name for refused in report.refused) == ["cut.jsonl", "events.jsonl", "running.json"]
    assert all("has not ended" in refused.reason for refused in report.refused)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda board: board["snakes"][0].pop("body"), "line 5: the field 'body' is missing"),
        (lambda board: board["snakes"][0].update(body=[]), "has no body"),
        (lambda board: board["snakes"][0].update(health="well"), "health|s.0.1|int"),
        (lambda board: board.update(food=[{"x": "a", "y": 1}]), "f.0"),
    ],
)
def test_a_damaged_turn_is_named(tmp_path: Path, spoil: Any, says: str) -> None:
    lines = cli_lines("duel")
    spoil(lines[4]["board"])
    (tmp_path / "damaged.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (refused,) = bring(tmp_path, tmp_path / "damaged.jsonl").refused
    assert any(part in refused.reason for part in says.split("|"))


def test_a_truncated_gzip_is_refused(tmp_path: Path) -> None:
    data = (GOLDEN / "duel.cli.jsonl.gz").read_bytes()
    (tmp_path / "cut.jsonl.gz").write_bytes(data[:-200])
    (refused,) = bring(tmp_path, tmp_path / "cut.jsonl.gz").refused
    assert refused.reason


def test_a_snake_that_took_no_part_is_named(tmp_path: Path) -> None:
    (refused,) = bring(tmp_path, GOLDEN / "duel.cli.jsonl.gz", you="Nobody").refused
    assert refused.reason == "no snake 'Nobody' took part, only A, B"


def test_a_path_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no such file"):
        bring(tmp_path, tmp_path / "missing.json")


def test_what_is_no_plain_file_in_the_games_folder_stops_no_import(tmp_path: Path) -> None:
    games = tmp_path / "games"
    games.mkdir()
    os.mkfifo(games / "a.jsonl")  # nobody writes to it: opening it as a file would wait for ever
    (games / "b.jsonl").mkdir()
    report = bring(tmp_path, GOLDEN / "duel.cli.jsonl.gz")
    assert report.games == 1
    assert [(refused.path.name, "holds already" in refused.reason) for refused in report.refused] == [
        ("a.jsonl", True),
        ("b.jsonl", True),
    ]


def test_a_games_folder_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "games").write_text("a file")
    with pytest.raises(BadInputError, match="cannot import games"):
        bring(tmp_path, GOLDEN / "duel.cli.jsonl.gz")


def test_the_command_tells_what_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path / "automation"))
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    ended = CliRunner().invoke(import_games_command, [str(GOLDEN / "duel.cli.jsonl.gz"), str(bad), "--you", "B"])
    assert ended.exit_code == 0
    assert "1 games imported into" in ended.output
    assert "not imported" in ended.output
    assert len(list((tmp_path / "automation" / "data" / "games").glob("imported-*.jsonl"))) == 1
    assert CliRunner().invoke(import_games_command, [str(bad)]).exit_code == 1
