"""A game's fingerprint: the same wherever the same snakes play the same seed, in the arena's process or over HTTP."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from pipeline.referee.conditions import Conditions

_LETTERS = "udlr"
_DEAD = "-"


def transcript_hash(conditions: Conditions, seats: int, turns: Iterable[Sequence[int | None]]) -> str:
    """Return the BLAKE2b-128, hexadecimal, of a game's transcript.

    The text's first line is `{width} {height} {ruleset} {map} {seats}`; then one line a turn has every seat's move as
    one letter (u, d, l, r; `-` for a snake that was dead before the turn). Every line ends with a line feed.

    Args:
        turns: per turn a move number for each seat; None: dead before the turn.
    """
    lines = [f"{conditions.width} {conditions.height} {conditions.ruleset} {conditions.map_id} {seats}\n"]
    lines += ["".join(_DEAD if move is None else _LETTERS[move] for move in moves) + "\n" for moves in turns]
    return blake2b("".join(lines).encode(), digest_size=16).hexdigest()
