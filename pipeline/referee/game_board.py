"""One game's board: the engine's record played turn by turn, and its text for the wire. The referee's only door
to the engine."""

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.engine import Game, layout
from pipeline.referee.board_writer import play_and_write, write_bodies
from pipeline.referee.protocol import Identity, fixed_texts, game_object
from pipeline.referee.schedule import MatchConditions, ScheduledGame


class Bodies(NamedTuple):
    """The request bodies of one turn: that of a seat is `common` and then its own part."""

    common: bytes
    own: list[memoryview]
    """By seat; valid until the next are written."""
    asked: list[int]
    """The seats that have a body: the living, and at the end the dead too."""


class GameBoard:
    """A game set up from its spec, about to be played.

    Args:
        names, identities: of the snakes, by seat.

    Raises:
        GameStateError: unknown ruleset or map, or one that cannot take this board or number of snakes.
    """

    def __init__(
        self, spec: ScheduledGame, conditions: MatchConditions, names: Sequence[str], identities: Sequence[Identity]
    ) -> None:
        seats = len(spec.seats)
        self.snake_ids = tuple(spec.snake_id(seat) for seat in range(seats))
        game = _new_game(spec, conditions, self.snake_ids)
        self._game = game.records.game(0)
        self._row = self._game.fields
        self._over = memoryview(self._row.data)[layout.OVER : layout.OVER + 1]
        self.moves = bytearray(seats)
        """What `play` plays, by seat, as `protocol.MOVES` has it; a dead snake's is not read."""
        self.latencies_ms = array("q", [0] * seats)
        """Whole milliseconds of each snake's last answer, to be told in the bodies."""
        self._moves = np.frombuffer(self.moves, np.uint8)
        self.game = game_object(spec.game_id, conditions)
        """The `game` object of every body."""
        texts = fixed_texts(self.game, conditions, list(zip(self.snake_ids, names, identities, strict=True)))
        self._path = np.zeros(conditions.width * conditions.height + 2, np.int16)
        self._marks = np.zeros(2 * seats + 1, np.int64)
        self._ends = memoryview(self._marks.data)[: seats + 1]
        self._fixed = (
            np.frombuffer(b"".join(texts), np.uint8),
            np.cumsum([len(text) for text in texts], dtype=np.int64),
            np.frombuffer(self.latencies_ms, np.int64),
            self._path,
        )
        self._make_room(4096)
        self.turn = 0

    @property
    def over(self) -> bool:
        """Whether the rules have ended the game."""
        return bool(self._over[0])

    def bodies(self, *, at_end: bool = False) -> Bodies:
        """Return the bodies of the board as it stands; `at_end`: for the dead too, `you` with its latency."""
        while needed := write_bodies(self._game, at_end, *self._fixed, self._text, self._marks):
            self._make_room(2 * needed)
        return self._cut()

    def play(self) -> Bodies:
        """Play one turn by `moves` and return the new board's bodies."""
        self.turn += 1
        if needed := play_and_write(self._game, self._moves, *self._fixed, self._text, self._marks):
            self._make_room(2 * needed)
            return self.bodies()
        return self._cut()

    def death(self, seat: int) -> tuple[str, int | None, int | None]:
        """Return why a snake died, the killer's seat and the turn: ("", None, None) while it lives."""
        at = layout.HEADER + seat * layout.SNAKE_FIELDS
        cause = layout.CAUSE_WORDS[int(self._row[at + layout.CAUSE])]
        if not cause:
            return "", None, None
        killer = int(self._row[at + layout.KILLER])
        return cause, killer if killer >= 0 else None, int(self._game.clock[layout.DEATHS + seat])

    def length(self, seat: int) -> int:
        """Return the number of a snake's body entries, stacked ones included."""
        return int(self._row[layout.HEADER + seat * layout.SNAKE_FIELDS + layout.LENGTH])

    def _cut(self) -> Bodies:
        view = self._view
        start, *ends = self._ends.tolist()
        common, own, asked = bytes(view[:start]), [], []
        for seat, end in enumerate(ends):
            own.append(view[start:end])
            if end > start:
                asked.append(seat)
            start = end
        return tuple.__new__(Bodies, (common, own, asked))  # a third of the time of Bodies()

    def _make_room(self, size: int) -> None:
        self._text = np.zeros(size, np.uint8)
        self._view = memoryview(self._text.data)


def _new_game(spec: ScheduledGame, conditions: MatchConditions, snake_ids: Sequence[str]) -> Game:
    numbers = conditions.numbers
    return Game.new(
        conditions.width,
        conditions.height,
        snake_ids,
        ruleset=conditions.ruleset,
        map_id=conditions.map_id,
        settings={
            "damagePerTurn": numbers.hazard_damage_per_turn,
            "foodSpawnChance": numbers.food_spawn_chance,
            "minimumFood": numbers.minimum_food,
            "shrinkEveryNTurns": numbers.shrink_every_n_turns,
        },
        seed=spec.seed,
        solo=len(snake_ids) == 1,
    )


def rehearse(spec: ScheduledGame, conditions: MatchConditions) -> None:
    """Play one turn without snakes: compiled code is loaded before any clock runs, and bad conditions show now.

    Raises:
        GameStateError: as `GameBoard`.
    """
    seats = len(spec.seats)
    board = GameBoard(spec, conditions, [""] * seats, [Identity()] * seats)
    board.bodies()
    if not board.over:
        board.play()
