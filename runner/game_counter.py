"""Counts production games beside the loop, and tells of files that it cannot read."""

from datetime import datetime
from pathlib import Path

from runner.flow.runtime import Runtime
from runner.notify import messages
from runner.store import heartbeat
from runner.triggers.games_folder import count_new_games
from schemas.outside_text import REASON_LIMIT, line

LOOP = "games"
COUNT_INTERVAL_S = 15.0
"""How stale the count of production games may be that executions note and `min_data_threshold` reads."""


class GameCounter:
    """One `turn` counts what has arrived since the last one."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._told: list[str] = []

    def turn(self) -> float:
        """Count; seconds until the next turn.

        Raises:
            StateError: the database cannot be used.
            OSError: the folder cannot be read.
        """
        unreadable: list[str] = []

        def note(path: Path, error: OSError) -> None:
            unreadable.append(line(f"{path}: {error.strerror}"))

        now = self._runtime.clock.now()
        count_new_games(self._runtime.store, self._runtime.settings.games_dir, now, note)
        if unreadable and unreadable != self._told:
            self._tell(unreadable, now)
        self._told = unreadable
        return COUNT_INTERVAL_S

    def _tell(self, unreadable: list[str], now: datetime) -> None:
        """A row, and a message a day at most."""
        files = "; ".join(unreadable)
        text = line(f"games are not counted while their files cannot be read: {files}", REASON_LIMIT)
        message = messages.alert(
            subject="production games cannot be read",
            detail=text,
            advice="Let the daemon's user read them; what they hold is counted then.",
            key=f"games-{now:%Y%m%d}",
            settings=self._runtime.settings.notifications,
            now=now,
        )
        with self._runtime.store.write() as session:
            heartbeat.loop_error(session, LOOP, text, now)
            self._runtime.notifier.put(session, message, now)
