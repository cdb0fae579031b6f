"""A board in the terminal, the same in plain text and in colour: a letter a snake, its head in capitals.

+--------------+        Each cell has two columns: what lies on it, and `~` where a hazard does (a digit where
| .  .  . *~ . |        several lie on each other). Where there is no room for that, one column.
| A  a  . ~~ . |        A border of dots: the board has no walls, it is wrapped.
+--------------+
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.text import Text

from schemas.outside_text import NAME_LIMIT, line

Cell = tuple[int, int]
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_COLOURS: Final = ("green", "magenta", "cyan", "yellow", "blue", "red", "bright_white", "bright_green")
_FOOD: Final = Style(color="bright_red", bold=True)
_HAZARD: Final = Style(bgcolor="grey35")
_FAINT: Final = Style(dim=True)
_LEGEND_COLUMNS: Final = 34
"""Beside the board from here on; on a narrower terminal the legend stands below it."""


@dataclass(frozen=True, slots=True)
class DrawnSnake:
    """A snake to be drawn; `body` head first, empty once it is dead."""

    name: str
    body: Sequence[Cell] = ()
    health: int = 0
    note: str = ""
    """What else is told of it."""


@dataclass(frozen=True, slots=True)
class DrawnBoard:
    """One turn of a game; renders to as many columns and lines as there are, or says how many it needs.

    Cells outside of the board (a snake that has left it) are not drawn. Where snakes meet, the first one is seen.
    """

    title: str
    width: int
    height: int
    snakes: Sequence[DrawnSnake]
    food: Sequence[Cell] = ()
    hazards: Sequence[Cell] = ()
    wrapped: bool = False
    footer: str = ""
    lines: int = 0
    """What there is of the terminal; 0: it may scroll."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it in the room there is now, so that a terminal may be resized meanwhile."""
        columns = options.max_width
        for cell_columns in (2, 1):
            drawn = self._drawn(cell_columns, columns)
            if max(text.cell_len for text in drawn) <= columns and (not self.lines or len(drawn) <= self.lines):
                yield from drawn
                return
        wide, high = drawn[1].cell_len, len(drawn)
        here = f"here are {columns}{f' and {self.lines}' if self.lines else ''}"
        yield Text(f"the board needs {wide} columns and {high} lines, {here}")

    def _drawn(self, cell_columns: int, columns: int) -> list[Text]:
        """Title, rows within their border, legend beside or below, footer."""
        rows = self._rows(cell_columns)
        legend = [self._legend(number) for number in range(len(self.snakes))]
        if rows[0].cell_len + 2 + _LEGEND_COLUMNS <= columns and len(legend) <= len(rows):
            room = columns - rows[0].cell_len - 2
            for row, told in zip(rows[1:], legend, strict=False):
                told.truncate(room, overflow="ellipsis")
                row.append("  ").append_text(told)
            legend = []
        for told in legend:
            told.truncate(columns, overflow="ellipsis")
        title, footer = (Text(line(text, NAME_LIMIT), no_wrap=True) for text in (self.title, self.footer))
        for told in (title, footer):
            told.truncate(columns, overflow="ellipsis")
        return [title, *rows, *legend, *([footer] if self.footer else [])]

    def _rows(self, cell_columns: int) -> list[Text]:
        marks = self._marks()
        layers = Counter(self.hazards)
        across, side = ("..", ":") if self.wrapped else ("--", "|")
        inner = self.width * cell_columns + (cell_columns - 1)
        border = Text("+" + (across * inner)[:inner] + "+", _FAINT, no_wrap=True)
        rows = [border]
        for y in range(self.height - 1, -1, -1):
            row = Text(no_wrap=True).append(side + " " * (cell_columns - 1), _FAINT)
            for x in range(self.width):
                mark, style = marks.get((x, y), ("", Style()))
                count = layers[x, y]
                hazard = "" if not count else "~" if count == 1 else str(min(count, 9))
                style = style + _HAZARD if count else style
                if cell_columns == 1:
                    row.append(mark or hazard or ".", style if mark or hazard else _FAINT)
                else:
                    row.append(mark or ("." if not count else hazard), style if mark or count else _FAINT)
                    row.append(hazard or " ", _HAZARD if count else Style())
            rows.append(row.append(side, _FAINT))
        return [*rows, border.copy()]

    def _marks(self) -> dict[Cell, tuple[str, Style]]:
        marks = dict.fromkeys(self.food, ("*", _FOOD))
        for number in reversed(range(len(self.snakes))):
            letter, style = _letter(number), _style(number)
            body = self.snakes[number].body
            marks.update({cell: (letter.lower(), style) for cell in reversed(body[1:])})
        for number in reversed(range(len(self.snakes))):
            if head := self.snakes[number].body[:1]:
                marks[head[0]] = (_letter(number), _style(number) + Style(bold=True, reverse=True))
        return marks

    def _legend(self, number: int) -> Text:
        snake = self.snakes[number]
        told = f"health {snake.health}, length {len(snake.body)}" if snake.body else "dead"
        text = Text(f"{_letter(number)} {line(snake.name, NAME_LIMIT)}", _style(number), no_wrap=True)
        return text.append(f"  {told}{f', {snake.note}' if snake.note else ''}", "not bold")


def _letter(number: int) -> str:
    return LETTERS[number % len(LETTERS)]


def _style(number: int) -> Style:
    return Style(color=_COLOURS[number % len(_COLOURS)])
