"""A machine too busy to measure on: noticed by time-outs on both sides at once, answered by a pause that is told.

Games played while every snake is late say nothing of the snakes. Nothing is widened for them and none are left out;
the run waits until the machine has calmed down, and ends with a clear sentence if it does not.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence

from pipeline.tuner.jobs import GameResult, MatchJob
from schemas.errors import MachineError

WINDOW_GAMES = 60
"""The last games that are looked at."""
NOISY_SHARE = 0.1
"""Share of them in which each of two sides was late."""
FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 600.0
MOST_PAUSES = 6
"""So many in a row, each longer than the one before, before the run gives up (about half an hour)."""
_POLL_S = 0.1


class NoiseWatch:
    """Looks at every finished game.

    Args:
        tell: told of every pause, and of its end.
        sleep: waits so many seconds.
    """

    def __init__(self, tell: Callable[[str], None], sleep: Callable[[float], None] = time.sleep) -> None:
        self._tell, self._sleep = tell, sleep
        self._late: deque[frozenset[int]] = deque(maxlen=WINDOW_GAMES)
        self._pauses = 0

    def see(self, games: Sequence[tuple[MatchJob, GameResult]]) -> None:
        """Count finished games."""
        for _, game in games:
            seats = zip(game.failures, game.rotation, strict=True)
            self._late.append(frozenset(who for failure, who in seats if failure == "timeout"))
        if len(self._late) == WINDOW_GAMES and not any(self._late):
            self._pauses = 0

    @property
    def noisy(self) -> bool:
        """Whether both sides were late in too many of the last games."""
        if len(self._late) < WINDOW_GAMES:
            return False
        limit = NOISY_SHARE * WINDOW_GAMES
        return all(sum(who in late for late in self._late) > limit for who in (0, 1))

    def pause(self, stop: Callable[[], bool]) -> None:
        """Wait, if the machine is noisy, longer each time; `stop` ends the wait.

        Raises:
            MachineError: it has not become quieter after `MOST_PAUSES`.
        """
        if not self.noisy:
            return
        self._pauses += 1
        if self._pauses > MOST_PAUSES:
            raise MachineError(
                f"the snakes on both sides run out of time, and {MOST_PAUSES} pauses did not help",
                where=f"the last {WINDOW_GAMES} games",
                remedy="End what else keeps the machine busy, raise timeout_ms, or play fewer games at once.",
            )
        wait_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self._pauses - 1))
        self._tell(
            f"⚠ Both sides ran out of time in over {NOISY_SHARE:.0%} of the last {WINDOW_GAMES} games: the machine is "
            f"too busy. Pausing for {wait_s:.0f} s; what was played stays as it is."
        )
        waited = 0.0
        while waited < wait_s and not stop():
            self._sleep(_POLL_S)
            waited += _POLL_S
        self._late.clear()
        self._tell("Going on after the pause.")
