"""The maps this engine plays: their ids, numbers and limits."""

from typing import Final, NamedTuple

NO_MAP: Final = 0
STANDARD: Final = 1
EMPTY: Final = 2
ROYALE_MAP: Final = 3


class MapLimits(NamedTuple):
    """What a map can be played with."""

    number: int
    most_snakes: int
    boards: tuple[tuple[int, int], ...]  # empty: any


MAPS: Final[dict[str, MapLimits]] = {
    "standard": MapLimits(STANDARD, 16, ()),
    "empty": MapLimits(EMPTY, 16, ()),
    "royale": MapLimits(ROYALE_MAP, 16, ()),
}
