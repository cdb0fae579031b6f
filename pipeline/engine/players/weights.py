"""What the thinking players go by: one row of integers per kind, each documented here.

Values are in points; 1000 points are one whole board of territory in a duel. All arithmetic is on integers,
so that a value is the same on every machine and under every symmetry of the board.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.players.kinds import DEEP, KINDS, STRONG, VORONOI

# name, default, meaning
TABLE: Final[tuple[tuple[str, int, str], ...]] = (
    ("turns_duel", 1, "turns looked ahead against one opponent"),
    ("turns_crowd", 1, "turns looked ahead against several"),
    ("turns_alone", 1, "turns looked ahead with nobody else alive"),
    (
        "repliers",
        0,
        "nearest opponents whose every reply is tried, 0 to 2; all others go everywhere at once",
    ),
    ("reply_radius", 6, "cells; opponents farther away than this are not moved"),
    ("pessimism_duel", 100, "percent; weight of the worst reply in a duel, the rest goes to the mean of all replies"),
    ("pessimism_crowd", 70, "percent; the same in a crowd"),
    ("death", 20000, "points lost by dying"),
    ("win", 20000, "points gained by outliving everybody"),
    ("draw", -9000, "points for the last snakes dying together"),
    ("kill", 300, "points for each opponent that dies while others live on"),
    ("delay", 40, "points per turn; for dying later and for winning sooner"),
    ("area_duel", 1000, "points for the whole board; ground I reach first less ground the opponent does"),
    ("area_crowd", 1000, "points for the whole board; my ground in a crowd"),
    ("rival_area_crowd", 350, "points for the whole board; all others' ground in a crowd"),
    ("edge_discount", 3, "sixteenths taken off a spot on the edge"),
    ("hazard_discount", 8, "sixteenths taken off a spot with hazards that hurt"),
    ("room_need", 16, "sixteenths of a spot needed per body entry"),
    ("room_shortage", 1500, "points lost with no room at all, in proportion while some is lacking"),
    ("tail_relief", 70, "percent of a shortage forgiven when I reach my own tail"),
    ("trap", 1200, "points gained when the opponent in a duel has no room at all, in proportion"),
    ("no_exit", 2000, "points lost when my head can go nowhere"),
    ("one_exit", 50, "points lost when my head can go one way only"),
    ("risk", 1200, "points lost on a spot where a head at least as long may meet mine"),
    ("prey", 60, "points gained on a spot where a shorter head may meet mine"),
    ("behind", 300, "points per body entry up to the lead aimed at over the longest opponent"),
    ("ahead", 30, "points per body entry beyond that lead"),
    ("target_lead", 4, "body entries of lead aimed at"),
    ("appetite", 400, "points; food at the next step while short of the lead, falling with its distance"),
    ("hunger", 600, "points; food at the next step growing with (lost health)^2 / 8192"),
    ("no_food", 300, "points lost while others reach all food first, with (lost health)^2 / 8192"),
    ("starvation", 2500, "points lost when the nearest food I reach first is farther away than my health lasts"),
    ("centre", 60, "points lost in the farthest corner from the centre"),
    ("tail", 50, "points gained while I reach my own tail"),
    ("life", 100, "points lost growing with (lost health)^2 / 8192, on boards with hazards"),
)
NAMES: Final = tuple(row[0] for row in TABLE)
WEIGHTS: Final = len(TABLE)

(
    TURNS_DUEL,
    TURNS_CROWD,
    TURNS_ALONE,
    REPLIERS,
    REPLY_RADIUS,
    PESSIMISM_DUEL,
    PESSIMISM_CROWD,
    DEATH,
    WIN,
    DRAW,
    KILL,
    DELAY,
    AREA_DUEL,
    AREA_CROWD,
    RIVAL_AREA_CROWD,
    EDGE_DISCOUNT,
    HAZARD_DISCOUNT,
    ROOM_NEED,
    ROOM_SHORTAGE,
    TAIL_RELIEF,
    TRAP,
    NO_EXIT,
    ONE_EXIT,
    RISK,
    PREY,
    BEHIND_TARGET,
    AHEAD_TARGET,
    TARGET_LEAD,
    APPETITE,
    HUNGER,
    NO_FOOD,
    STARVATION,
    CENTRE,
    TAIL_REACH,
    LIFE_LOST,
) = range(WEIGHTS)

# What the kinds with look-ahead change.
_CHANGES: Final[dict[int, dict[str, int]]] = {
    VORONOI: {},
    STRONG: {"repliers": 1, "turns_duel": 2, "turns_crowd": 2, "turns_alone": 4},
    # Tuned against itself, looking three turns ahead (SPSA, some 280 steps of 128 duels): against the same without it
    # 0.633 +- 0.043 in duels, 0.697 +- 0.036 in four-player games.
    DEEP: {
        "repliers": 2,
        "turns_duel": 4,
        "turns_crowd": 2,
        "turns_alone": 6,
        "area_duel": 1109,
        "room_need": 31,
        "room_shortage": 2391,
        "tail_relief": 49,
        "trap": 2198,
        "no_exit": 2529,
        "one_exit": 211,
        "risk": 2107,
        "prey": 70,
        "behind": 940,
        "ahead": 156,
        "appetite": 844,
        "hunger": 43,
        "no_food": 222,
        "starvation": 2872,
        "centre": 105,
        "tail": 6,
        "draw": -14099,
        "target_lead": 20,
    },
}


def default_weights() -> NDArray[np.int64]:
    """Return the default weights, int64[kinds, WEIGHTS]; the rows of players that do not think are unused."""
    table = np.tile(np.array([row[1] for row in TABLE], np.int64), (len(KINDS), 1))
    for kind, changes in _CHANGES.items():
        for name, value in changes.items():
            table[kind, NAMES.index(name)] = value
    return table
