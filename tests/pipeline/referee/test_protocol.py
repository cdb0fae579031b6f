"""The JSON on the wire: bodies byte for byte as the official command writes them, answers judged as it judges them."""

import gzip
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_snake import safe_move

from pipeline.engine import Game
from pipeline.engine.map_names import MAPS
from pipeline.referee.board_writer import write_board
from pipeline.referee.conditions import Conditions, RuleNumbers
from pipeline.referee.outcome import Failure
from pipeline.referee.protocol import BodyText, Identity, SnakeText, game_object, read_identity, read_move

GOLDEN = Path(__file__).parents[2] / "golden" / "referee"
"""Games refereed by the official command v1.2.3, as its -o wrote them."""


def official_lines(name):
    return gzip.decompress((GOLDEN / f"official_{name}.jsonl.gz").read_bytes()).splitlines()


def conditions_of(game, board):
    settings = game["ruleset"]["settings"]
    return Conditions(
        board["width"],
        board["height"],
        game["ruleset"]["name"],
        game["map"],
        RuleNumbers(
            settings["foodSpawnChance"],
            settings["minimumFood"],
            settings["hazardDamagePerTurn"],
            settings["royale"]["shrinkEveryNTurns"],
        ),
        game["timeout"],
    )


def texts_of(snakes):
    texts = []
    for snake in snakes:
        look = snake["customizations"]
        identity = Identity(color=look["color"], head=look["head"], tail=look["tail"])
        texts.append(SnakeText(snake["id"], snake["name"], identity))
        texts[-1].latency = snake["latency"].encode()
    return texts


def cells(points):
    return [[point["x"], point["y"]] for point in points]


def segments_of(game, size=1 << 16):
    """The board's text, from the smallest buffer that will do."""
    words, board, _, corpses = game.records
    marks = np.zeros(len(game.snake_ids) + 2, np.int64)
    path = np.zeros(1000, np.int16)
    out = np.zeros(1, np.uint8)
    while needed := write_board(words, board, corpses, 0, False, path, out, marks):
        assert needed < size
        out = np.zeros(needed, np.uint8)
    ends = marks.tolist()
    return [bytes(out[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


@pytest.mark.parametrize("name", ["duel", "royale", "wrapped", "constrictor"])
def test_bodies_are_the_official_ones_byte_for_byte(name):
    lines = official_lines(name)
    game = orjson.loads(lines[0])
    assert len(lines) > 10
    for line in lines[1:-1]:
        frame = orjson.loads(line)
        board = frame["board"]
        conditions = conditions_of(game, board)
        assert game_object(game["id"], conditions) == lines[0]
        state = {
            "turn": frame["turn"],
            "width": board["width"],
            "height": board["height"],
            "food": cells(board["food"]),
            "hazards": cells(board["hazards"]),
            "snakes": [{"id": s["id"], "health": s["health"], "body": cells(s["body"])} for s in board["snakes"]],
        }
        segments = segments_of(Game.from_state(state, game["ruleset"]["name"]))
        bodies = BodyText(lines[0], conditions, texts_of(board["snakes"]))
        seats = range(len(board["snakes"]))
        common = bodies.common(frame["turn"], seats, segments)
        # Royale lists hazards in the official generator's order, which is ours; nothing needs sorting.
        assert common == line[: len(common)]
        you = [seat for seat in seats if board["snakes"][seat]["id"] == frame["you"]["id"]]
        for seat in you:  # the official file may show a dead snake here
            assert common + bodies.you(seat, segments[seat], frame["you"]["latency"].encode()) == line


def api_frame(state):
    """An engine state as the API shows it, as far as a scripted snake looks."""
    living = [snake for snake in state["snakes"] if "cause" not in snake]
    points = {snake["id"]: [{"x": x, "y": y} for x, y in snake["body"]] for snake in living}
    snakes = [{"id": name, "body": body, "head": body[0]} for name, body in points.items()]
    return {"board": {"width": state["width"], "height": state["height"], "snakes": snakes}}


@pytest.mark.parametrize("map_id", sorted(MAPS))
def test_segments_say_what_the_engine_says(map_id):
    limits = MAPS[map_id]
    width, height = limits.boards[0] if limits.boards else (11, 11)
    snakes = min(4, limits.most_snakes)
    game = Game.new(width, height, [f"s{seat}" for seat in range(snakes)], map_id=map_id, seed=5, solo=True)
    turns = 0
    while not game.is_over() and turns < 60:
        state = game.to_state()
        *bodies, food, hazards = segments_of(game)
        assert cells(orjson.loads(food)) == state["food"]
        assert sorted(cells(orjson.loads(hazards))) == sorted(state["hazards"])
        for snake, text in zip(state["snakes"], bodies, strict=True):
            if "cause" in snake:
                assert text == b""
                continue
            written = orjson.loads(b'{"health":' + text + b"}")
            assert written["health"] == snake["health"]
            assert cells(written["body"]) == snake["body"]
            assert cells([written["head"]]) == snake["body"][:1]
            assert written["length"] == len(snake["body"])
        frame = api_frame(state)
        game.step({you["id"]: safe_move({**frame, "you": you}) for you in frame["board"]["snakes"]})
        turns += 1
    assert turns > 10


def test_names_are_escaped():
    text = SnakeText("id", 'a "quoted" name\n', Identity(color="#fff"))
    body = BodyText(b"{}", Conditions(), [text]).common(3, [0], [b'5,"body":[]', b"[]", b"[]"])
    assert orjson.loads(body + b"null}")["board"]["snakes"][0]["name"] == 'a "quoted" name\n'


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"move":"up"}', 0),
        (200, b'{"move":"down","shout":"hey"}', 1),
        (200, b' {"move" : "left", "other": [1]} ', 2),
        (200, b'{"MOVE":"right"}', 3),  # Go's decoder matches names whatever their case
        (200, b'{"move":"right","shout":null}', 3),
        (200, b'{"move":"up","x":"\xff"}', 0),  # Go replaces bad UTF-8
        (200, b'{"move":"up","x":"\\ud800"}', 0),  # and lone surrogates
        (200, b'{"move":"up","x":NaN}', Failure.BAD_JSON),
        (200, b'{"move":"up","x":' + b"[" * 100_000, Failure.BAD_JSON),
        (200, b'\xef\xbb\xbf{"move":"up"}', Failure.BAD_JSON),
        (201, b'{"move":"up"}', Failure.BAD_STATUS),
        (500, b"", Failure.BAD_STATUS),
        (200, b"", Failure.BAD_JSON),
        (200, b"up", Failure.BAD_JSON),
        (200, b'{"move":"up"', Failure.BAD_JSON),
        (200, b'["up"]', Failure.BAD_JSON),
        (200, b'{"move":0}', Failure.BAD_JSON),
        (200, b'{"move":"up","shout":7}', Failure.BAD_JSON),
        (200, b"{}", Failure.BAD_MOVE),
        (200, b"null", Failure.BAD_MOVE),
        (200, b'{"move":null}', Failure.BAD_MOVE),
        (200, b'{"move":""}', Failure.BAD_MOVE),
        (200, b'{"move":"UP"}', Failure.BAD_MOVE),
        (200, b'{"move":"up "}', Failure.BAD_MOVE),
    ],
)
def test_answers_are_judged_as_the_official_command_does(status, body, expected):
    assert read_move(status, body) == expected


@given(st.binary(max_size=40))
def test_no_answer_raises(body):
    assert read_move(200, body) in (0, 1, 2, 3, Failure.BAD_JSON, Failure.BAD_MOVE)
    read_identity(body)


def test_identities():
    whole = b'{"apiversion":"1","author":"me","color":"#abc","head":"evil","tail":"hook","version":"2"}'
    assert read_identity(whole) == Identity("me", "#abc", "evil", "hook", "2")
    assert read_identity(b"{}") == Identity()
    assert read_identity(b'{"color":null}') == Identity()
    assert read_identity(b'{"color":5}') is None
    numeric = read_identity(b'{"apiversion":1}')
    assert numeric is not None
    assert numeric.warning.startswith("its apiversion is 1 and no text: the official command refuses such a snake")
    assert read_identity(b"<html>") is None
