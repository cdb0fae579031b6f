"""One game of a batch, shown turn by turn to whoever looks at the pages."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.layout import ALIVE_CAUSE, CAUSE_WORDS, Records
from pipeline.engine.players.match import GameConditions
from pipeline.engine.state_reading import read_state_back
from pipeline.live_games import LiveGames
from schemas.game import GameLogFrame


class GameWatch:
    """Follows one slot of a batch from a game's start to its end, while somebody looks; then another game.

    Args:
        live: where it is shown.
        about: what the games are for.
        name_of: what a seating's number is called.
        conditions: of every game.
    """

    def __init__(self, live: LiveGames, about: str, name_of: Callable[[int], str], conditions: GameConditions) -> None:
        self._live, self._about, self._name_of = live, about, name_of
        self._conditions: Final = conditions
        self._slot: int | None = None
        self._game_id = ""

    def seated(self, records: Records, slot: int, seating: NDArray[np.uint8]) -> None:
        """A game begins in this slot: it is the one that is shown, where one is wanted.

        Args:
            seating: uint8[seats], the player in each.
        """
        if self._slot is not None or not self._live.wanted():
            return
        self._slot, self._game_id = slot, f"seed {int(records.clock[slot, layout.SEED])}"
        told, names = self._conditions, [self._name_of(player) for player in seating.tolist()]
        self._live.begin(self._game_id, self._about, (told.ruleset, told.map_id), (told.width, told.height), names)
        self._tell(records, slot, whole=True)

    def turn(self, records: Records) -> None:
        """A turn of all games was played; where a game has ended, before the next one takes its slot."""
        if self._slot is None:
            return
        if not self._live.is_showing(self._game_id):  # the disk refused
            self._slot = None
            return
        self._tell(records, self._slot, whole=False)
        if records.fields[self._slot, layout.OVER] or self._cut_off(records):
            self._live.end(_causes(records, self._slot))
            self._slot = None

    def let_go(self) -> None:
        """The games are others now: the one that was shown has no end."""
        if self._slot is not None and self._live.is_showing(self._game_id):
            self._live.drop()
        self._slot = None

    def _cut_off(self, records: Records) -> bool:
        return bool(records.clock[self._slot, layout.TURN] >= self._conditions.most_turns)

    def _tell(self, records: Records, slot: int, *, whole: bool) -> None:
        seats = int(records.fields[slot, layout.SNAKES])
        state = read_state_back(records, slot, [str(seat) for seat in range(seats)])
        living = [(int(snake["id"]), snake) for snake in state["snakes"] if "cause" not in snake]
        self._live.turn(
            GameLogFrame(
                t=state["turn"],
                s=[(seat, snake["health"], len(snake["body"]), *snake["body"][0]) for seat, snake in living],
                b=[(seat, _flat(snake["body"])) for seat, snake in living] if whole else None,
                f=_flat(state["food"]),
                z=_flat(state["hazards"]),
            )
        )


def _causes(records: Records, slot: int) -> list[str]:
    blocks: Any = records.fields[slot, layout.HEADER :].tolist()
    seats = int(records.fields[slot, layout.SNAKES])
    causes = [blocks[seat * layout.SNAKE_FIELDS + layout.CAUSE] for seat in range(seats)]
    return ["" if cause == ALIVE_CAUSE else CAUSE_WORDS[cause] for cause in causes]


def _flat(cells: list[list[int]]) -> list[int]:
    return [number for cell in cells for number in cell]
