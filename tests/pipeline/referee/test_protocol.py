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
from pipeline.referee.board_writer import write_bodies
from pipeline.referee.outcome import Failure
from pipeline.referee.protocol import Identity, fixed_texts, game_object, read_identity, read_move
from pipeline.referee.schedule import MatchConditions, RuleNumbers

GOLDEN = Path(__file__).parents[2] / "golden" / "referee"
"""Games refereed by the official command v1.2.3, as its -o wrote them."""


def official_lines(name):
    return gzip.decompress((GOLDEN / f"official_{name}.jsonl.gz").read_bytes()).splitlines()


def conditions_of(game, board):
    settings = game["ruleset"]["settings"]
    return MatchConditions(
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


def identities_of(snakes):
    looks = [snake["customizations"] for snake in snakes]
    return [Identity(color=look["color"], head=look["head"], tail=look["tail"]) for look in looks]


def cells(points):
    return [[point["x"], point["y"]] for point in points]


def bodies_of(game, texts, latencies, at_end=False):
    """What all bodies share and each seat's own part, from the smallest buffer that will do."""
    seats = len(game.snake_ids)
    marks = np.zeros(2 * seats + 1, np.int64)
    path = np.zeros(1000, np.int16)
    fixed = np.frombuffer(b"".join(texts), np.uint8), np.cumsum([len(text) for text in texts])
    out = np.zeros(1, np.uint8)
    while needed := write_bodies(game.records.game(0), at_end, *fixed, np.array(latencies), path, out, marks):
        assert needed < 1 << 16
        out = np.zeros(needed, np.uint8)
    ends = marks[: seats + 1].tolist()
    common, *own = [bytes(out[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    return common, own


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
        seats = range(len(board["snakes"]))
        named = [(s["id"], s["name"], i) for s, i in zip(board["snakes"], identities_of(board["snakes"]), strict=True)]
        texts = fixed_texts(lines[0], conditions, named)
        latencies = [int(snake["latency"]) for snake in board["snakes"]]
        common, own = bodies_of(Game.from_state(state, game["ruleset"]["name"]), texts, latencies)
        # Royale lists hazards in the official generator's order, which is ours; nothing needs sorting.
        assert common == line[: len(common)]
        you = [seat for seat in seats if board["snakes"][seat]["id"] == frame["you"]["id"]]
        for seat in you:  # the official file may show a dead snake here
            latencies[seat] = int(frame["you"]["latency"])
            at_end = bodies_of(Game.from_state(state, game["ruleset"]["name"]), texts, latencies, at_end=True)
            assert common + at_end[1][seat] == line
            assert own[seat] == at_end[1][seat].replace(b'"latency":"%d"' % latencies[seat], b'"latency":"0"', 1)


def api_frame(state):
    """An engine state as the API shows it, as far as a scripted snake looks."""
    living = [snake for snake in state["snakes"] if "cause" not in snake]
    points = {snake["id"]: [{"x": x, "y": y} for x, y in snake["body"]] for snake in living}
    snakes = [{"id": name, "body": body, "head": body[0]} for name, body in points.items()]
    return {"board": {"width": state["width"], "height": state["height"], "snakes": snakes}}


@pytest.mark.parametrize("map_id", sorted(MAPS))
def test_bodies_say_what_the_engine_says(map_id):
    limits = MAPS[map_id]
    width, height = limits.boards[0] if limits.boards else (11, 11)
    snakes = min(4, limits.most_snakes)
    game = Game.new(width, height, [f"s{seat}" for seat in range(snakes)], map_id=map_id, seed=5, solo=True)
    texts = fixed_texts(b"{}", MatchConditions(width, height), [(name, name, Identity()) for name in game.snake_ids])
    turns = 0
    while not game.is_over() and turns < 60:
        state = game.to_state()
        for at_end in (False, True):
            common, own = bodies_of(game, texts, range(snakes), at_end)
            told = [orjson.loads(common + text) if text else None for text in own]
            board = orjson.loads(common + b"null}")["board"]
            assert cells(board["food"]) == state["food"]
            assert sorted(cells(board["hazards"])) == sorted(state["hazards"])
            assert [s["id"] for s in board["snakes"]] == [s["id"] for s in state["snakes"] if "cause" not in s]
            for seat, (snake, body) in enumerate(zip(state["snakes"], told, strict=True)):
                if body is None:
                    assert "cause" in snake and not at_end
                    continue
                you = body["you"]
                assert body["turn"] == state["turn"]
                assert (you["id"], you["latency"]) == (snake["id"], str(seat) if at_end else "0")
                assert you["length"] == len(you["body"])
                if "cause" not in snake:
                    assert (you["health"], cells(you["body"])) == (snake["health"], snake["body"])
                    assert cells([you["head"]]) == snake["body"][:1]
                    (listed,) = [s for s in board["snakes"] if s["id"] == snake["id"]]
                    assert listed == {**you, "latency": str(seat)}
        frame = api_frame(state)
        game.step({you["id"]: safe_move({**frame, "you": you}) for you in frame["board"]["snakes"]})
        turns += 1
    assert turns > 10


def test_names_are_escaped():
    name = 'a "quoted" name\n'
    game = Game.new(7, 7, ["id"], seed=1, solo=True)
    common, own = bodies_of(
        game, fixed_texts(b"{}", MatchConditions(7, 7), [("id", name, Identity(color="#fff"))]), [3]
    )
    body = orjson.loads(common + own[0])
    assert body["board"]["snakes"][0]["name"] == body["you"]["name"] == name
    assert body["you"]["customizations"]["color"] == "#fff"


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
    lone = read_identity(b'{"color":"\\ud800","head":"\\ud83d\\ude00"}')
    assert lone == Identity(color="\ufffd", head="\U0001f600"), "as Go reads it, and as it can be told on"
    assert read_identity(b"<html>") is None
