"""What the Arena may answer, and the one sentence that each becomes; no token and no web page in any of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from arena_stand_in import OURS, RIVAL, TOKEN, Handler, cut, drip, flood, no_json, page, recorded, sends_to, status
from ladder_bench import Bench

from pipeline.ladder.client import ArenaClient, Busy, TokenRefused
from pipeline.ladder.connection import AnswerCache, ArenaConnection, Unreached
from schemas.errors import ArenaAwayError, ArenaError, OuroborosError

Act = Callable[[Handler], bool]


def test_the_recorded_answers_are_read(bench: Bench) -> None:
    client = bench.client()
    bench.world.add("duel")
    assert [(snake.name, snake.is_public) for snake in client.snakes()] == [("Ouroboros", True)]
    (leaderboard,) = client.leaderboards()
    table = client.rankings(leaderboard.id)
    assert [entry.owner for entry in table.placement] == ["alice", "bob", "bob"]
    (game,) = client.games(OURS, 20).games
    assert (game.over, game.winner, game.game_type) == (True, OURS, "Standard")
    assert len(client.game(game.id)["frames"]) == 346
    assert [found.status for found in client.statuses([game.id, "unknown"])] == ["finished"]
    assert client.odd == []


@pytest.mark.parametrize(
    ("act", "kind", "told"),
    [
        (status(401, recorded("unauthorized")), TokenRefused, "refuses the token: Invalid or revoked token"),
        (status(404, recorded("missing")), ArenaError, "refuses (404): Game not found"),
        (status(422, "Failed to deserialize: missing field"), ArenaError, "refuses (422): Failed to deserialize"),
        (page, ArenaAwayError, "a web page where data is due"),
        (no_json, ArenaAwayError, "answers no JSON"),
        (sends_to("https://elsewhere.example/api"), ArenaAwayError, "where the token must not go"),
        (flood, ArenaAwayError, "larger than we take"),
        (drip, ArenaAwayError, "has not answered within 0.3 s"),
        (lambda handler: handler.reply(200, b'{"a": 1}'), ArenaAwayError, "is no list"),
        (status(418, "teapot"), ArenaAwayError, "answers 418"),
    ],
)
def test_each_answer_that_is_of_no_use_is_one_sentence(bench: Bench, act: Act, kind: type, told: str) -> None:
    bench.world.fail("/api/snakes", act)
    with pytest.raises(kind) as caught:
        bench.client(call_limit_s=0.3 if act is drip else 30).snakes()
    said = str(caught.value)
    assert told in said
    assert "\n" not in said
    assert TOKEN not in said
    assert "<" not in said
    assert bench.client().snakes(), "the next call is as if nothing had been"


def test_a_busy_server_is_given_time(bench: Bench) -> None:
    bench.world.fail("/api/snakes", status(429, "slow down", Retry_After="7"))
    bench.world.fail("/api/snakes", status(503, "restarting"))
    bench.world.fail("/api/snakes", cut)
    assert len(bench.client().snakes()) == 1
    assert [pause for pause in bench.clock.pauses if pause > 0.1] == [7.0, 2.0, 4.0]


def test_a_pause_too_long_is_not_begun(bench: Bench) -> None:
    bench.world.fail("/api/snakes", status(429, "Rate limit exceeded", Retry_After="600"))
    with pytest.raises(Busy, match=r"asks for a pause: Rate limit exceeded .* Try again in 10 minutes"):
        bench.client(until_s=90).snakes()
    assert len(bench.world.asked) == 1


def test_a_server_in_trouble_is_left_alone_after_four_tries(bench: Bench) -> None:
    bench.world.fail("/api/snakes", status(500, "Internal server error"), times=9)
    with pytest.raises(ArenaAwayError, match=r"in trouble \(500\): Internal server error"):
        bench.client().snakes()
    assert len(bench.world.asked) == 4


def test_a_game_is_never_asked_for_twice_by_a_lost_answer(bench: Bench) -> None:
    bench.world.fail("/api/games", cut)
    with pytest.raises(ArenaAwayError, match="was cut after"):
        bench.client().create_game([OURS, RIVAL], "11x11", "standard")
    assert bench.world.asked == ["POST /api/games"]
    bench.world.fail("/api/games", status(429, "wait", Retry_After="1"))
    assert bench.client().create_game([OURS, RIVAL], "11x11", "standard").status == "waiting"
    assert len(bench.world.games) == 1


def test_redirects_within_the_server_are_followed(bench: Bench) -> None:
    bench.world.fail("/api/snakes", sends_to("/api/snakes?moved=1"))
    assert len(bench.client().snakes()) == 1
    bench.world.fail("/api/snakes", sends_to("/api/snakes"), times=9)
    with pytest.raises(ArenaAwayError, match="from address to address"):
        bench.client().snakes()


def test_nobody_there_no_name_and_no_certificate(tmp_path: Path, bench: Bench) -> None:
    def asked_at(url: str) -> str:
        connection = ArenaConnection(url, TOKEN, 20, 1e6, pause=lambda _s: None)
        client = ArenaClient(connection, connection.monotonic_s() - 1, AnswerCache(tmp_path / "a", ""))
        with pytest.raises(Unreached) as caught:
            client.snakes()
        return str(caught.value)

    assert "no connection" in asked_at("http://127.0.0.1:1")
    assert "the name arena.invalid is not found" in asked_at("https://arena.invalid")
    said = asked_at(bench.server.url.replace("http:", "https:"))
    assert "no secure connection" in said
    assert "SSL_CERT_FILE" in said


def test_what_is_not_new_is_not_sent_again(bench: Bench) -> None:
    bench.world.etags = True
    bench.world.add("duel")
    client = bench.client()
    first = client.games(OURS, 20)
    read = client.connection.traffic.bytes_read
    client.remembered.save()
    later = ArenaClient(client.connection, 1e9, AnswerCache.of(bench.home, "", ""))
    later.remembered = AnswerCache(bench.home / "a.json", "us", later.remembered._answers)
    assert client.games(OURS, 20) == first
    assert client.connection.traffic.bytes_read == read
    bench.world.add("royale")
    assert client.games(OURS, 20).length == 2


def test_answers_are_remembered_for_one_token_only(bench: Bench) -> None:
    bench.world.etags = True
    client = bench.client()
    client.remembered = AnswerCache.of(bench.home, bench.server.url, "one")
    client.snakes()
    client.remembered.save()
    assert AnswerCache.of(bench.home, bench.server.url, "one").validators("/api/snakes")
    assert not AnswerCache.of(bench.home, bench.server.url, "two").validators("/api/snakes")
    (bench.home / "answers.json").write_text("{")
    assert not AnswerCache.of(bench.home, bench.server.url, "one").validators("/api/snakes")


def test_a_game_too_large_for_one_answer_comes_page_by_page(bench: Bench) -> None:
    game_id = bench.world.add("duel")
    bench.world.fail(f"/api/games/{game_id}/details", flood)
    bench.world.fail(f"/api/games/{game_id}/frames?offset=200", cut)
    frames = bench.client().game(game_id)["frames"]
    assert [frame["Turn"] for frame in frames] == list(range(346))
    pages = [asked for asked in bench.world.asked if "/frames" in asked]
    assert [page.partition("offset=")[2] for page in pages] == [
        "0&limit=100",
        "100&limit=100",
        "200&limit=100",
        "200&limit=100",
        "300&limit=100",
    ]


def test_an_odd_item_stops_no_other(bench: Bench) -> None:
    bench.world.add("duel")
    bench.world.add("duel", created_at="yesterday")
    bench.world.add("duel", snakes=[{"id": OURS}])
    client = bench.client()
    found = client.games(OURS, 20)
    assert (len(found.games), found.length) == (1, 3)
    assert len(client.odd) == 2
    assert "created_at" in " ".join(client.odd)


def test_the_token_goes_to_the_arena_alone_and_is_in_no_words(bench: Bench) -> None:
    client = bench.client()
    client.snakes()
    assert bench.world.tokens == {f"Bearer {TOKEN}"}
    assert TOKEN not in repr(client)
    assert issubclass(ArenaAwayError, OuroborosError)
