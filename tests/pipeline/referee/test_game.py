"""One game as its snakes see it: what they are sent and when, and what their failures lead to."""

import threading

import pytest
from scripted_snake import Close, Hang, Wait, http, move, safe_move

from pipeline.referee import Contestant, Ending, Failure, MatchConditions, ScheduledGame, play_match
from pipeline.referee.result import MatchResult

LONG_MS = 60_000


def play(snakes, spec=None, conditions=None, **options) -> MatchResult:
    spec = spec or ScheduledGame(0, 77, tuple(range(len(snakes))))
    contestants = [Contestant(f"snake {index}", snake.url) for index, snake in enumerate(snakes)]
    specs = spec if isinstance(spec, list) else [spec]
    return play_match(
        contestants, specs, conditions or MatchConditions(timeout_ms=LONG_MS), failure_limit=1.0, **options
    )


def only(result):
    assert len(result.games) == 1
    return result.games[0]


def test_what_a_snake_is_sent(scripted):
    answers = iter(["left", "nonsense", "up"])
    snakes = [
        scripted(lambda request: [move(safe_move(request.body))]),
        scripted(lambda _: [move(next(answers, "up"))]),
    ]
    game = only(play(snakes))
    paths = [request.path for request in snakes[0].requests]
    assert paths == ["/", "/start", *["/move"] * game.turns, "/end"]
    dead = snakes[1]
    assert game.snakes[1].cause == "wall-collision"
    assert [r.path for r in dead.requests] == ["/", "/start", *["/move"] * game.snakes[1].died_on_turn, "/end"]
    first, last = snakes[0].bodies("/start")[0], dead.bodies("/end")[0]
    assert first["game"] == {
        "id": game.spec.game_id,
        "ruleset": {
            "name": "standard",
            "version": "cli",
            "settings": {
                "foodSpawnChance": 15,
                "minimumFood": 1,
                "hazardDamagePerTurn": 14,
                "hazardMap": "",
                "hazardMapAuthor": "",
                "royale": {"shrinkEveryNTurns": 25},
                "squad": {
                    "allowBodyCollisions": False,
                    "sharedElimination": False,
                    "sharedHealth": False,
                    "sharedLength": False,
                },
            },
        },
        "map": "standard",
        "timeout": LONG_MS,
        "source": "",
    }
    assert [s["id"] for s in first["board"]["snakes"]] == [game.spec.snake_id(0), game.spec.snake_id(1)]
    assert first["you"] == first["board"]["snakes"][0]
    assert first["you"]["customizations"] == {"color": "#123456", "head": "", "tail": ""}
    assert (first["you"]["length"], first["you"]["health"], len(first["board"]["food"])) == (3, 100, 3)
    # The dead snake is told of the end: it is `you`, off the board, and listed no more.
    assert last["you"]["id"] == game.spec.snake_id(1)
    assert not 0 <= last["you"]["head"]["y"] < 11 or not 0 <= last["you"]["head"]["x"] < 11
    assert [s["id"] for s in last["board"]["snakes"]] == [game.spec.snake_id(0)]
    assert last["turn"] == game.turns
    assert game.ending is Ending.WON
    assert game.winner == 0


def test_latency_is_true_on_the_board_and_zero_for_you(scripted):
    def after_50_ms(request):
        opened = threading.Event()
        threading.Timer(0.05, opened.set).start()
        return [Wait(opened), move(safe_move(request.body))]

    slow = scripted(after_50_ms)
    quick = scripted(lambda request: [move(safe_move(request.body))])
    play([slow, quick], conditions=MatchConditions(max_turns=3, timeout_ms=LONG_MS))
    before, after = quick.bodies()[0], quick.bodies()[1]
    assert [snake["latency"] for snake in before["board"]["snakes"]] == ["0", "0"]
    assert int(after["board"]["snakes"][0]["latency"]) >= 50
    assert {body["you"]["latency"] for body in slow.bodies()} == {"0"}
    assert int(slow.bodies("/end")[0]["you"]["latency"]) >= 50


def test_all_snakes_of_a_turn_are_asked_at_once(scripted):
    together = threading.Barrier(3)

    def script(request):
        together.wait(60)  # asked one after the other, the first would never answer
        return [move(safe_move(request.body))]

    snakes = [scripted(script) for _ in range(3)]
    game = only(play(snakes, conditions=MatchConditions(max_turns=1, timeout_ms=LONG_MS)))
    assert not game.failed
    assert game.ending is Ending.TURN_LIMIT


FAILING = {
    "status": ([http({"move": "down"}, "500 Oops")], Failure.BAD_STATUS),
    "not json": ([http("down")], Failure.BAD_JSON),
    "no move": ([http({"shout": "down"})], Failure.BAD_MOVE),
    "upper case": ([move("DOWN")], Failure.BAD_MOVE),
    "closes": ([Close], Failure.CONNECTION),
    "garbage": ([b"\x00\x01\x02 down\r\n\r\n", Close], Failure.BAD_HTTP),
    "short": ([b'HTTP/1.1 200 OK\r\nContent-Length: 80\r\n\r\n{"move":"down"}', Close], Failure.CONNECTION),
    "slow": ([Hang], Failure.TIMEOUT),
}


@pytest.mark.parametrize("kind", FAILING)
def test_a_snake_that_never_answers_goes_up_and_dies_at_the_wall(scripted, good_snake, kind):
    actions, failure = FAILING[kind]
    bad = scripted(lambda _: actions)
    timeout_ms = 150 if failure is Failure.TIMEOUT else LONG_MS
    game = only(play([bad, good_snake], conditions=MatchConditions(width=7, height=7, timeout_ms=timeout_ms)))
    starts_at = bad.bodies("/start")[0]["you"]["head"]
    asked = 7 - starts_at["y"]
    assert game.snakes[0].cause == "wall-collision"
    assert game.snakes[0].died_on_turn == asked
    assert game.snakes[0].failures == {failure: asked}
    heads = {body["turn"]: body["you"]["head"]["y"] for body in bad.bodies()}
    assert heads == {turn: starts_at["y"] + turn for turn in range(asked)}
    # The connection that /start was answered on is stale once closed; that request alone is sent again.
    assert game.snakes[0].reconnects == (kind == "closes")
    assert len(bad.bodies()) == asked + (kind == "closes")
    assert game.failed
    assert len(game.snakes[0].latencies_ms) == asked


def test_a_failing_snake_repeats_its_last_valid_move(scripted, good_snake):
    bad = scripted(lambda request: [move("left") if request.body["turn"] == 1 else http("?")])
    game = only(play([bad, good_snake]))
    heads = [(body["you"]["head"]["x"], body["you"]["head"]["y"]) for body in bad.bodies()]
    x, y = heads[0]
    expected = [(x, y), (x, y + 1), *[(x - step, y + 1) for step in range(1, x + 1)]]
    assert heads == expected[: len(heads)]
    assert game.snakes[0].failures[Failure.BAD_JSON] == len(heads) - (len(heads) > 1)


def test_failures_of_start_and_end_are_ignored_but_shown(scripted):
    def script(request):
        if request.path == "/":
            return [http("{}")]
        return [move(safe_move(request.body))] if request.path == "/move" else [Close]

    snakes = [scripted(script, everything=True) for _ in range(2)]
    game = only(play(snakes, conditions=MatchConditions(max_turns=4, timeout_ms=LONG_MS)))
    assert not game.failed
    assert [snake.ignored_failures for snake in game.snakes] == [2, 2]


def test_deaths_name_cause_killer_and_turn(scripted):
    # Seed chosen so that both start in corners of one side; they run at each other along it until they meet.
    def towards(request):
        you, other = (
            request.body["you"],
            next(s for s in request.body["board"]["snakes"] if s["id"] != request.body["you"]["id"]),
        )
        dx, dy = other["head"]["x"] - you["head"]["x"], other["head"]["y"] - you["head"]["y"]
        if abs(dx) > abs(dy):
            return [move("right" if dx > 0 else "left")]
        return [move("up" if dy > 0 else "down")]

    snakes = [scripted(towards) for _ in range(2)]
    game = only(play(snakes, conditions=MatchConditions(timeout_ms=LONG_MS)))
    assert game.ending is Ending.DRAW
    assert game.winner is None
    assert [(s.cause, s.killer, s.died_on_turn) for s in game.snakes] in (
        [("head-collision", 1, game.turns), ("head-collision", 0, game.turns)],
        [("snake-collision", 1, game.turns), ("snake-collision", 0, game.turns)],
    )
    assert [game.score(0), game.score(1)] == [0.5, 0.5]


def test_a_turn_limit_is_an_ending_of_its_own(good_snake, scripted):
    other = scripted(lambda request: [move(safe_move(request.body))])
    game = only(play([good_snake, other], conditions=MatchConditions(max_turns=5, timeout_ms=LONG_MS)))
    assert (game.ending, game.turns, game.winner) == (Ending.TURN_LIMIT, 5, None)
    assert [game.score(0), game.score(1)] == [0.5, 0.5]


def test_a_solo_game(good_snake):
    game = only(play([good_snake], conditions=MatchConditions(7, 7, ruleset="solo", timeout_ms=LONG_MS)))
    assert game.ending is Ending.SOLO
    assert game.snakes[0].cause
    assert len(good_snake.bodies()) == game.turns


def test_one_snake_in_every_seat(good_snake):
    game = only(play([good_snake], ScheduledGame(0, 5, (0, 0, 0, 0)), MatchConditions(timeout_ms=LONG_MS)))
    assert {body["you"]["id"] for body in good_snake.bodies()} == {game.spec.snake_id(seat) for seat in range(4)}
    assert game.score(0) == 1.0


@pytest.mark.parametrize(
    ("ruleset", "map_id"),
    [("standard", "standard"), ("royale", "royale"), ("wrapped", "standard"), ("constrictor", "empty")],
)
def test_the_same_seed_gives_the_same_game(scripted, ruleset, map_id):
    def bodies():
        snakes = [scripted(lambda request: [move(safe_move(request.body))]) for _ in range(2)]
        conditions = MatchConditions(ruleset=ruleset, map_id=map_id, timeout_ms=LONG_MS, max_turns=200)
        game = only(play(snakes, ScheduledGame(0, 1234, (1, 0)), conditions))
        sent = [request.body for snake in snakes for request in snake.requests if request.path != "/"]
        for body in sent:
            for snake in [*body["board"]["snakes"], body["you"]]:
                del snake["latency"]  # the one thing that is the wall clock's
        return sent, [(s.cause, s.killer, s.died_on_turn, s.length) for s in game.snakes], game.turns

    first, second = bodies(), bodies()
    assert first[2] > 5
    assert first == second


def test_names_and_ids_differ_between_seatings():
    here, there = ScheduledGame(0, 9, (0, 1)), ScheduledGame(0, 9, (1, 0))
    ids = {spec.game_id for spec in (here, there)} | {spec.snake_id(seat) for spec in (here, there) for seat in (0, 1)}
    assert len(ids) == 6
