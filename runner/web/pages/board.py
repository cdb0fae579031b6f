"""A board as SVG: what a browser without scripts sees, and what `board.js` then draws anew turn by turn."""

from markupsafe import Markup

from runner.web.read.board import Cell, Piece, ShownBoard
from schemas.game import GameLog

COLOURS = 8


def draw_board(log: GameLog, board: ShownBoard, names: list[str], name: str = "board") -> Markup:
    """The board of one turn; y grows upward. A body that crosses the edge of a wrapped board is drawn in parts.

    Args:
        name: the element's id.
    """
    parts = [
        Markup('<rect class="cell" x="{}" y="{}" width="0.94" height="0.94" rx="0.08"/>').format(x + 0.03, y + 0.03)
        for y in range(log.height)
        for x in range(log.width)
    ]
    for cell in dict.fromkeys(board.hazards):
        x, y = _corner(log, cell)
        shade = min(0.75, 0.28 + 0.12 * (board.hazards.count(cell) - 1))
        parts.append(
            Markup('<rect class="hazard" x="{}" y="{}" width="0.94" height="0.94" rx="0.08" opacity="{}"/>').format(
                x + 0.03, y + 0.03, round(shade, 2)
            )
        )
    for cell in board.food:
        x, y = _corner(log, cell)
        parts.append(Markup('<circle class="food" cx="{}" cy="{}" r="0.24"/>').format(x + 0.5, y + 0.5))
    parts += [_snake(log, piece) for piece in board.pieces]
    told = ", ".join(
        f"{names[piece.snake]} at {piece.head[0]}, {piece.head[1]}, length {len(piece.body)}, health {piece.health}"
        for piece in board.pieces
    )
    return Markup('<svg class="board" id="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        name, log.width, log.height, f"Turn {board.turn}: {told or 'no snake lives'}", Markup("").join(parts)
    )


def _corner(log: GameLog, cell: Cell) -> Cell:
    return cell[0], log.height - 1 - cell[1]


def _snake(log: GameLog, piece: Piece) -> Markup:
    path = ""
    before: Cell | None = None
    for cell in piece.body:
        x, y = _corner(log, cell)
        joined = before is not None and abs(before[0] - x) + abs(before[1] - y) <= 1
        path += f"{'L' if joined else 'M'}{x + 0.5} {y + 0.5}"
        if not joined:
            path += "h0.001"
        before = (x, y)
    x, y = _corner(log, piece.head)
    return Markup(
        '<g class="s{}"><path class="body" d="{}" stroke-width="{}"/><circle class="head" cx="{}" cy="{}" r="0.42"/>'
        '<circle class="eye" cx="{}" cy="{}" r="0.12"/></g>'
    ).format(piece.snake % COLOURS, path, 0.6, x + 0.5, y + 0.5, x + 0.5, y + 0.42)
