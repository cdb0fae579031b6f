"""Replays: written whole, in the official form, and enough to play the game again."""

import gzip
from pathlib import Path

import orjson
import pytest
from replays import read_replay
from scripted_snake import http, move, safe_move

from pipeline.engine import Game
from pipeline.referee import Contestant, MatchConditions, paired_schedule, play_match
from schemas.errors import MachineError

GOLDEN = Path(__file__).parents[2] / "golden" / "referee"
WORDS = {"u": "up", "d": "down", "l": "left", "r": "right"}


@pytest.fixture
def result(scripted, tmp_path):
    flaky = scripted(lambda r: [http("?") if r.body["turn"] == 3 else move(safe_move(r.body))])
    steady = scripted(lambda r: [move(safe_move(r.body))])
    contestants = [Contestant("flaky", flaky.url), Contestant("steady", steady.url)]
    conditions = MatchConditions(ruleset="royale", map_id="royale", timeout_ms=60_000)
    folder = tmp_path / "new" / "replays"
    return play_match(contestants, paired_schedule(2, 8), conditions, failure_limit=1.0, replay_dir=folder)


def cells(points):
    return [[point["x"], point["y"]] for point in points]


def test_every_game_has_its_file(result):
    assert len({game.replay for game in result.games}) == 4
    folder = result.games[0].replay.parent
    assert sorted(folder.iterdir()) == sorted(game.replay for game in result.games)


def test_a_replay_has_the_official_form(result):
    theirs = [
        orjson.loads(line) for line in gzip.decompress((GOLDEN / "official_royale.jsonl.gz").read_bytes()).splitlines()
    ]
    for game in result.games:
        ours = [orjson.loads(line) for line in gzip.decompress(game.replay.read_bytes()).splitlines()]
        assert len(ours) == game.turns + 3
        assert shape(ours[0]) == shape(theirs[0])
        assert {shape(frame) for frame in ours[1:-1]} <= {shape(frame) for frame in theirs[1:-1]}
        assert [frame["turn"] for frame in ours[1:-1]] == list(range(game.turns + 1))
        assert theirs[-1].keys() == ours[-1].keys() - {"ouroboros"}
        winner = "" if game.winner is None else ["flaky", "steady"][game.spec.seats[game.winner]]
        assert ours[-1]["winnerName"] == winner
        assert ours[-1]["isDraw"] == (game.winner is None)


def shape(value):
    """Names and types, in order; of a list those that occur in it."""
    if isinstance(value, dict):
        return tuple((name, shape(part)) for name, part in value.items())
    if isinstance(value, list):
        return tuple(sorted({shape(part) for part in value}))[:1]
    return type(value).__name__


def test_seed_and_moves_play_the_game_again(result):
    for outcome in result.games:
        replay = read_replay(outcome.replay)
        ids = [snake["id"] for snake in replay.result["ouroboros"]["snakes"]]
        game = Game.new(
            11, 11, ids, ruleset="royale", map_id="royale", seed=replay.result["ouroboros"]["seed"],
            settings={"damagePerTurn": 14, "foodSpawnChance": 15, "minimumFood": 1, "shrinkEveryNTurns": 25},
        )  # fmt: skip
        for frame, moves in zip(replay.frames, [*replay.moves, ""], strict=True):
            state = game.to_state()
            living = [snake for snake in state["snakes"] if "cause" not in snake]
            assert [s["id"] for s in frame["board"]["snakes"]] == [s["id"] for s in living]
            assert [cells(s["body"]) for s in frame["board"]["snakes"]] == [s["body"] for s in living]
            assert cells(frame["board"]["food"]) == state["food"]
            assert cells(frame["board"]["hazards"]) == state["hazards"]
            if moves:
                game.step({name: WORDS[letter] for name, letter in zip(ids, moves, strict=True)})
        assert game.is_over()
        for seat, snake in enumerate(game.to_state()["snakes"]):
            told = replay.result["ouroboros"]["snakes"][seat]
            assert (told["cause"], told["by"]) == (snake.get("cause", ""), snake.get("by", ""))
            assert told["on"] == snake.get("on")


def test_failures_stand_in_the_replay(result):
    for outcome in result.games:
        told = read_replay(outcome.replay).result["ouroboros"]["snakes"]
        by_name = {snake["name"]: snake["failures"] for snake in told}
        assert by_name == {"flaky": {"bad_json": 1}, "steady": {}}


def test_a_replay_that_cannot_be_written_ends_the_match(good_snake, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.referee.replay.write_atomic", full)
    with pytest.raises(MachineError, match="No space left on device"):
        play_match(
            [Contestant("a", good_snake.url)],
            paired_schedule(1, 1, (0, 0)),
            MatchConditions(timeout_ms=60_000, max_turns=3),
            replay_dir=tmp_path,
        )
