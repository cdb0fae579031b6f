"""A player's games one by one, as custom analysis functions get them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.arena.arena import Finished
from pipeline.engine.layout import CAUSE_WORDS
from pipeline.engine.tape_reading import TapeReader


@dataclass(frozen=True, slots=True)
class GameResult:
    """One finished game, seen from the judged player's seat.

    players, ranks, causes, deaths, lengths: seat by seat; ranks: 1 = best, shared by those who died on one turn;
    causes: "" = alive; deaths: the turn, 0 = alive. share: of the first place, 1 alone, 1/k of k. tape: the whole game.
    """

    seed: int
    seat: int
    players: tuple[str, ...]
    turns: int
    share: float
    ranks: tuple[int, ...]
    causes: tuple[str, ...]
    deaths: tuple[int, ...]
    lengths: tuple[int, ...]
    cut_off: bool
    tape: bytes

    @property
    def won(self) -> bool:
        """Whether the player was the sole winner."""
        return self.share == 1

    def states(self) -> Iterator[dict[str, Any]]:
        """Yield the board before the first turn and after each, snakes called s0, s1, ... by seat."""
        return TapeReader(self.tape).states()


def results_of(finished: Finished, names: tuple[str, ...], player: int) -> list[GameResult]:
    """Return the games of `player` (an index as in `finished.seatings`, `names` by the same), from its first seat.

    The games must have kept their tapes.
    """
    shares, cut_off = finished.shares, finished.cut_off
    return [
        GameResult(
            seed=int(finished.seeds[game]),
            seat=finished.seatings[game].tolist().index(player),
            players=tuple(names[index] for index in finished.seatings[game].tolist()),
            turns=int(finished.turns[game]),
            share=float(shares[game, finished.seatings[game].tolist().index(player)]),
            ranks=tuple(finished.ranks[game].tolist()),
            causes=tuple(CAUSE_WORDS[cause] for cause in finished.causes[game].tolist()),
            deaths=tuple(finished.deaths[game].tolist()),
            lengths=tuple(finished.lengths[game].tolist()),
            cut_off=bool(cut_off[game]),
            tape=finished.tapes[game],
        )
        for game in range(len(finished.seeds))
        if player in finished.seatings[game]
    ]
