"""Many games: order, stopping, failures, and errors that must reach the caller."""

import threading

import pytest
from scripted_snake import Close, Hang, http, move, safe_move

from pipeline.referee import Contestant, MatchConditions, ScheduledGame, paired_schedule, play_match
from schemas.errors import BadInputError, EvaluationError, GameStateError, SnakeError

SHORT_GAMES = MatchConditions(7, 7, timeout_ms=60_000, max_turns=8)


def contestants_of(*snakes):
    return [Contestant(f"snake {index}", snake.url) for index, snake in enumerate(snakes)]


@pytest.fixture
def duel(scripted):
    return contestants_of(*(scripted(lambda request: [move(safe_move(request.body))]) for _ in range(2)))


def test_every_game_is_played_once_and_pairs_come_in_order(duel):
    schedule = paired_schedule(10, 3)
    games, pairs = [], []
    result = play_match(
        duel, schedule, SHORT_GAMES, games_at_once=5, on_game=lambda game: games.append(game.spec), on_pair=pairs.append
    )
    assert [game.spec for game in result.games] == list(schedule)
    assert sorted(map(str, games)) == sorted(map(str, schedule))
    assert [pair.pair for pair in pairs] == list(range(10))
    assert tuple(pairs) == result.pairs()
    assert all({game.spec.seats for game in pair.games} == {(0, 1), (1, 0)} for pair in pairs)
    assert not result.stopped
    result.require_sound()


def test_games_at_once_does_not_change_the_games(duel):
    def outcomes(at_once):
        result = play_match(duel, paired_schedule(6, 11), MatchConditions(timeout_ms=60_000), games_at_once=at_once)
        return [
            (game.spec, game.turns, game.winner, [(s.cause, s.killer, s.died_on_turn, s.length) for s in game.snakes])
            for game in result.games
        ]

    assert outcomes(1) == outcomes(6)


# One at a time no game is in hand beside the one that ends the match; of four, three go on while one is slow.
@pytest.mark.parametrize(("games_at_once", "most"), [(1, 6), (4, 399)])
def test_a_sequential_test_can_end_the_match_at_a_pair(duel, games_at_once, most):
    pairs = []
    result = play_match(
        duel,
        paired_schedule(200, 4),
        SHORT_GAMES,
        games_at_once=games_at_once,
        on_pair=pairs.append,
        stop=lambda: len(pairs) >= 3,
    )
    assert result.stopped
    assert [pair.pair for pair in pairs[:3]] == [0, 1, 2]
    assert len(result.games) <= most
    assert result.pairs()[:3] == tuple(pairs[:3])


def test_a_stop_does_not_wait_for_hanging_snakes(scripted):
    asked = threading.Event()

    def hang(_):
        asked.set()
        return [Hang]

    snakes = [scripted(hang) for _ in range(2)]
    hour = MatchConditions(timeout_ms=3_600_000)
    result = play_match(contestants_of(*snakes), paired_schedule(5, 1), hour, games_at_once=3, stop=asked.is_set)
    assert result.games == ()
    assert result.stopped
    result.require_sound()


def test_a_stop_before_the_first_answer(scripted):
    snake = scripted(lambda _: [Hang], everything=True)
    result = play_match(
        contestants_of(snake), paired_schedule(1, 1, (0,)), SHORT_GAMES, stop=lambda: bool(snake.requests)
    )
    assert result.games == ()


def test_too_many_failures_end_the_match_and_refuse_the_score(scripted, good_snake):
    bad = scripted(lambda _: [http("down", "500 Oops")])
    result = play_match(contestants_of(bad, good_snake), paired_schedule(100, 1), SHORT_GAMES, games_at_once=2)
    assert result.stopped
    assert 3 <= len(result.games) <= 6, "more than 1 % of 200 games is 3; some were under way"
    with pytest.raises(
        EvaluationError,
        match=r"of \d games .* no more than 1.0% may \(snake 0: \d+ x bad_status .*status 500",
    ):
        result.require_sound()
    tally = result.tally(0)
    assert tally.failures.keys() == {"bad_status"}
    assert result.tally(1).failures == {}


def test_one_failure_in_a_hundred_games_is_borne(scripted, good_snake):
    failed = []

    def once(request):
        if not failed and request.body["turn"] == 2:
            failed.append(request)
            return [http("nonsense")]
        return [move(safe_move(request.body))]

    nearly = scripted(once)
    result = play_match(contestants_of(nearly, good_snake), paired_schedule(50, 1), SHORT_GAMES)
    assert (len(result.games), result.failed_games) == (100, 1)
    result.require_sound()


def test_a_failure_limit_of_one_plays_on(scripted, good_snake):
    bad = scripted(lambda _: [Close])
    result = play_match(contestants_of(bad, good_snake), paired_schedule(5, 1), SHORT_GAMES, failure_limit=1.0)
    assert len(result.games) == result.failed_games == 10
    result.require_sound()


@pytest.mark.parametrize("index", [http("<html>"), http('{"color": 4}'), b"nonsense\r\n\r\n"])
def test_a_snake_that_answers_garbage_at_first(scripted, good_snake, index):
    snake = scripted(lambda _: [move("up")], index=index)
    with pytest.raises(SnakeError, match=r"does not answer GET /.*" + snake.url):
        play_match(contestants_of(good_snake, snake), paired_schedule(1, 1), SHORT_GAMES)


def test_a_snake_whose_index_has_another_status_is_fine(scripted, good_snake):
    snake = scripted(lambda r: [move(safe_move(r.body))], index=http("{}", "404 Not Found"))
    assert len(play_match(contestants_of(good_snake, snake), paired_schedule(1, 1), SHORT_GAMES).games) == 2


class BoomError(Exception):
    pass


@pytest.mark.parametrize("where", ["on_game", "on_pair", "stop"])
def test_an_error_of_the_caller_reaches_the_caller(duel, where):
    def fail(*_):
        raise BoomError

    with pytest.raises(BoomError):
        play_match(duel, paired_schedule(2, 1), SHORT_GAMES, **{where: fail})


def test_an_error_within_a_game_reaches_the_caller(duel, monkeypatch):
    def fail(*_):
        raise BoomError

    monkeypatch.setattr("pipeline.referee.game.read_move", fail)
    with pytest.raises(BoomError):
        play_match(duel, paired_schedule(2, 1), SHORT_GAMES)


@pytest.mark.parametrize(
    ("schedule", "options"),
    [
        ([], {}),
        ([ScheduledGame(0, 1, (0, 1))] * 2, {}),
        ([ScheduledGame(0, 1, (0, 2))], {}),
        ([ScheduledGame(0, 1, ())], {}),
        ([ScheduledGame(0, 1, (0, 1))], {"games_at_once": 0}),
    ],
)
def test_schedules_that_make_no_sense(duel, schedule, options):
    with pytest.raises(BadInputError):
        play_match(duel, schedule, SHORT_GAMES, **options)


@pytest.mark.parametrize("changes", [{"ruleset": "chess"}, {"map_id": "moon"}])
def test_rules_that_do_not_exist(duel, changes):
    with pytest.raises(GameStateError):
        play_match(duel, paired_schedule(1, 1), MatchConditions(**changes))


@pytest.mark.parametrize("changes", [{"width": 0}, {"height": 26}, {"timeout_ms": 0}, {"max_turns": 0}])
def test_conditions_out_of_bounds(changes):
    with pytest.raises(BadInputError, match=next(iter(changes))):
        MatchConditions(**changes)
