"""A board in the terminal: plain and in colour, in much room and little."""

import io
import re

import pytest
from rich.console import Console

from pipeline.board_drawing import DrawnBoard, DrawnSnake

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
SNAKES = [DrawnSnake("first", [(0, 0), (1, 0), (1, 1)], 90), DrawnSnake("dead", note="wall-collision on turn 3")]
BOARD = DrawnBoard("turn 7", 3, 2, SNAKES, food=[(2, 1)], hazards=[(2, 0), (2, 1), (2, 1), (1, 0)])


def drawn(board: DrawnBoard, width: int = 80, colours: bool = False) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colours, color_system="standard" if colours else None).print(board)
    return out.getvalue().splitlines()


def test_a_board_in_plain_text() -> None:
    assert [row.rstrip() for row in drawn(BOARD)] == [
        "turn 7",
        "+-------+",
        "| . a *2|  A first  health 90, length 3",
        "| A a~~~|  B dead  dead, wall-collision on turn 3",
        "+-------+",
    ]


def test_in_colour_it_says_the_same() -> None:
    coloured = drawn(BOARD, colours=True)
    assert any("\x1b[" in row for row in coloured)
    assert [ESCAPES.sub("", row).rstrip() for row in coloured] == [row.rstrip() for row in drawn(BOARD)]


@pytest.mark.parametrize("width", [80, 40, 12, 8, 5, 4, 1])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    rows = drawn(BOARD, width)
    assert all(len(row.rstrip()) <= width for row in rows)
    assert ("needs5columns" in re.sub(r"\s", "", "".join(rows))) is (width < 5)


def test_narrow_terminals_get_narrow_cells_and_short_ones_a_sentence() -> None:
    assert [row.rstrip() for row in drawn(BOARD, 8)][1:5] == ["+---+", "|.a*|", "|Aa~|", "+---+"]
    short = DrawnBoard("turn 7", 3, 2, SNAKES, lines=4)
    assert drawn(short)[0].strip() == "the board needs 5 columns and 5 lines, here are 80 and 4"


def test_a_wrapped_board_has_no_walls_and_snakes_of_every_number_a_letter_of_their_own() -> None:
    many = [DrawnSnake(f"s{n}", [(n, 0), (n, 1)], 9) for n in range(8)]
    rows = drawn(DrawnBoard("", 8, 2, many, wrapped=True))
    assert rows[1].startswith("+..")
    assert rows[3].startswith(": A B C D E F G H :")
    assert [row.split()[0] for row in rows[-8:]] == list("ABCDEFGH"), "more snakes than rows: below the board"


def test_cells_off_the_board_are_not_drawn_and_the_first_snake_is_seen_where_two_lie() -> None:
    snakes = [DrawnSnake("out", [(-1, 0), (0, 0)], 1), DrawnSnake("under", [(0, 0), (1, 0)], 1)]
    assert drawn(DrawnBoard("t", 2, 1, snakes))[2].startswith("| B b |")
    beaten = [DrawnSnake("a", [(0, 0)], 1), DrawnSnake("b", [(0, 0)], 1)]
    assert drawn(DrawnBoard("t", 2, 1, beaten))[2].startswith("| A . |")
