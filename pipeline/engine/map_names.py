"""The maps this engine plays: their ids, numbers and limits."""

from typing import Final, NamedTuple

from pipeline.engine.errors import UnknownMapError

NO_MAP: Final = 0
STANDARD: Final = 1
EMPTY: Final = 2
ROYALE_MAP: Final = 3
SNAIL_MODE: Final = 4


class MapLimits(NamedTuple):
    """A map's number in the record, the most snakes it takes, and its boards (none named: any)."""

    number: int
    most_snakes: int
    boards: tuple[tuple[int, int], ...] = ()


MAPS: Final[dict[str, MapLimits]] = {
    "standard": MapLimits(STANDARD, 16),
    "empty": MapLimits(EMPTY, 16),
    "royale": MapLimits(ROYALE_MAP, 16),
    "snail_mode": MapLimits(SNAIL_MODE, 16),
}


def map_limits(map_id: str) -> MapLimits:
    """Return what is known of a map.

    Raises:
        UnknownMapError: no such map, or one that this engine does not play.
    """
    if map_id not in MAPS:
        raise UnknownMapError(
            f"the map {map_id!r} is not played here", where="map", remedy=f"Choose one of {', '.join(MAPS)}."
        )
    return MAPS[map_id]
