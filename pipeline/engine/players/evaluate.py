"""What a position looked ahead to is worth to a snake that lives in it, in points (integers)."""

from typing import Final

import numpy as np

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.layout import MAX_HEALTH
from pipeline.engine.players.flood_large import flood_large
from pipeline.engine.players.flood_small import flood_small
from pipeline.engine.players.mind import (
    F_EXITS,
    F_FOOD,
    F_MINE,
    F_MINE_EDGE,
    F_MINE_HURTING,
    F_PREY,
    F_RISK,
    F_TAIL,
    F_THEIRS,
    F_THEIRS_EDGE,
    HEAD_AT,
    LIFE,
    LIVES,
    S_AREA_SCALE,
    S_CONSTRICTOR,
    S_DAMAGE,
    S_HAZARDS,
    S_SNAKES,
    S_WORDS,
    SIZE,
    Ints,
    Mind,
)
from pipeline.engine.players.weights import (
    AHEAD_TARGET,
    APPETITE,
    AREA_CROWD,
    AREA_DUEL,
    BEHIND_TARGET,
    CENTRE,
    EDGE_DISCOUNT,
    HAZARD_DISCOUNT,
    HUNGER,
    LIFE_LOST,
    NO_EXIT,
    NO_FOOD,
    ONE_EXIT,
    PREY,
    RISK,
    RIVAL_AREA_CROWD,
    ROOM_NEED,
    ROOM_SHORTAGE,
    STARVATION,
    TAIL_REACH,
    TAIL_RELIEF,
    TARGET_LEAD,
    TRAP,
)

_FARTHEST: Final = 63
_NEARNESS: Final = np.array([1024 * 6 // (steps + 5) for steps in range(_FARTHEST + 1)])


@inlined
def shortage(room: int, size: int, need: int) -> int:
    """Return the share, in 1024ths, of the room a snake of this size needs that it does not have."""
    needed = size * need >> 4
    return 0 if room >= needed else 1024 - 1024 * room // needed


@inlined
def ground(mind: Mind, weights: Ints, size: int, rivals: int, rival_size: int) -> int:
    """Return the points for territory, room to live in and rivals without it."""
    finding, scale = mind.finding, mind.shape[S_AREA_SCALE]
    mine = 16 * finding[F_MINE] - weights[EDGE_DISCOUNT] * finding[F_MINE_EDGE]
    if mind.shape[S_DAMAGE] > 0:
        mine -= weights[HAZARD_DISCOUNT] * finding[F_MINE_HURTING]
    theirs = 16 * finding[F_THEIRS] - weights[EDGE_DISCOUNT] * finding[F_THEIRS_EDGE]
    if rivals == 1:
        points = weights[AREA_DUEL] * (mine - theirs) * scale >> 20
        points += weights[TRAP] * shortage(finding[F_THEIRS], rival_size, weights[ROOM_NEED]) >> 10
    else:
        points = (weights[AREA_CROWD] * mine - weights[RIVAL_AREA_CROWD] * theirs) * scale >> 20
    lack = weights[ROOM_SHORTAGE] * shortage(finding[F_MINE], size, weights[ROOM_NEED]) >> 10
    if finding[F_TAIL]:
        lack = lack * (100 - weights[TAIL_RELIEF]) // 100
        points += weights[TAIL_REACH]
    if finding[F_EXITS] == 0:
        lack += weights[NO_EXIT]
    elif finding[F_EXITS] == 1:
        lack += weights[ONE_EXIT]
    return points - lack


@inlined
def food(mind: Mind, weights: Ints, life: int, lead: int) -> int:
    """Return the points for being able to eat: by hunger, by lacking length, by the way to food that is mine."""
    lost = (MAX_HEALTH - life) * (MAX_HEALTH - life)
    steps = mind.finding[F_FOOD]
    if steps == 0:
        return -(weights[NO_FOOD] * lost >> 13)
    wish = weights[HUNGER] * lost >> 13
    if lead < weights[TARGET_LEAD]:
        wish += weights[APPETITE]
    points = wish * _NEARNESS[min(steps, _FARTHEST)] >> 10
    if steps > life:
        points -= weights[STARVATION]
    return points


@compiled
def evaluate(mind: Mind, me: int, kind: int, turns: int) -> int:
    """Return the points of a position `turns` after the picture, in which `me` lives and the game is not decided."""
    if mind.shape[S_WORDS] <= 2:
        flood_small(mind, me, turns)
    else:
        flood_large(mind, me, turns)
    weights, finding, fields = mind.weights[kind], mind.finding, mind.snakes[me]
    rivals, longest = 0, 0
    for snake in range(mind.shape[S_SNAKES]):
        if snake != me and mind.snakes[snake, LIVES]:
            rivals += 1
            longest = max(longest, mind.snakes[snake, SIZE])
    points = ground(mind, weights, fields[SIZE], rivals, longest)
    lead = fields[SIZE] - longest
    if rivals > 0:
        points += weights[BEHIND_TARGET] * min(lead, weights[TARGET_LEAD])
        points += weights[AHEAD_TARGET] * max(lead - weights[TARGET_LEAD], 0)
        points += weights[PREY] * finding[F_PREY] - weights[RISK] * finding[F_RISK]
    if mind.shape[S_CONSTRICTOR] == 0:
        points += food(mind, weights, fields[LIFE], lead if rivals > 0 else weights[TARGET_LEAD])
        if mind.shape[S_HAZARDS]:
            lost = MAX_HEALTH - fields[LIFE]
            points -= weights[LIFE_LOST] * lost * lost >> 13
    return points - (weights[CENTRE] * mind.off_centre[mind.paths[me, fields[HEAD_AT]]] >> 10)
