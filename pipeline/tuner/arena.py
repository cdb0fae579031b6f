"""The seam between the search and the games: who plays whom on which seeds, and what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self


class Player(Protocol):
    """A snake that is running and answers."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def close(self) -> None:
        """Stop it, if we started it, and free its folder. Harmless when repeated."""
        ...


@dataclass(frozen=True)
class Round:
    """One seed and the matches played on it, each from both seats."""

    seed: int
    matches: tuple[tuple[Player, Player], ...]


@dataclass(frozen=True)
class RoundResult:
    """A finished round."""

    seed: int
    scores: tuple[float, ...]
    """For each match the mean score of its first player over the two games: 0, 0.25, 0.5, 0.75 or 1."""
    games: int
    failed_games: int
    """Games in which a snake timed out, broke off or answered nonsense."""
    failures: tuple[str, ...] = ()
    """Whose failures and of which kind, in words."""


class Arena(Protocol):
    """Builds, starts and pits snakes against each other."""

    def player(self, name: str, config: str, abandon: Callable[[], bool]) -> Player:
        """Build and start our snake with this weights text.

        Raises:
            SnakeError: it does not build, start or answer; the message carries its own words.
            MachineError: no toolchain, no disk.
            Abandoned: `abandon` became true meanwhile.
        """
        ...

    def opponent(self, where: str, abandon: Callable[[], bool]) -> Player:
        """Reach the snake at a URL, or build and start the one in a folder. Raises as `player`."""
        ...

    def play(
        self, rounds: Sequence[Round], on_round: Callable[[RoundResult], bool], abandon: Callable[[], bool]
    ) -> None:
        """Play rounds, many games at once, until the last one, or until `on_round` returns True.

        `on_round` gets every round strictly in the order given, whichever finished first, so that a sequential test
        never sees short games earlier than long ones. Games in flight at the end are dropped.

        Raises:
            Abandoned: `abandon` became true meanwhile.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every snake started here and remove scratch copies."""
        ...
