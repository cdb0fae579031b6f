"""Playing a turn in a mind's picture, and taking it back: the rules of a turn as far as thinking needs them.

Exact but for what cannot be foreseen or hardly matters: no food appears, hazards stay, and snakes that are not
moved stand still (the flood lets them go everywhere at once instead, but for their tails).
"""

from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.layout import MAX_HEALTH
from pipeline.engine.players import mind as legend
from pipeline.engine.players.mind import Mind, has, put, take


@inlined
def remember(mind: Mind, ply: int) -> None:
    """Keep what `take_back` needs."""
    for word in range(mind.shape[legend.S_WORDS]):
        mind.old_masks[ply, 0, word] = mind.masks[legend.OCCUPIED, word]
        mind.old_masks[ply, 1, word] = mind.masks[legend.FOODS, word]
    for snake in range(mind.shape[legend.S_SNAKES]):
        for field in range(legend.FIELDS):
            mind.old_snakes[ply, snake, field] = mind.snakes[snake, field]


@inlined
def take_back(mind: Mind, ply: int) -> None:
    """Undo the turn played at `ply`."""
    for word in range(mind.shape[legend.S_WORDS]):
        mind.masks[legend.OCCUPIED, word] = mind.old_masks[ply, 0, word]
        mind.masks[legend.FOODS, word] = mind.old_masks[ply, 1, word]
    for snake in range(mind.shape[legend.S_SNAKES]):
        for field in range(legend.FIELDS):
            mind.snakes[snake, field] = mind.old_snakes[ply, snake, field]


@inlined
def life_on(mind: Mind, spot: int, life: int, eats: bool) -> int:
    """Return the health (0 or less: dead) of a head that comes to `spot` with `life` left after the turn's hunger."""
    if eats:
        return MAX_HEALTH
    if mind.shape[legend.S_HAZARDS]:
        for _ in range(mind.hazards[spot]):
            life = min(max(life - mind.shape[legend.S_DAMAGE], 0), MAX_HEALTH)
            if life == 0:
                return 0
    return life


@inlined
def advance(mind: Mind, snake: int, spot: int) -> None:
    """Move one snake's head and tail; the head is not in OCCUPIED yet. A spot below 0 is behind the wall."""
    fields = mind.snakes[snake]
    fields[legend.HEAD_AT] += 1
    mind.paths[snake, fields[legend.HEAD_AT]] = spot
    if fields[legend.PILE] > 1:
        fields[legend.PILE] -= 1
    else:
        take(mind, legend.OCCUPIED, mind.paths[snake, fields[legend.TAIL_AT]])
        fields[legend.TAIL_AT] += 1
    fields[legend.LIFE] = 0 if spot < 0 else life_on(mind, spot, fields[legend.LIFE] - 1, has(mind, legend.FOODS, spot))


@inlined
def clear_body(mind: Mind, snake: int) -> None:
    """Take a dead snake's spots, all but its last head's, out of OCCUPIED."""
    fields = mind.snakes[snake]
    for index in range(fields[legend.TAIL_AT], fields[legend.HEAD_AT]):
        take(mind, legend.OCCUPIED, mind.paths[snake, index])


@inlined
def feed(mind: Mind, moved: int) -> None:
    """Let moved snakes eat; two heads may share one food."""
    ate = False
    for snake in range(mind.shape[legend.S_SNAKES]):
        fields = mind.snakes[snake]
        if (moved >> snake) & 1:
            spot = int(mind.paths[snake, fields[legend.HEAD_AT]])
            if spot >= 0 and has(mind, legend.FOODS, spot):
                fields[legend.SIZE] += 1
                fields[legend.PILE] += 1
                ate = True
    if ate:
        for snake in range(mind.shape[legend.S_SNAKES]):
            spot = int(mind.paths[snake, mind.snakes[snake, legend.HEAD_AT]])
            if (moved >> snake) & 1 and spot >= 0:
                take(mind, legend.FOODS, spot)


@inlined
def collides(mind: Mind, snake: int, moved: int) -> bool:
    """Return whether a moved snake's head is on a body or meets a head at least as long."""
    fields = mind.snakes[snake]
    spot = int(mind.paths[snake, fields[legend.HEAD_AT]])
    if has(mind, legend.OCCUPIED, spot):
        for other in range(mind.shape[legend.S_SNAKES]):
            # The tail of a snake that was not moved would be gone by now.
            them = mind.snakes[other]
            stands = them[legend.LIVES] and (moved >> other) & 1 == 0
            if stands and them[legend.PILE] == 1 and mind.paths[other, them[legend.TAIL_AT]] == spot:
                return False
        return True
    for other in range(mind.shape[legend.S_SNAKES]):
        them = mind.snakes[other]
        fights = other != snake and (moved >> other) & 1 and them[legend.LIFE] > 0
        if fights and them[legend.SIZE] >= fields[legend.SIZE] and mind.paths[other, them[legend.HEAD_AT]] == spot:
            return True
    return False


@inlined
def bury_the_dead(mind: Mind, moved: int) -> None:
    """Decide who of the moved dies: first of hunger, hazard or wall, then, from one picture, by collision."""
    dead = 0
    for snake in range(mind.shape[legend.S_SNAKES]):
        if (moved >> snake) & 1 and mind.snakes[snake, legend.LIFE] <= 0:
            clear_body(mind, snake)
            mind.snakes[snake, legend.LIVES] = 0
            moved ^= 1 << snake
    for snake in range(mind.shape[legend.S_SNAKES]):
        if (moved >> snake) & 1 and collides(mind, snake, moved):
            dead |= 1 << snake
    for snake in range(mind.shape[legend.S_SNAKES]):
        if (dead >> snake) & 1:
            clear_body(mind, snake)
            mind.snakes[snake, legend.LIVES] = 0
    for snake in range(mind.shape[legend.S_SNAKES]):
        if ((moved & ~dead) >> snake) & 1:
            put(mind, legend.OCCUPIED, mind.paths[snake, mind.snakes[snake, legend.HEAD_AT]])


@compiled
def play_ahead(mind: Mind, ply: int, moved: int, directions: int) -> None:
    """Play one turn in which the snakes of the bit set `moved` move; the others fall one turn behind.

    `directions` holds two bits per snake.
    """
    remember(mind, ply)
    for snake in range(mind.shape[legend.S_SNAKES]):
        fields = mind.snakes[snake]
        if (moved >> snake) & 1:
            spot = int(mind.paths[snake, fields[legend.HEAD_AT]])
            advance(mind, snake, mind.next_spot[spot, (directions >> (2 * snake)) & 3])
        elif fields[legend.LIVES]:
            fields[legend.BEHIND] += 1
    feed(mind, moved)
    bury_the_dead(mind, moved)
    if mind.shape[legend.S_CONSTRICTOR]:
        for snake in range(mind.shape[legend.S_SNAKES]):
            fields = mind.snakes[snake]
            fields[legend.LIFE] = MAX_HEALTH
            if fields[legend.PILE] == 1:
                fields[legend.PILE] = 2
                fields[legend.SIZE] += 1
