"""The frames of a game, read by property: what is written is what was shown, and nothing else is ever read."""

import copy
import gzip
from typing import Any

import orjson
import pytest
from arena_stand_in import OURS, RECORDED, recorded_game
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.data.external_games import tape_of
from pipeline.ladder.answers import ListedGame
from pipeline.ladder.reading import LadderGame, asked_turns, move_between, read_ladder_game
from schemas.game import GameLogOutcome

OWNERS = {OURS: "alice"}
KINDS = ("duel", "royale", "constrictor", "lost")
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def listed(tree: dict[str, Any], **changes: Any) -> ListedGame:
    at = tree["created_at"]
    return ListedGame.model_validate({**tree, "updated_at": at, "status": "finished", **changes})


def read(tree: dict[str, Any], frames: list[Any]) -> LadderGame:
    return read_ladder_game(listed(tree), frames, OWNERS, challenged=False)


@pytest.mark.parametrize("kind", KINDS)
def test_each_board_comes_out_as_it_was_shown(kind: str) -> None:
    tree = recorded_game(kind)
    game = read(tree, tree["frames"])
    assert game.log.outcome is (GameLogOutcome.LOSS if kind == "lost" else GameLogOutcome.WIN)
    assert game.log.snakes[game.log.you].name == "Ouroboros"
    shown = {frame["Turn"]: frame for frame in tree["frames"]}
    turns = list(asked_turns(game.log))
    assert [turn.turn for turn in turns] == list(range(len(turns)))
    for turn in turns:
        board, frame = turn.request["board"], shown[turn.turn]
        living = {snake["ID"]: snake for snake in frame["Snakes"] if not snake["Death"]}
        assert {snake["id"] for snake in board["snakes"]} == set(living)
        for snake in board["snakes"]:
            told = living[snake["id"]]
            assert snake["health"] == told["Health"]
            assert [(cell["x"], cell["y"]) for cell in snake["body"]] == [(c["X"], c["Y"]) for c in told["Body"]]
        for name in ("Food", "Hazards"):
            wanted = sorted((cell["X"], cell["Y"]) for cell in frame[name])
            assert sorted((cell["x"], cell["y"]) for cell in board[name.lower()]) == wanted
    assert all(turn.played for turn in turns[:-1])
    assert game.last_move == ("up" if kind == "lost" else "")
    assert tape_of(game.log), "and the rules explain every board"


@pytest.mark.parametrize("kind", KINDS)
def test_details_and_pages_are_one_game(kind: str) -> None:
    tree = recorded_game(kind)
    if kind == "lost":
        return
    pages = orjson.loads(gzip.decompress((RECORDED / f"{kind}.frames.json.gz").read_bytes()))["frames"]
    assert pages == tree["frames"][: len(pages)]
    assert read(tree, [*pages, *tree["frames"][len(pages) :]]) == read(tree, tree["frames"])


@quick
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_a_game_that_is_cut_anywhere_is_refused(kind: str, data: st.DataObject) -> None:
    tree = recorded_game(kind)
    upto = data.draw(st.integers(0, len(tree["frames"]) - 1))
    with pytest.raises(ValueError, match=r"no frames|its frames end at turn"):
        read(tree, tree["frames"][:upto])


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@quick
@given(kind=st.sampled_from(("royale", "lost")), junk=JUNK, data=st.data())
def test_junk_anywhere_in_the_frames_is_refused_in_words_or_read(kind: str, junk: Any, data: st.DataObject) -> None:
    """Whatever stands where a field should stand: never another exception, never a line that cannot be read back."""
    tree = recorded_game(kind)
    frames = copy.deepcopy(tree["frames"])
    at = frames
    while True:
        keys: list[Any] = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        inner = at[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 3)) == 0:
            at[key] = junk
            break
        at = inner
    try:
        game = read(tree, frames)
    except ValueError as error:
        assert str(error)
    else:
        line = game.log.to_line()
        assert type(game.log).model_validate_json(line) == game.log


@quick
@given(junk=st.lists(JUNK, max_size=4))
def test_frames_that_are_none_are_refused(junk: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read(recorded_game("lost"), junk)


def test_moves_go_over_the_edge_of_a_wrapped_board_too() -> None:
    assert move_between((0, 5), (10, 5), 11, 11) == "left"
    assert move_between((4, 10), (4, 0), 11, 11) == "up"
    assert move_between((4, 4), (4, 4), 11, 11) == ""
