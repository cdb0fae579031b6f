"""The observation's one table: what each plane, feature and context slot means, and the encoder id made from it.

All slots are whole numbers 0..255 first; the float form is that number times the slot's scale, one float32 multiply, so
that any other encoder can match bit for bit. A count that does not fit is cut to 255.

The frame is square. The board stands in its middle (half a cell to the left and down where the difference is odd),
rows are y from the bottom, columns x from the left. With the egocentric option, and with any symmetry asked for, the
frame is turned (`symmetry.py`); directions in features turn with it. "I" is the snake observed for; a dead snake
appears nowhere.
"""

import hashlib
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Slot(NamedTuple):
    """One plane, feature or context slot: its name, scale of the float form, and meaning."""

    name: str
    scale: float
    about: str


FRAME: Final = 11
"""Side of the contract's frame; other frames up to 25 are possible for other boards."""

_TURNS = 1 / 32
_LIFE = 1 / 100
_FLAG = 1 / 255

PLANES: Final = (
    Slot("board", _FLAG, "0 outside; on the board 255 less 85 per side that is a wall (none where edges wrap)"),
    Slot("food", _FLAG, "255 on food"),
    Slot("hazards", 1 / 4, "hazards stacked on the cell"),
    Slot(
        "my_body",
        _TURNS,
        "turns until I leave the cell if I do not eat, head included; constrictor: no cell is left,"
        " the number is the same",
    ),
    Slot("other_bodies", _TURNS, "the same for the other snakes"),
    Slot("my_head", _LIFE, "my health, on my head"),
    Slot("other_heads", _LIFE, "their health, on their heads"),
    Slot("stronger_heads", _TURNS, "on heads that I lose or tie against: 1 + their length - mine"),
    Slot("weaker_heads", _TURNS, "on heads that I beat: my length - theirs"),
    Slot("threats", _FLAG, "255 where a head that I lose or tie against may come next turn, by wall and body"),
    Slot("prey", _FLAG, "255 where a head that I beat may come next turn, by wall and body"),
    Slot("other_lengths", _TURNS, "on other snakes' bodies: the owner's length"),
)

_WAYS = ("up", "down", "left", "right")

FEATURES: Final = (
    Slot("health", _LIFE, "my health"),
    Slot("length", _TURNS, "my length"),
    Slot("lead", _TURNS, "my length less the longest other's, if positive"),
    Slot("lag", _TURNS, "the longest other's length less mine, if positive"),
    *(Slot(f"open_{way}", _FLAG, f"255 if neither wall nor a staying body is next to me: {way}") for way in _WAYS),
    *(
        Slot(f"threat_{way}", _FLAG, f"255 if a head that I lose or tie against may come there too: {way}")
        for way in _WAYS
    ),
    *(Slot(f"prey_{way}", _FLAG, f"255 if a head that I beat may come there too: {way}") for way in _WAYS),
    *(
        Slot(f"exits_{way}", 1 / 4, f"of the cell next to me its open neighbours, 0 if not open: {way}")
        for way in _WAYS
    ),
    *(
        Slot(f"food_{way}", 1 / 16, f"steps to my nearest food in this direction, first on the list if equal: {way}")
        for way in _WAYS
    ),
    *(
        Slot(f"head_{way}", 1 / 16, f"steps to the nearest other head in this direction, first seat if equal: {way}")
        for way in _WAYS
    ),
    Slot("food_steps", 1 / 16, "steps to my nearest food, 255 without any"),
    Slot("head_steps", 1 / 16, "steps to the nearest other head, 255 without any"),
    Slot("tail_steps", 1 / 16, "steps to my tail"),
    Slot("tail_waits", 1 / 4, "turns my tail stays where it is"),
)

CONTEXT: Final = (
    Slot("turn", _FLAG, "turns played, divided by 4"),
    Slot("others", 1 / 8, "other living snakes"),
    Slot("seats", 1 / 8, "snakes that began the game"),
    Slot("width", 1 / 16, "cells; height if the frame is turned by a quarter"),
    Slot("height", 1 / 16, "cells; width if the frame is turned by a quarter"),
    Slot("wrapped", _FLAG, "255 if edges wrap"),
    Slot("constrictor", _FLAG, "255 if bodies never leave"),
    Slot("closing", _FLAG, "255 if hazards close in (ruleset or map royale)"),
    Slot("solo", _FLAG, "255 if the game goes on with one snake alive"),
    Slot("damage", _LIFE, "health lost per hazard"),
    Slot("healing", _LIFE, "health gained per hazard"),
    Slot("hazards", _FLAG, "cells with hazards, border included"),
    Slot("bodies", _FLAG, "lengths of all living snakes together"),
    Slot("food", 1 / 16, "pieces of food"),
    Slot("food_chance", _LIFE, "percent, as the rules' setting"),
    Slot("minimum_food", 1 / 16, "as the rules' setting"),
)


def _encoder_id() -> str:
    digest = hashlib.blake2b(digest_size=4)
    for slot in (*PLANES, *FEATURES, *CONTEXT):
        digest.update(f"{slot.name}|{slot.scale!r}|{slot.about}\n".encode())
    return f"ouroboros-1-{digest.hexdigest()}"


ENCODER_ID: Final = _encoder_id()
"""Changes with any word or number of the table; the 1 is raised when the encoder changes and the table does not."""

PLANE_SCALES: Final[NDArray[np.float32]] = np.array([slot.scale for slot in PLANES], np.float32)
FEATURE_SCALES: Final[NDArray[np.float32]] = np.array([slot.scale for slot in FEATURES], np.float32)
CONTEXT_SCALES: Final[NDArray[np.float32]] = np.array([slot.scale for slot in CONTEXT], np.float32)
CHANNELS: Final = tuple(slot.name for slot in PLANES)


def table() -> str:
    """Return the whole table as Markdown, for the documentation."""
    lines = [f"Encoder id: `{ENCODER_ID}`", ""]
    for title, slots in (("Planes", PLANES), ("Features", FEATURES), ("Context", CONTEXT)):
        lines += [f"### {title}", "", "| slot | name | scale | meaning |", "| --- | --- | --- | --- |"]
        lines += [f"| {i} | {s.name} | 1/{round(1 / s.scale)} | {s.about} |" for i, s in enumerate(slots)]
        lines.append("")
    return "\n".join(lines)
