"""A game of the referee, told turn by turn to whoever looks at the pages."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from pipeline.live_games import ToldGames
from schemas.game import GameLogFrame


class LiveSpectator:
    """A `Spectator` of one game: make one for each that `ToldGames.wanted` lets be told. It makes no game wait.

    Args:
        games: where they are told.
        about: what the game is for.
        names: by seat; None: as the snakes are called in the game.
    """

    def __init__(self, games: ToldGames, about: str, names: Sequence[str] | None = None) -> None:
        self._games, self._about, self._names = games, about, names
        self._seats: dict[str, int] = {}
        self._food: list[int] | None = None
        self._hazards: list[int] | None = None

    def shown(self, body: bytes, causes: Sequence[str], go_on: Callable[[], None]) -> None:
        """See `Spectator`."""
        self.show(body, causes)
        go_on()

    def show(self, body: bytes, causes: Sequence[str]) -> None:
        """Tell a turn."""
        told: dict[str, Any] = orjson.loads(body + b"null}")
        game, board = told["game"], told["board"]
        if not self._seats:
            self._begin(game, board)
        if not self._games.is_showing(game["id"]):
            return
        self._games.turn(self._frame(told["turn"], board, whole=told["turn"] == 0))
        if len(board["snakes"]) < min(2, len(causes)):
            self._games.end(causes)

    def _begin(self, game: dict[str, Any], board: dict[str, Any]) -> None:
        self._seats = {snake["id"]: seat for seat, snake in enumerate(board["snakes"])}
        names = self._names or [snake["name"] for snake in board["snakes"]]
        rules, size = (game["ruleset"]["name"], game["map"]), (board["width"], board["height"])
        self._games.begin(game["id"], self._about, rules, size, names)

    def _frame(self, turn: int, board: dict[str, Any], *, whole: bool) -> GameLogFrame:
        snakes = [(self._seats[snake["id"]], snake) for snake in board["snakes"]]
        bodies = [(seat, _flat(snake["body"])) for seat, snake in snakes]
        food, hazards = _flat(board["food"]), _flat(board["hazards"])
        frame = GameLogFrame(
            t=turn,
            s=[
                (seat, snake["health"], len(body) // 2, body[0], body[1])
                for (seat, snake), (_, body) in zip(snakes, bodies, strict=True)
            ],
            b=bodies if whole else None,
            f=food if food != self._food else None,
            z=hazards if hazards != self._hazards else None,
            l=[(seat, int(one["latency"])) for seat, one in snakes] if turn else None,
        )  # fmt: skip
        self._food, self._hazards = food, hazards
        return frame


def _flat(cells: list[dict[str, int]]) -> list[int]:
    return [number for cell in cells for number in (cell["x"], cell["y"])]
