"""The official command beside ours: its games through our engine, its requests and its failures beside ours."""

import itertools
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from go_programs import REPOSITORY, build_go_snake, build_official_cli, think_briefly
from odd_answers import PLAYED, batches, played, snake_saying
from replays import read_replay
from scripted_snake import Close, Hang, ScriptedSnake, http, move, safe_move

from pipeline.engine import Game
from pipeline.referee import (
    Contestant,
    MatchConditions,
    ScheduledGame,
    SnakeCommand,
    SnakeProcess,
    play_match,
)
from schemas.errors import SnakeError

STEPS = {"up": (0, 1), "down": (0, -1), "left": (-1, 0), "right": (1, 0)}


@pytest.fixture(scope="module")
def official_program(tmp_path_factory):
    return build_official_cli(tmp_path_factory.mktemp("official"))


@pytest.fixture(scope="module")
def official(official_program, tmp_path_factory):
    """Play one game with the official command; returns the file it wrote."""
    folder, program = tmp_path_factory.mktemp("games"), official_program
    numbers = itertools.count()

    def play(urls, *options):
        output = folder / f"{next(numbers)}.jsonl"
        arguments = [part for index, url in enumerate(urls) for part in ("-u", url, "-n", f"snake {index}")]
        run = subprocess.run(
            [program, "play", *arguments, "-o", output, *options], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
        return read_replay(output)

    return play


@pytest.fixture(scope="module")
def go_snake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("go")
    config = Path(shutil.copy(REPOSITORY / "deploy" / "go-snake" / "config.yaml", folder))
    think_briefly(config)
    command = SnakeCommand((str(build_go_snake(folder)), "-config", str(config)))
    with SnakeProcess("go", command, folder / "log") as snake:
        yield snake


def cells(points):
    return [[point["x"], point["y"]] for point in points]


def living(frame):
    return {snake["id"]: (snake["health"], cells(snake["body"])) for snake in frame["board"]["snakes"]}


def state_of(frame):
    board = frame["board"]
    return {
        "turn": frame["turn"],
        "width": board["width"],
        "height": board["height"],
        "food": cells(board["food"]),
        "hazards": cells(board["hazards"]),
        "snakes": [{"id": name, "health": health, "body": body} for name, (health, body) in living(frame).items()],
    }


def moves_between(frame, following):
    """The survivors' moves, from their heads, and the ids of those whose last move the file does not show."""
    width, height = frame["board"]["width"], frame["board"]["height"]
    after = living(following)
    moves = {}
    for name, (_, body) in living(frame).items():
        if name in after:
            (x, y), head = body[0], after[name][1][0]
            found = [word for word, (dx, dy) in STEPS.items() if [(x + dx) % width, (y + dy) % height] == head]
            assert len(found) == 1
            moves[name] = found[0]
    return moves, [name for name in living(frame) if name not in after]


def agrees(game, frame):
    state = game.to_state()
    ours = {s["id"]: (s["health"], s["body"]) for s in state["snakes"] if "cause" not in s}
    return (
        ours == living(frame)
        and state["turn"] == frame["turn"]
        and state["food"] == cells(frame["board"]["food"])
        and Counter(map(tuple, state["hazards"])) == Counter(map(tuple, cells(frame["board"]["hazards"])))
    )


@pytest.mark.parametrize("seed", ["1", "2"])
@pytest.mark.parametrize(
    ("snakes", "options"),
    [
        (2, ["-W", "11", "-H", "11"]),
        (4, ["-W", "11", "-H", "11"]),
        (4, ["-W", "7", "-H", "7", "-g", "royale", "-m", "royale", "--shrinkEveryNTurns", "4"]),
        (4, ["-W", "7", "-H", "9", "-g", "wrapped", "-m", "standard"]),
        (3, ["-W", "9", "-H", "9", "-g", "constrictor", "-m", "empty"]),
    ],
)
def test_official_games_replayed_through_our_engine(official, go_snake, snakes, options, seed):
    replay = official([go_snake.url] * snakes, "-r", seed, *options)
    settings = replay.game["ruleset"]["settings"]
    numbers = {
        "damagePerTurn": settings["hazardDamagePerTurn"],
        "foodSpawnChance": settings["foodSpawnChance"],
        "minimumFood": settings["minimumFood"],
        "shrinkEveryNTurns": settings["royale"]["shrinkEveryNTurns"],
    }
    assert len(replay.frames) > 5
    for frame, following in itertools.pairwise(replay.frames):
        known, dying = moves_between(frame, following)
        spawned = [cell for cell in cells(following["board"]["food"]) if cell not in cells(frame["board"]["food"])]
        hazards = cells(following["board"]["hazards"])
        matches = 0
        for words in itertools.product(STEPS, repeat=len(dying)):
            game = Game.from_state(state_of(frame), replay.game["ruleset"]["name"], numbers)
            game.step({**known, **dict(zip(dying, words, strict=True))}, food=spawned, hazards=hazards)
            matches += agrees(game, following)
        assert matches >= 1, f"turn {following['turn']}"
        if not dying:
            assert not game.is_over()
    assert game.is_over() or dying


def shape(value):
    if isinstance(value, dict):
        return tuple((name, shape(part)) for name, part in value.items())
    if isinstance(value, list):
        return tuple(sorted({shape(part) for part in value}))
    return type(value).__name__


def ours(*snakes, conditions):
    contestants = [Contestant(f"snake {index}", snake.url) for index, snake in enumerate(snakes)]
    spec = ScheduledGame(0, 4, tuple(range(len(snakes))))
    return play_match(contestants, [spec], conditions, failure_limit=1.0).games[0]


def test_requests_have_the_official_shape(official, scripted):
    theirs, mine = (scripted(lambda r: [move(safe_move(r.body))]) for _ in range(2))
    official([theirs.url, theirs.url], "-t", "9000")
    ours(mine, mine, conditions=MatchConditions(timeout_ms=9000))
    for path in ("/start", "/move", "/end"):
        first = {shape(body) for body in mine.bodies(path)}
        assert first <= {shape(body) for body in theirs.bodies(path)} | {shape(body) for body in theirs.bodies()}
        assert first
    game, own = theirs.bodies()[0]["game"], mine.bodies()[0]["game"]
    assert {**game, "id": ""} == {**own, "id": ""}


@pytest.mark.parametrize(
    "actions",
    [
        [http({"move": "down"}, "500 Oops")],
        [http({"move": "down"}, "201 Created")],
        [http("down")],
        [http({"shout": "down"})],
        [move("DOWN")],
        [http('{"move":"down","shout":5}')],
        [http('{"move":1}')],
        [Close],
        [b"not HTTP\r\n\r\n", Close],
        [b'HTTP/1.1 200 OK\r\nContent-Length: 80\r\n\r\n{"move":"down"}', Close],
        [Hang],
    ],
)
def test_failures_lead_where_they_do_officially(official, scripted, good_snake, actions):
    timeout_ms = 120 if Hang in actions else 9000
    heads = []
    for referee in ("official", "ours"):
        bad = scripted(lambda r: actions if r.body["turn"] > 0 else [move("left")])
        if referee == "official":
            official([bad.url, good_snake.url], "-t", str(timeout_ms))
        else:
            assert ours(bad, good_snake, conditions=MatchConditions(timeout_ms=timeout_ms)).failed
        path = {body["turn"]: cells([body["you"]["head"]])[0] for body in bad.bodies()}
        # Starts differ; what counts is that it went left, to the wall if nobody met it, whatever it answered.
        x, y = path[0]
        assert path == {turn: [x - turn, y] for turn in path}
        heads.append(len(path))
    assert all(count >= 2 for count in heads)


@pytest.mark.parametrize("answer", ['{"MOVE":"left"}', '{"move":"left","shout":null}', '{"move":"left","x":"\\ud800"}'])
def test_answers_that_only_look_wrong_count_as_officially(official, scripted, good_snake, answer):
    for referee in ("official", "ours"):
        odd = scripted(lambda _: [http(answer)])
        if referee == "official":
            official([odd.url, good_snake.url], "-t", "9000")
        else:
            game = ours(odd, good_snake, conditions=MatchConditions(timeout_ms=9000))
            assert not game.failed
        path = {body["turn"]: cells([body["you"]["head"]])[0] for body in odd.bodies()}
        x, y = path[0]
        assert path == {turn: [x - turn, y] for turn in path}


@pytest.fixture(scope="module")
def circling(tmp_path_factory):
    """A snake that goes round four cells."""
    snake = ScriptedSnake(lambda r: [move(("up", "left", "down", "right")[r.body["turn"] % 4])])
    yield snake
    snake.close()


@pytest.mark.parametrize("referee", ["official", "ours"])
@pytest.mark.parametrize("names", batches(), ids=lambda names: names[0])
def test_odd_answers_are_played_or_not_as_officially(official, circling, names, referee):
    """Whichever way it is said: a snake that goes up goes left where it was understood."""
    odd = snake_saying(names)
    conditions = MatchConditions(25, 25, "wrapped", timeout_ms=9000, max_turns=3 * len(names) + 1)
    try:
        if referee == "official":
            official([odd.url, circling.url], "-t", "9000", "-g", "wrapped", "-W", "25", "-H", "25", "-r", "3")
        else:
            ours(odd, circling, conditions=conditions)
    finally:
        odd.close()
    assert played(odd, names, 25) == {name: name in PLAYED for name in names}


INDEXES = {
    "status 404": (http({}, "404 N"), True),
    "redirect": (http(b"", "307 T", "Location: /about\r\n"), True),
    "null": (http(b"null"), True),
    "colour null": (http(b'{"color":null}'), True),
    "name in upper case": (http(b'{"COLOR":"#fff"}'), True),
    "no UTF-8": (http(b'{"author":"\xff"}'), True),
    "nothing": (http(b"", "204 N"), False),
    "list": (http(b"[]"), False),
    "colour number": (http(b'{"color":5}'), False),
    "more behind": (http(b"{} x"), False),
    "byte order mark": (http(b"\xef\xbb\xbf{}"), False),
    "circle": (http(b"", "307 T", "Location: /\r\n"), False),
    "no HTTP": (b"x\r\n\r\n", False),
}


@pytest.mark.parametrize("kind", INDEXES)
def test_a_snake_is_introduced_or_not_as_officially(official_program, scripted, good_snake, kind):
    answer, known = INDEXES[kind]
    for referee in ("official", "ours"):
        snake = scripted(lambda r: [move(safe_move(r.body))])
        snake.script = lambda r: [answer if r.path == "/" else http({}) if r.path == "/about" else move("up")]
        snake.everything = True
        if referee == "official":
            arguments = [official_program, "play", "-u", snake.url, "-n", "a", "-u", good_snake.url, "-n", "b"]
            played = subprocess.run(arguments, capture_output=True, check=False).returncode == 0
        else:
            try:
                played = bool(ours(snake, good_snake, conditions=MatchConditions(timeout_ms=9000)))
            except SnakeError as error:
                assert snake.url in str(error)
                played = False
        assert played is known, referee


URLS = ["", "/", "/a/b", "/a/b/", "/?x=1", "?x=1", "/a%20b", "/a b", "/ä", "//a", "/a/./../b", "/#f"]


@pytest.mark.parametrize("end", URLS)
def test_paths_are_those_that_the_official_command_asks(official, scripted, good_snake, end):
    asked = []
    for referee in ("official", "ours"):
        snake = scripted(lambda r: [move(safe_move(r.body))])
        url = snake.url + end
        snake.script = lambda r: [http({"move": "up"})]
        snake.everything = True
        if referee == "official":
            official([url, good_snake.url], "-t", "9000")
        else:
            contestants = [Contestant("a", url), Contestant("b", good_snake.url)]
            play_match(contestants, [ScheduledGame(0, 4, (0, 1))], MatchConditions(timeout_ms=9000))
        asked.append({request.path for request in snake.requests})
    assert asked[0] == asked[1]
    assert len(asked[0]) == 4


def test_a_url_with_a_user_is_asked_with_its_password_as_officially(official, scripted, good_snake):
    heads = []
    for referee in ("official", "ours"):
        snake = scripted(lambda r: [move(safe_move(r.body))])
        snake.url_to_use = snake.url.replace("http://", "http://me:p%40ss@")
        if referee == "official":
            official([snake.url_to_use, good_snake.url], "-t", "9000")
        else:
            contestants = [Contestant("a", snake.url_to_use), Contestant("b", good_snake.url)]
            play_match(contestants, [ScheduledGame(0, 4, (0, 1))], MatchConditions(timeout_ms=9000))
        heads.append({line for r in snake.requests for line in r.head.split(b"\r\n") if line.startswith(b"Author")})
    assert heads[0] == heads[1] == {b"Authorization: Basic bWU6cEBzcw=="}


def test_the_password_goes_with_a_relative_redirect_and_not_to_another_place_as_officially(
    official, scripted, good_snake
):
    seen = []
    for referee in ("official", "ours"):
        other = scripted(lambda r: [move("up")], everything=True)
        answers = {
            "/move": http(b"", "307 T", f"Location: {other.url}/there\r\n"),
            "/start": http(b"", "307 T", "Location: /near\r\n"),
        }
        snake = scripted(lambda r, told=answers: [told.get(r.path, http({}))], everything=True)
        url = snake.url.replace("http://", "http://me:p%40ss@")
        if referee == "official":
            official([url, good_snake.url], "-t", "9000")
        else:
            contestants = [Contestant("a", url), Contestant("b", good_snake.url)]
            game = play_match(contestants, [ScheduledGame(0, 4, (0, 1))], MatchConditions(timeout_ms=9000)).games[0]
            assert not game.failed
        heads = {r.path: b"Authorization: Basic" in r.head for r in snake.requests + other.requests}
        seen.append(heads)
    assert seen[0] == seen[1]
    assert (seen[1]["/near"], seen[1]["/there"]) == (True, False)


def test_a_server_that_closes_after_each_answer_plays_on_as_officially(official, scripted, good_snake):
    for referee in ("official", "ours"):
        snake = scripted(lambda r: [move("left"), Close], everything=True)
        if referee == "official":
            official([snake.url, good_snake.url], "-t", "9000", "-r", "9")
        else:
            game = ours(snake, good_snake, conditions=MatchConditions(timeout_ms=9000))
            assert not game.failed
        path = {body["turn"]: cells([body["you"]["head"]])[0] for body in snake.bodies()}
        x, y = path[0]
        assert path == {turn: [x - turn, y] for turn in path}
        assert len(path) >= 2
