"""`ouroboros play --watch`: the board of one game after the other, drawn while it is played."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import Progress

from pipeline.board_drawing import DrawnBoard, DrawnSnake

TURN_DELAY_S = 0.1
"""So long a turn stays to be looked at."""
REDRAWS_PER_S = 10
_PROGRESS_LINES = 2
"""Of the terminal, kept free: the progress and the cursor's own."""


class BoardWatch:
    """Draws what it is shown above the match's progress; a context manager.

    On a terminal the board is drawn anew in its place, in as much room as there is then. Elsewhere nothing moves:
    each game's last board is printed once.
    """

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console = console
        self._progress = progress
        self._board: DrawnBoard | None = None
        self._names: dict[str, str] = {}
        self._live = Live(
            get_renderable=self._picture, console=console, refresh_per_second=REDRAWS_PER_S, transient=True
        )

    def __enter__(self) -> "BoardWatch":
        """Begin to draw."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; the board goes, as the progress does."""
        self._live.stop()
        if not self._console.is_terminal:
            self._print()

    @property
    def turn_delay_s(self) -> float:
        """How long turns are to stay: not at all where nobody looks."""
        return TURN_DELAY_S if self._console.is_terminal else 0.0

    def show(self, body: bytes, causes: Sequence[str]) -> None:
        """Take a turn (see `pipeline.referee.game.Spectator`)."""
        told: dict[str, Any] = orjson.loads(body + b"null}")
        board, game = told["board"], told["game"]
        living = {snake["id"]: snake for snake in board["snakes"]}
        if told["turn"] == 0:
            self._print()
            self._names = {snake["id"]: snake["name"] for snake in board["snakes"]}
        snakes = [
            _snake(name, living.get(snake_id), cause)
            for (snake_id, name), cause in zip(self._names.items(), causes, strict=True)
        ]
        self._board = DrawnBoard(
            title=f"turn {told['turn']}, {game['ruleset']['name']} on map {game['map']}, game {game['id']}",
            width=board["width"],
            height=board["height"],
            snakes=snakes,
            food=_cells(board["food"]),
            hazards=_cells(board["hazards"]),
            wrapped=game["ruleset"]["name"] == "wrapped",
        )

    def _print(self) -> None:
        """Print the last board of a game where it would not stay otherwise."""
        if self._board is not None and not self._console.is_terminal:
            self._console.print(self._board)

    def _picture(self) -> RenderableType:
        progress = self._progress.get_renderable()
        if self._board is None:
            return progress
        return Group(replace(self._board, lines=max(self._console.height - _PROGRESS_LINES, 1)), progress)


def _snake(name: str, seen: dict[str, Any] | None, cause: str) -> DrawnSnake:
    if seen is None:
        return DrawnSnake(name, note=cause)
    latency = f"{seen['latency']} ms"
    return DrawnSnake(name, _cells(seen["body"]), seen["health"], latency)


def _cells(points: Sequence[dict[str, int]]) -> list[tuple[int, int]]:
    return [(point["x"], point["y"]) for point in points]
