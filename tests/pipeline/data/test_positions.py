"""Positions are what an observer would have seen when the game was played, with what came of it."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.data.position_encoding import HORIZON
from pipeline.data.positions import join, positions_of
from pipeline.data.stored_game import StoredGame
from pipeline.engine import layout
from pipeline.engine.observe import Observer, allocate_observations
from pipeline.engine.planes import FEATURES
from pipeline.engine.players.choose import choose_moves
from pipeline.engine.players.kinds import STRONG
from pipeline.engine.players.mind import make_mind
from pipeline.engine.seats import CALLER
from pipeline.engine.tape_reading import TapeReader
from schemas.errors import DataError

OPEN = [slot.name for slot in FEATURES].index("open_up")


def cell_owner(state: dict, seat: int) -> np.ndarray:
    owners = np.zeros((11, 11), np.uint8)
    left, bottom = (11 - state["width"]) // 2, (11 - state["height"]) // 2
    for index, snake in enumerate(state["snakes"]):
        if not snake.get("cause"):
            for x, y in snake["body"]:
                owners[bottom + y, left + x] = 1 if index == seat else 2
    return owners.reshape(-1)


def test_rows_are_what_an_observer_sees_and_what_was_played(games: list[StoredGame]) -> None:
    made = positions_of(games)
    row = 0
    for index, game in enumerate(games):
        reader = TapeReader(game.tape)
        states = list(reader.states())
        observer, one = None, allocate_observations(1)
        for records in reader.turns():
            turn = int(records.clock[0, layout.TURN])
            observer = observer or Observer(records)
            if turn == game.turns:
                break
            for seat in [s for s in range(len(game.players)) if game.deaths[s] == 0 or game.deaths[s] > turn]:
                one.symmetries[:] = 0
                observer.observe(np.zeros(1, np.int64), np.full(1, seat, np.int64), one)
                assert (made.planes[row] == one.planes[0]).all()
                assert (made.features[row] == one.features[0]).all()
                assert (made.context[row] == one.context[0]).all()
                opened = one.features[0, OPEN : OPEN + 4] > 0
                assert (made.masks[row] == (opened if opened.any() else True)).all()
                assert (made.game[row], made.turns[row], made.seats[row]) == (index, turn, seat)
                later = states[min(turn + HORIZON, game.turns)]
                assert (made.territory[row] == cell_owner(later, seat)).all()
                assert made.survived[row] == (game.deaths[seat] or game.turns) - turn
                assert made.died[row] == (game.deaths[seat] > 0)
                row += 1
    assert row == len(made)


def test_moves_are_those_that_lead_to_the_next_head(games: list[StoredGame]) -> None:
    made = positions_of(games)
    for index, game in enumerate(games):
        if game.ruleset != "standard":
            continue
        states = list(TapeReader(game.tape).states())
        for row in np.flatnonzero(made.game == index):
            turn, seat = int(made.turns[row]), int(made.seats[row])
            if game.deaths[seat] == turn + 1:
                continue
            (ax, ay), (bx, by) = (states[t]["snakes"][seat]["body"][0] for t in (turn, turn + 1))
            assert layout.MOVE_WORDS[made.moves[row]] == {(0, 1): "up", (0, -1): "down", (-1, 0): "left"}.get(
                (bx - ax, by - ay), "right"
            )


def test_outcomes_are_rewards(games: list[StoredGame]) -> None:
    made = positions_of(games)
    for index, game in enumerate(games):
        living = [seat for seat, death in enumerate(game.deaths) if death == 0]
        for seat, death in enumerate(game.deaths):
            if game.ruleset == "solo":
                wanted = -1.0 if death else 0.0
            elif death == 0:
                wanted = 1.0 if len(living) == 1 else 0.0
            else:
                wanted = 0.0 if not living and death == game.turns else -1.0
            assert (made.outcome[(made.game == index) & (made.seats == seat)] == wanted).all()


def test_the_teacher_is_asked_in_each_position(games: list[StoredGame]) -> None:
    chosen = games[:14:5]
    made = positions_of(chosen, teacher=STRONG, every=3, seed=7)
    mind, moves = make_mind(), np.zeros(16, np.uint8)
    for index, game in enumerate(chosen):
        for records in (reader := TapeReader(game.tape)).turns():
            here = (made.game == index) & (made.turns == int(records.clock[0, layout.TURN]))
            for row in np.flatnonzero(here):
                kinds = np.full(16, CALLER, np.uint8)
                kinds[made.seats[row]] = STRONG
                choose_moves(mind, records.game(0), kinds, moves)
                assert made.moves[row] == moves[made.seats[row]]
        assert reader.seed == game.seed


def test_sampled_rows_are_rows_of_the_whole_and_follow_the_seed(games: list[StoredGame]) -> None:
    whole = positions_of(games)
    first, again, other = (positions_of(games, every=4, seed=seed) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert len(first) != len(other) or (first.turns != other.turns).any()
    keys = {key: row for row, key in enumerate(zip(whole.game, whole.turns, whole.seats, strict=True))}
    rows = [keys[key] for key in zip(first.game, first.turns, first.seats, strict=True)]
    assert all((a == b).all() for a, b in zip(first, whole.rows(rows), strict=True))
    assert 0.2 < len(first) / len(whole) < 0.3
    turns = first.turns[(first.game == 0) & (first.seats == 0)]
    assert (np.diff(turns) == 4).all()


def test_a_game_gives_the_same_rows_in_any_company(games: list[StoredGame]) -> None:
    together = positions_of(games, every=2, seed=3)
    alone = join([positions_of([game], every=2, seed=3) for game in games])
    for name in together._fields:
        if name != "game":
            assert (getattr(together, name) == getattr(alone, name)).all(), name


def test_seats_can_be_chosen(games: list[StoredGame]) -> None:
    learn = [replace(game, seats_to_learn=(0,)) for game in games]
    made, winners = positions_of(learn, seats="learn"), positions_of(games, seats="winner")
    assert set(made.seats.tolist()) == {0}
    for index in set(winners.game.tolist()):
        assert set(winners.seats[winners.game == index].tolist()) == {games[index].winner}
    assert {index for index, game in enumerate(games) if game.winner is not None} == set(winners.game.tolist())


def test_nothing_makes_nothing(games: list[StoredGame]) -> None:
    assert len(positions_of([])) == 0
    assert positions_of([]).planes.shape == (0, 12, 11, 11)
    none = [replace(game, seats_to_learn=()) for game in games]
    assert len(positions_of(none, seats="learn")) == 0


@pytest.mark.parametrize("change", [{"turns": 1}, {"deaths": (1, 1)}, {"turns": 10_000}])
def test_fields_that_tell_another_story_than_the_tape_are_refused(games: list[StoredGame], change: dict) -> None:
    with pytest.raises(DataError, match=games[0].game_id):
        positions_of([games[1], replace(games[0], **change)])


def test_a_board_beyond_the_frame_is_refused(games: list[StoredGame]) -> None:
    with pytest.raises(DataError, match="larger than the frame"):
        positions_of(games, frame=9)


def test_a_larger_frame_is_possible(games: list[StoredGame]) -> None:
    made = positions_of(games[:1], frame=13)
    small = positions_of(games[:1])
    assert (made.planes[:, :, 1:12, 1:12] == small.planes).all()
