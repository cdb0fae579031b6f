"""A game's fingerprint: the same wherever the same snakes play the same seed, in the arena's process or over HTTP."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from pipeline.referee.conditions import MatchConditions

DEAD: Final = 4
"""Stands for the move of a snake that was dead before the turn."""
_LETTERS: Final = b"udlr-".ljust(256, b"?")


def transcript_hash(conditions: MatchConditions, seats: int, turns: Iterable[bytes]) -> str:
    """Return the BLAKE2b-128, hexadecimal, of a game's transcript.

    The text's first line is `{width} {height} {ruleset} {map} {seats}`; then one line a turn has every seat's move as
    one letter (u, d, l, r; `-` for a snake that was dead before the turn). Every line ends with a line feed.

    Args:
        turns: per turn a byte for each seat: a move's number, or DEAD.
    """
    first = f"{conditions.width} {conditions.height} {conditions.ruleset} {conditions.map_id} {seats}".encode()
    lines = [first, *(moves.translate(_LETTERS) for moves in turns), b""]
    return blake2b(b"\n".join(lines), digest_size=16).hexdigest()
