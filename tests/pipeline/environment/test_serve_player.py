"""A compiled player over HTTP answers as the player itself does, and says what is wrong with a bad request."""

import http.client
from collections.abc import Iterator

import orjson
import pytest

from pipeline.engine.players.kinds import VORONOI
from pipeline.environment.serve_player import PlayerServer


@pytest.fixture
def line() -> Iterator[http.client.HTTPConnection]:
    server = PlayerServer(VORONOI)
    server.start()
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=90)
    yield connection
    connection.close()
    server.stop()


def ask(line: http.client.HTTPConnection, method: str, path: str, content: object = None) -> tuple[int, dict]:
    line.request(method, path, body=orjson.dumps(content) if content is not None else None)
    answer = line.getresponse()
    return answer.status, orjson.loads(answer.read())


def request() -> dict:
    body = [{"x": 0, "y": y} for y in range(4)]
    you = {"id": "me", "health": 50, "body": body, "head": body[0], "length": 4}
    far = {"id": "far", "health": 50, "body": [{"x": 9, "y": 9}, {"x": 9, "y": 8}, {"x": 9, "y": 7}]}
    board = {"width": 11, "height": 11, "food": [{"x": 5, "y": 5}], "hazards": [], "snakes": [far, you]}
    ruleset = {"name": "standard", "settings": {"hazardDamagePerTurn": 14, "royale": {"shrinkEveryNTurns": 25}}}
    return {"game": {"id": "g", "ruleset": ruleset}, "turn": 12, "board": board, "you": you}


def test_the_whole_conversation_on_one_connection(line):
    assert ask(line, "GET", "/")[1]["apiversion"] == "1"
    assert ask(line, "POST", "/start", request())[0] == 200
    assert ask(line, "POST", "/move", request()) == (200, {"move": "right", "shout": ""})
    assert ask(line, "POST", "/end", request())[0] == 200


def test_a_bad_request_is_told_what_is_wrong(line):
    bad = request()
    bad["you"] = {"id": "nobody"}
    status, answer = ask(line, "POST", "/move", bad)
    assert status == 400 and "you.id" in answer["error"]
    status, answer = ask(line, "POST", "/move", {"turn": 1})
    assert status == 400 and "board" in answer["error"]
