"""Any bytes come back as they were."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.data.experience_rows import MOST_BOARDS, decode, encode, find_boards, most_code_bytes
from pipeline.data.positions import positions_of
from pipeline.data.stored_game import StoredGame

sparse = st.one_of(st.just(0), st.just(0), st.just(0), st.integers(0, 255))


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.uint8, st.integers(9, 900), elements=sparse, fill=st.just(0)),
    arrays.arrays(np.uint8, st.integers(0, 300), elements=sparse, fill=st.just(0)),
    arrays.arrays(np.uint8, 9, elements=st.integers(0, 255)),
)
def test_a_row_comes_back_bit_by_bit(planes: np.ndarray, territory: np.ndarray, board: np.ndarray) -> None:
    code = np.full(most_code_bytes(len(planes) + len(territory)), 77, np.uint8)
    length = encode(planes, territory, board, code)
    assert length <= len(code)
    back, other = np.full_like(planes, 9), np.full_like(territory, 9)
    code[length:] = 55
    decode(code, 0, length, board, back, other)
    assert (back == planes).all()
    assert (other == territory).all()


def test_more_boards_than_numbers_are_still_coded() -> None:
    planes = np.zeros((300, 27), np.uint8)
    planes[:, 0], planes[:, 1] = np.arange(300) % 256, np.arange(300) // 256
    boards, which = np.zeros((MOST_BOARDS, 9), np.uint8), np.zeros(300, np.uint8)
    assert find_boards(planes, boards, 0, which) == MOST_BOARDS
    code, back, none = np.zeros(100, np.uint8), np.zeros(27, np.uint8), np.zeros(0, np.uint8)
    for row in range(300):
        decode(code, 0, encode(planes[row], none, boards[which[row]], code), boards[which[row]], back, none)
        assert (back == planes[row]).all()


def test_real_positions_take_a_sixth_of_their_bytes_or_less(games: list[StoredGame]) -> None:
    made = positions_of([game for game in games if game.ruleset == "standard"])
    planes = made.planes.reshape(len(made), -1)
    boards, which, code = (
        np.zeros((MOST_BOARDS, 121), np.uint8),
        np.zeros(len(made), np.uint8),
        np.zeros(4000, np.uint8),
    )
    find_boards(planes, boards, 0, which)
    sizes = [encode(planes[r], made.territory[r], boards[which[r]], code) for r in range(len(made))]
    assert np.mean(sizes) < 1573 / 6
