"""One game's board: the engine's record played turn by turn, and its text for the wire. The referee's only door
to the engine."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from pipeline.engine import Game, layout
from pipeline.engine.turn import play_turn
from pipeline.referee.board_writer import write_board
from pipeline.referee.conditions import Conditions
from pipeline.referee.schedule import GameSpec


class Arena:
    """A game set up from its spec, about to be played.

    Raises:
        GameStateError: unknown ruleset or map, or one that cannot take this board or number of snakes.
    """

    def __init__(self, spec: GameSpec, conditions: Conditions) -> None:
        numbers = conditions.numbers
        seats = len(spec.seats)
        game = Game.new(
            conditions.width,
            conditions.height,
            [spec.snake_id(seat) for seat in range(seats)],
            ruleset=conditions.ruleset,
            map_id=conditions.map_id,
            settings={
                "damagePerTurn": numbers.hazard_damage_per_turn,
                "foodSpawnChance": numbers.food_spawn_chance,
                "minimumFood": numbers.minimum_food,
                "shrinkEveryNTurns": numbers.shrink_every_n_turns,
            },
            seed=spec.seed,
            solo=seats == 1,
        )
        self._words, self._cells, self._longs, self._corpses = game.records
        self._row = self._words[0]
        self._moves: Final = np.zeros((1, seats), np.uint8)
        self._path: Final = np.zeros(conditions.width * conditions.height + 2, np.int16)
        self._marks: Final = np.zeros(seats + 2, np.int64)
        self._make_room(4096)
        self.turn = 0

    @property
    def over(self) -> bool:
        """Whether the rules have ended the game."""
        return bool(self._row[layout.OVER])

    def segments(self, *, dead_too: bool = False) -> list[memoryview]:
        """Return the board's text as it stands, see `board_writer`; valid until the next call of this or `play`."""
        while needed := write_board(
            self._words, self._cells, self._corpses, 0, dead_too, self._path, self._text, self._marks
        ):
            self._make_room(2 * needed)
        view, start, pieces = self._view, 0, []
        for end in self._marks.tolist():
            pieces.append(view[start:end])
            start = end
        return pieces

    def play(self, moves: Sequence[int]) -> list[memoryview]:
        """Play one turn and return the new board's text; `moves[seat]` is read for living snakes."""
        self._moves[0] = moves
        play_turn(self._words, self._cells, self._longs, self._corpses, self._moves, 0)
        self.turn += 1
        return self.segments()

    def death(self, seat: int) -> tuple[str, int | None, int | None]:
        """Return why a snake died, the killer's seat and the turn: ("", None, None) while it lives."""
        at = layout.HEADER + seat * layout.SNAKE_WORDS
        cause = layout.CAUSE_WORDS[int(self._row[at + layout.CAUSE])]
        if not cause:
            return "", None, None
        killer = int(self._row[at + layout.KILLER])
        return cause, killer if killer >= 0 else None, int(self._longs[0, layout.LONGS + seat])

    def length(self, seat: int) -> int:
        """Return the number of a snake's body entries, stacked ones included."""
        return int(self._row[layout.HEADER + seat * layout.SNAKE_WORDS + layout.LENGTH])

    def _make_room(self, size: int) -> None:
        self._text = np.zeros(size, np.uint8)
        self._view = memoryview(self._text.data)


def rehearse(spec: GameSpec, conditions: Conditions) -> None:
    """Play one turn without snakes: compiled code is loaded before any clock runs, and bad conditions show now.

    Raises:
        GameStateError: as `Arena`.
    """
    arena = Arena(spec, conditions)
    arena.segments()
    if not arena.over:
        arena.play([0] * len(spec.seats))
