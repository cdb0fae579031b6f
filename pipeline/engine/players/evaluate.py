"""What a position looked ahead to is worth to a snake that lives in it, in points (integers)."""

from typing import Final

import numpy as np

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.layout import MAX_HEALTH
from pipeline.engine.players import mind as legend
from pipeline.engine.players import weights as weight
from pipeline.engine.players.flood import NARROW, flood, flood_wide
from pipeline.engine.players.mind import Ints, Mind

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
    finding, scale = mind.finding, mind.shape[legend.S_AREA_SCALE]
    mine = 16 * finding[legend.F_MINE] - weights[weight.EDGE_DISCOUNT] * finding[legend.F_MINE_EDGE]
    if mind.shape[legend.S_DAMAGE] > 0:
        mine -= weights[weight.HAZARD_DISCOUNT] * finding[legend.F_MINE_HURTING]
    theirs = 16 * finding[legend.F_THEIRS] - weights[weight.EDGE_DISCOUNT] * finding[legend.F_THEIRS_EDGE]
    if rivals == 1:
        points = weights[weight.AREA_DUEL] * (mine - theirs) * scale >> 20
        points += weights[weight.TRAP] * shortage(finding[legend.F_THEIRS], rival_size, weights[weight.ROOM_NEED]) >> 10
    else:
        points = (weights[weight.AREA_CROWD] * mine - weights[weight.RIVAL_AREA_CROWD] * theirs) * scale >> 20
    lack = weights[weight.ROOM_SHORTAGE] * shortage(finding[legend.F_MINE], size, weights[weight.ROOM_NEED]) >> 10
    if finding[legend.F_TAIL]:
        lack = lack * (100 - weights[weight.TAIL_RELIEF]) // 100
        points += weights[weight.TAIL_REACH]
    if finding[legend.F_EXITS] == 0:
        lack += weights[weight.NO_EXIT]
    elif finding[legend.F_EXITS] == 1:
        lack += weights[weight.ONE_EXIT]
    return points - lack


@inlined
def food(mind: Mind, weights: Ints, life: int, lead: int) -> int:
    """Return the points for being able to eat: by hunger, by lacking length, by the way to food that is mine."""
    lost = (MAX_HEALTH - life) * (MAX_HEALTH - life)
    steps = mind.finding[legend.F_FOOD]
    if steps == 0:
        return -(weights[weight.NO_FOOD] * lost >> 13)
    wish = weights[weight.HUNGER] * lost >> 13
    if lead < weights[weight.TARGET_LEAD]:
        wish += weights[weight.APPETITE]
    points = wish * _NEARNESS[min(steps, _FARTHEST)] >> 10
    if steps > life:
        points -= weights[weight.STARVATION]
    return points


@compiled
def evaluate(mind: Mind, me: int, kind: int, turns: int) -> int:
    """Return the points of a position `turns` after the picture, in which `me` lives and the game is not decided."""
    if mind.shape[legend.S_WORDS] <= 2:
        flood(mind, me, turns, NARROW)
    else:
        flood_wide(mind, me, turns)
    weights, finding, fields = mind.weights[kind], mind.finding, mind.snakes[me]
    rivals, longest = 0, 0
    for snake in range(mind.shape[legend.S_SNAKES]):
        if snake != me and mind.snakes[snake, legend.LIVES]:
            rivals += 1
            longest = max(longest, mind.snakes[snake, legend.SIZE])
    points = ground(mind, weights, fields[legend.SIZE], rivals, longest)
    lead = fields[legend.SIZE] - longest
    if rivals > 0:
        points += weights[weight.BEHIND_TARGET] * min(lead, weights[weight.TARGET_LEAD])
        points += weights[weight.AHEAD_TARGET] * max(lead - weights[weight.TARGET_LEAD], 0)
        points += weights[weight.PREY] * finding[legend.F_PREY] - weights[weight.RISK] * finding[legend.F_RISK]
    if mind.shape[legend.S_CONSTRICTOR] == 0:
        points += food(mind, weights, fields[legend.LIFE], lead if rivals > 0 else weights[weight.TARGET_LEAD])
        if mind.shape[legend.S_HAZARDS]:
            lost = MAX_HEALTH - fields[legend.LIFE]
            points -= weights[weight.LIFE_LOST] * lost * lost >> 13
    return points - (weights[weight.CENTRE] * mind.off_centre[mind.paths[me, fields[legend.HEAD_AT]]] >> 10)
