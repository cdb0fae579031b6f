"""Who plays the games: one contract, several backends.

`http` plays any snake, `inprocess` a Go snake that links our arena package, `simulated` a known landscape. Which one
plays changes the speed and nothing else: the same job gives the same games, as long as the snakes themselves are
deterministic. `tests/pipeline/tuner/backends` holds them all to that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.tuner.jobs import GameResult, JobFailure, MatchJob


@dataclass(frozen=True, slots=True)
class GameOrder:
    """One game of a job."""

    job: MatchJob
    number: int
    """Its place in `job.games`."""


@dataclass(frozen=True, slots=True)
class PlayedGame:
    """A game that has ended, or the reason why its job cannot be played."""

    job_id: str
    number: int
    result: GameResult | JobFailure


class Backend(Protocol):
    """Plays games. Not for use from two threads at once."""

    @property
    def name(self) -> str:
        """`http`, `inprocess` or `simulated`."""
        ...

    @property
    def notice(self) -> str:
        """Which backend this is, why, and what that costs, in a sentence for the run's log."""
        ...

    @property
    def capacity(self) -> int:
        """Games worth having under way: enough to keep every core busy."""
        ...

    def begin(self, orders: Sequence[GameOrder]) -> None:
        """Start games, and the snakes that they need; returns at once.

        Raises:
            MachineError: no toolchain, no disk.
        """
        ...

    def finished(self, timeout_s: float) -> list[PlayedGame]:
        """The games that ended since the last call, in any order; waits for one at most so long.

        Raises:
            MachineError, EvaluationError: the backend itself cannot go on.
        """
        ...

    def drop(self, job_id: str) -> None:
        """Nobody wants the games of this job any more; those under way may end unseen."""
        ...

    def close(self) -> None:
        """Drop everything, stop every snake that was started here, remove scratch copies. Harmless when repeated."""
        ...
