"""What is read off tapes is what the arena saw; bytes that are no tape are refused and harm nothing."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.scan import ranks_of, scan
from pipeline.data.stored_game import StoredGame
from pipeline.engine.tape_reading import TapeReader
from pipeline.simulator.matches import Finished
from schemas.errors import DataError, OuroborosError


def test_a_scan_tells_what_the_arena_saw(all_finished: list[Finished]) -> None:
    for finished in all_finished:
        facts = scan(finished.tapes)
        assert (facts.turns == finished.turns).all()
        for name in ("deaths", "causes", "killers", "lengths", "ranks"):
            assert (getattr(facts, name) == getattr(finished, name)).all(), name


def test_games_of_all_boards_may_be_scanned_together(games: list[StoredGame]) -> None:
    facts = scan([game.tape for game in games])
    assert facts.seats.tolist() == [len(game.players) for game in games]
    for index, game in enumerate(games):
        assert tuple(facts.deaths[index][: facts.seats[index]]) == game.deaths
        assert tuple(facts.ranks[index][: facts.seats[index]]) == game.ranks
        assert not facts.ranks[index][facts.seats[index] :].any()


def test_decisions_are_the_turns_that_snakes_began_alive(games: list[StoredGame]) -> None:
    facts = scan([game.tape for game in games])
    assert facts.decisions.tolist() == [game.decisions for game in games]
    assert (facts.free <= facts.decisions).all()
    assert (facts.contest <= 1).all()


def living(states: list[dict], turn: int) -> dict[str, dict]:
    return {snake["id"]: snake for snake in states[turn]["snakes"] if not snake.get("cause")}


def test_contest_is_the_mean_of_second_over_longest(games: list[StoredGame]) -> None:
    facts = scan([game.tape for game in games])
    for index, game in enumerate(games):
        states = list(TapeReader(game.tape).states())
        ratios = []
        for turn in range(game.turns):
            lengths = sorted((len(snake["body"]) for snake in living(states, turn).values()), reverse=True)
            if len(lengths) > 1:
                ratios.append(lengths[1] / lengths[0])
        assert facts.contested[index] == len(ratios)
        assert facts.contest[index] == pytest.approx(np.mean(ratios) if ratios else 0)


def test_openings_are_the_relative_turns_of_moves_two_to_six(games: list[StoredGame]) -> None:
    facts = scan([game.tape for game in games])
    for index, game in enumerate(games):
        states = list(TapeReader(game.tape).states())
        for seat in range(len(game.players)):
            heads = [state["snakes"][seat]["body"][:1] for state in states[:7]]
            if game.turns < 6 or 0 < game.deaths[seat] <= 6:
                assert facts.openings[index, seat] == -1
                continue
            code = 0
            steps = [(b[0][0] - a[0][0], b[0][1] - a[0][1]) for a, b in itertools.pairwise(heads)]
            steps = [tuple((d + 1) % 3 - 1 if abs(d) == 1 else -np.sign(d) for d in step) for step in steps]
            for (ax, ay), (bx, by) in itertools.pairwise(steps):
                turned = ax * by - ay * bx  # +1 counter-clockwise: left
                code = 3 * code + {0: 0, 1: 1, -1: 2}[int(turned)]
            assert facts.openings[index, seat] == code


def test_ranks_are_shared_by_those_who_died_together() -> None:
    deaths = np.array([[5, 0, 5, 3], [7, 7, 0, 0], [4, 4, 0, 0]])
    assert ranks_of(deaths, np.array([4, 2, 3])).tolist() == [[2, 1, 2, 4], [1, 1, 0, 0], [2, 2, 1, 0]]


@pytest.mark.parametrize("tape", [b"", b"\x01\x0b", b"\x02" + bytes(60), bytes(40)])
def test_what_is_no_tape_is_refused(tape: bytes, games: list[StoredGame]) -> None:
    with pytest.raises(DataError):
        scan([games[0].tape, tape])


def test_a_cut_tape_is_refused_by_its_number(games: list[StoredGame]) -> None:
    tapes = [game.tape for game in games[:4]]
    tapes[2] = tapes[2][:-1]
    with pytest.raises(DataError, match="game 2"):
        scan(tapes)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_altered_bytes_are_read_as_the_plain_reader_reads_them_or_refused(
    games: list[StoredGame], data: st.DataObject
) -> None:
    """Of a tape that both readers take, both tell the same; what the plain one refuses, the compiled one does too."""
    tape = bytearray(data.draw(st.sampled_from(games)).tape)
    for _ in range(data.draw(st.integers(1, 4))):
        tape[data.draw(st.integers(1, len(tape) - 1))] = data.draw(st.integers(0, 255))
    try:
        facts = scan([bytes(tape)])
    except DataError:
        return
    try:
        *_, last = TapeReader(bytes(tape)).states()
    except OuroborosError as error:
        pytest.fail(f"the plain reader refuses it: {error}")
    assert facts.turns[0] == last["turn"]
    assert facts.lengths[0].tolist() == [len(snake["body"]) for snake in last["snakes"]]
    assert [bool(cause) for cause in facts.causes[0]] == [bool(snake.get("cause")) for snake in last["snakes"]]
