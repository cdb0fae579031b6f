"""The player kinds: number <-> name, and what each of them is."""

from typing import Final, NamedTuple

RANDOM: Final = 0
HUNGRY: Final = 1
AGGRESSIVE: Final = 2
TAIL_CHASER: Final = 3
VORONOI: Final = 4
STRONG: Final = 5
DEEP: Final = 6
FIRST_THINKER: Final = VORONOI
"""Kinds from here on think on bitboards and need a picture of the game."""


class PlayerKind(NamedTuple):
    """A kind of player: its number in arrays of kinds, its name, and what it does."""

    number: int
    name: str
    about: str


KINDS: Final = (
    PlayerKind(RANDOM, "random", "a random move that neither wall nor body forbids"),
    PlayerKind(HUNGRY, "hungry", "runs to the nearest food; minds nothing but walls and bodies"),
    PlayerKind(AGGRESSIVE, "aggressive", "grows, hunts the heads of shorter snakes and shuns those of longer ones"),
    PlayerKind(TAIL_CHASER, "tail_chaser", "circles behind its own tail, eats when it must"),
    PlayerKind(VORONOI, "voronoi", "one move ahead: territory, room, food and head-to-head risk, no replies tried"),
    PlayerKind(STRONG, "strong", "looks two turns ahead over its moves and the nearest opponent's replies"),
    PlayerKind(DEEP, "deep", "the same, up to four turns ahead in duels and two repliers in a crowd"),
)
_BY_NAME: Final = {kind.name: kind.number for kind in KINDS}


def kind_of(name: str) -> int:
    """Return the number of the player kind called `name`; KeyError, naming the known ones, if there is none."""
    if name not in _BY_NAME:
        raise KeyError(f"no player kind is called {name!r}; known are {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


def name_of(number: int) -> str:
    """Return the name of player kind `number`; KeyError if there is none."""
    if not 0 <= number < len(KINDS):
        raise KeyError(f"no player kind has number {number}; known are 0 to {len(KINDS) - 1}")
    return KINDS[number].name
