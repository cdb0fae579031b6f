"""The maps of the official registry: their ids, numbers and limits."""

from typing import Final, NamedTuple

from pipeline.engine.map_pictures import PICTURES
from schemas.errors import GameStateError

STANDARD: Final = 1
EMPTY: Final = 2
ROYALE_MAP: Final = 3
SNAIL_MODE: Final = 4
INNER_WALL: Final = 5
RINGS: Final = 6
COLUMNS: Final = 7
SPIRAL: Final = 8
SCATTER: Final = 9
GROW_BOX: Final = 10
EXPAND_BOX: Final = 11
EXPAND_SCATTER: Final = 12
HAZARD_PITS: Final = 13
HEALING_POOLS: Final = 14
SINKHOLES: Final = 15
FIRST_PICTURE: Final = 16  # maps from here on have a picture, in the order of `map_pictures.PICTURES`
CASTLE_XL: Final = 18
FIRST_RIVERS: Final = 19
ARCADE_MAZE: Final = 24
SOLO_MAZE: Final = 25
LAST_MAP: Final = 25


class UnknownMapError(GameStateError):
    """No such map, or one that this engine does not play; the message names those it plays."""


class MapLimits(NamedTuple):
    """A map's number in the record, the most snakes it takes, its boards (none named: any) and its least side."""

    number: int
    most_snakes: int
    boards: tuple[tuple[int, int], ...] = ()
    least_side: int = 0

    @property
    def minds_corpses(self) -> bool:
        """Whether food keeps off the dead too, so that their bodies must be kept."""
        return FIRST_PICTURE <= self.number < FIRST_RIVERS or self.number == ARCADE_MAZE


_POOL_BOARDS: Final = ((7, 7), (11, 11), (19, 19))
_MOST_SNAKES_OF_PICTURES: Final = (8, 8, 12, 8, 12, 12, 4, 16, 6)


def _pictured() -> dict[str, MapLimits]:
    limits = {}
    for index, (name, picture) in enumerate(PICTURES.items()):
        rows = picture.split()
        boards = ((len(rows[0]), len(rows)),)
        limits[name] = MapLimits(FIRST_PICTURE + index, _MOST_SNAKES_OF_PICTURES[index], boards)
    return limits


MAPS: Final[dict[str, MapLimits]] = {
    "standard": MapLimits(STANDARD, 16),
    "empty": MapLimits(EMPTY, 16),
    "royale": MapLimits(ROYALE_MAP, 16),
    "snail_mode": MapLimits(SNAIL_MODE, 16),
    "hz_inner_wall": MapLimits(INNER_WALL, 16, least_side=4),
    "hz_rings": MapLimits(RINGS, 16),
    "hz_columns": MapLimits(COLUMNS, 16),
    "hz_spiral": MapLimits(SPIRAL, 16),
    "hz_scatter": MapLimits(SCATTER, 16),
    "hz_grow_box": MapLimits(GROW_BOX, 16, least_side=4),
    "hz_expand_box": MapLimits(EXPAND_BOX, 16, least_side=4),
    "hz_expand_scatter": MapLimits(EXPAND_SCATTER, 16),
    "hz_hazard_pits": MapLimits(HAZARD_PITS, 4, ((11, 11),)),
    "healing_pools": MapLimits(HEALING_POOLS, 8, _POOL_BOARDS),
    "sinkholes": MapLimits(SINKHOLES, 8, _POOL_BOARDS),
    **_pictured(),
    "solo_maze": MapLimits(SOLO_MAZE, 1, (*_POOL_BOARDS, (19, 21), (25, 25))),
}


def map_limits(map_id: str) -> MapLimits:
    """Return what is known of a map.

    Raises:
        UnknownMapError: no such map, or one that this engine does not play.
    """
    if not isinstance(map_id, str) or map_id not in MAPS:
        raise UnknownMapError(
            f"the map {map_id!r} is not played here", where="map", remedy=f"Choose one of {', '.join(MAPS)}."
        )
    return MAPS[map_id]
