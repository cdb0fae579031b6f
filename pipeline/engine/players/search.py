"""Looking ahead: my moves against the replies of the nearest opponents, some turns deep.

A move's value is a blend of its worst reply's and of the mean over the replies. Where only the worst counts (a duel
by default) this is minimax with the bounds of alpha and beta. No move is predicted, so a value is the same under
every symmetry of the board.
"""

from typing import Final

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.players import mind as legend
from pipeline.engine.players import weights as weight
from pipeline.engine.players.ahead import life_on, play_ahead, take_back
from pipeline.engine.players.evaluate import evaluate
from pipeline.engine.players.mind import Mind, has, options, put, take

WORST: Final = -(1 << 40)
UNDECIDED: Final = 1 << 50


@inlined
def living(mind: Mind) -> int:
    """Return how many snakes live in the picture."""
    count = 0
    for snake in range(mind.shape[legend.S_SNAKES]):
        count += mind.snakes[snake, legend.LIVES]
    return count


@inlined
def distance(mind: Mind, a: int, b: int) -> int:
    """Return the steps between two spots on an empty board."""
    width, height = mind.shape[legend.S_WIDTH], mind.shape[legend.S_HEIGHT]
    dx, dy = abs(a % width - b % width), abs(a // width - b // width)
    if mind.shape[legend.S_WRAPPED]:
        dx, dy = min(dx, width - dx), min(dy, height - dy)
    return dx + dy


@inlined
def choose_repliers(mind: Mind, me: int, kind: int) -> int:
    """Return the bit set of the opponents to move: the nearest within the radius, in a duel the only one."""
    most, radius = mind.weights[kind, weight.REPLIERS], mind.weights[kind, weight.REPLY_RADIUS]
    if living(mind) == 2:
        radius = 1000
    head = int(mind.paths[me, mind.snakes[me, legend.HEAD_AT]])
    chosen = 0
    for _ in range(most):
        nearest, least = -1, radius + 1
        for snake in range(mind.shape[legend.S_SNAKES]):
            if snake != me and mind.snakes[snake, legend.LIVES] and (chosen >> snake) & 1 == 0:
                away = distance(mind, head, int(mind.paths[snake, mind.snakes[snake, legend.HEAD_AT]]))
                if away < least:
                    nearest, least = snake, away
        if nearest >= 0:
            chosen |= 1 << nearest
    return chosen


@inlined
def nth_direction(directions: int, index: int) -> int:
    """Return direction number `index` of a set of four bits; 0 where the set is empty."""
    for direction in range(4):
        if (directions >> direction) & 1:
            if index == 0:
                return direction
            index -= 1
    return 0


@inlined
def size_of(directions: int) -> int:
    """Return how many directions a set holds, but at least 1: who has none still has to move."""
    return max((directions & 1) + (directions >> 1 & 1) + (directions >> 2 & 1) + (directions >> 3 & 1), 1)


@inlined
def reply_options(mind: Mind, repliers: int) -> int:
    """Return the directions open to each replier, four bits per snake."""
    found = 0
    for snake in range(mind.shape[legend.S_SNAKES]):
        if (repliers >> snake) & 1:
            found |= options(mind, snake) << (4 * snake)
    return found


@inlined
def count_replies(mind: Mind, repliers: int, replies: int) -> int:
    """Return how many joint replies the repliers have."""
    count = 1
    for snake in range(mind.shape[legend.S_SNAKES]):
        if (repliers >> snake) & 1:
            count *= size_of(replies >> (4 * snake) & 15)
    return count


@inlined
def joint_reply(mind: Mind, repliers: int, replies: int, index: int) -> int:
    """Return joint reply number `index`, two bits per snake."""
    directions = 0
    for snake in range(mind.shape[legend.S_SNAKES]):
        if (repliers >> snake) & 1:
            mine = replies >> (4 * snake) & 15
            count = size_of(mine)
            directions |= nth_direction(mine, index % count) << (2 * snake)
            index //= count
    return directions


@inlined
def living_set(mind: Mind) -> int:
    """Return the bit set of the living."""
    found = 0
    for snake in range(mind.shape[legend.S_SNAKES]):
        found |= mind.snakes[snake, legend.LIVES] << snake
    return found


@inlined
def verdict(mind: Mind, me: int, kind: int, ply: int, before: int) -> int:
    """Return the value of a position that is decided for `me`, UNDECIDED otherwise."""
    weights = mind.weights[kind]
    alive = living(mind)
    if not mind.snakes[me, legend.LIVES]:
        if alive == 0 and before > 1:
            return weights[weight.DRAW] + ply * weights[weight.DELAY]
        return ply * weights[weight.DELAY] - weights[weight.DEATH]
    if alive == 1 and not mind.shape[legend.S_ALONE]:
        return weights[weight.WIN] - ply * weights[weight.DELAY]
    return UNDECIDED


@compiled
def look(mind: Mind, me: int, kind: int, ply: int, turns: int, repliers: int, alpha: int, beta: int) -> int:
    """Return the value of the position for `me`, `turns` turns ahead, and leave its moves' values in `values[ply]`.

    With bounds: exact between them, a bound outside. Values of moves that cannot be best are upper bounds too.
    """
    before, best = living(mind), WORST
    repliers &= living_set(mind)
    mine, replies = options(mind, me), reply_options(mind, repliers)
    count = count_replies(mind, repliers, replies)
    pessimism = mind.weights[kind, weight.PESSIMISM_DUEL if before <= 2 else weight.PESSIMISM_CROWD]
    for index in range(4):
        mind.values[ply, index] = WORST
    for index in range(size_of(mine)):
        direction = nth_direction(mine, index)
        worst, total = -WORST, 0
        for reply in range(count):
            directions = joint_reply(mind, repliers, replies, reply) | direction << (2 * me)
            play_ahead(mind, ply, repliers | 1 << me, directions)
            value = verdict(mind, me, kind, ply, before)
            if value == UNDECIDED:
                bonus = mind.weights[kind, weight.KILL] * (before - living(mind))
                if turns <= 1:
                    value = bonus + evaluate(mind, me, kind, ply + 1)
                else:
                    low = max(alpha, best) if pessimism == 100 else WORST
                    high = min(beta, worst) if pessimism == 100 else -WORST
                    value = bonus + look(mind, me, kind, ply + 1, turns - 1, repliers, low - bonus, high - bonus)
            take_back(mind, ply)
            worst = min(worst, value)
            total += value
            if pessimism == 100 and worst <= max(alpha, best):
                break
        if pessimism < 100:
            worst = (pessimism * worst + (100 - pessimism) * (total // count)) // 100
        mind.values[ply, direction] = worst
        best = max(best, worst)
        if best >= beta:
            break
    return best


@compiled
def glance(mind: Mind, me: int, kind: int, mine: int) -> None:
    """Value each of my open moves without any reply: everybody else is a turn behind and may be anywhere by now."""
    fields = mind.snakes[me]
    size, life = fields[legend.SIZE], fields[legend.LIFE]
    for snake in range(mind.shape[legend.S_SNAKES]):
        mind.snakes[snake, legend.BEHIND] = snake != me
    fields[legend.HEAD_AT] += 1
    tail_moves = fields[legend.PILE] == 1
    fields[legend.TAIL_AT] += tail_moves
    for direction in range(4):
        mind.values[0, direction] = WORST
        if (mine >> direction) & 1:
            spot = int(mind.next_spot[mind.paths[me, fields[legend.HEAD_AT] - 1], direction])
            mind.paths[me, fields[legend.HEAD_AT]] = spot
            eats = has(mind, legend.FOODS, spot)
            fields[legend.LIFE] = life_on(mind, spot, life - 1, eats)
            if fields[legend.LIFE] <= 0:
                mind.values[0, direction] = -mind.weights[kind, weight.DEATH]
                continue
            fields[legend.SIZE] = size + eats
            if eats:
                take(mind, legend.FOODS, spot)
            mind.values[0, direction] = evaluate(mind, me, kind, 1)
            if eats:
                put(mind, legend.FOODS, spot)
    fields[legend.SIZE], fields[legend.LIFE] = size, life
    fields[legend.HEAD_AT] -= 1
    fields[legend.TAIL_AT] -= tail_moves
    for snake in range(mind.shape[legend.S_SNAKES]):
        mind.snakes[snake, legend.BEHIND] = 0


@inlined
def turns_ahead(mind: Mind, kind: int) -> int:
    """Return how many turns a kind looks ahead, by how many live."""
    alive = living(mind)
    if alive <= 1:
        return mind.weights[kind, weight.TURNS_ALONE]
    return mind.weights[kind, weight.TURNS_DUEL if alive == 2 else weight.TURNS_CROWD]


@compiled
def think(mind: Mind, me: int, kind: int) -> int:
    """Return the direction that a thinking player of this kind chooses for snake `me`; ties go to the first.

    `values[0]` then holds the value of each direction, WORST for those not open.
    """
    mine = options(mind, me)
    if size_of(mine) == 1:
        return nth_direction(mine, 0)
    if mind.weights[kind, weight.REPLIERS] == 0:
        glance(mind, me, kind, mine)
    else:
        look(mind, me, kind, 0, turns_ahead(mind, kind), choose_repliers(mind, me, kind), WORST, -WORST)
    best = nth_direction(mine, 0)
    for direction in range(4):
        if mind.values[0, direction] > mind.values[0, best]:
            best = direction
    return best
