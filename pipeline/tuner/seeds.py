"""Which seeds games are played on: no two evaluations of a campaign ever share one."""

from enum import IntEnum

_BITS = 60
_MASK = (1 << _BITS) - 1
_EPOCH_BITS, _SERIAL_BITS, _PAIR_BITS = 16, 24, 20


class Stage(IntEnum):
    """What the games are for. Each stage has its own eighth of the seed space."""

    GATE = 1
    POOL = 2
    MEASUREMENT = 3
    PROBE = 4
    SCREEN = 5
    TOURNAMENT = 6


def pair_seeds(
    campaign_seed: int, stage: Stage, epoch: int, serial: int, count: int, first: int = 0
) -> tuple[int, ...]:
    """The seeds of one evaluation, one for each pair of games, all in 0..2**63 - 1.

    The number (epoch, serial, pair) is scattered over 60 bits by a bijection that the campaign's seed chooses, and the
    stage stands above it. So within a campaign two seeds are equal only if all four numbers are; a test proves it.

    Args:
        epoch: number of the chapter (an optimiser's life) within the campaign, below 2**16.
        serial: number of the evaluation within the chapter, below 2**24.
        count: pairs; with `first` at most 2**20.
        first: how many pairs of the evaluation to leave out at its beginning.

    Raises:
        ValueError: a number out of its range.
    """
    if not (
        0 <= epoch < 1 << _EPOCH_BITS and 0 <= serial < 1 << _SERIAL_BITS and 0 <= first + count <= 1 << _PAIR_BITS
    ):
        raise ValueError(f"epoch {epoch}, serial {serial} or {count} pairs: beyond the seed space of a campaign")
    begin = ((epoch << _SERIAL_BITS | serial) << _PAIR_BITS) + first
    return tuple(stage << _BITS | _scatter(begin + pair, campaign_seed) for pair in range(count))


def _scatter(number: int, key: int) -> int:
    """A bijection of 60-bit numbers: xor-shifts, odd multiplications and xors (after Steele and Vigna's mixers)."""
    number ^= (key * 0x9E3779B97F4A7C15) & _MASK
    for multiplier in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):
        number ^= number >> 31
        number = number * multiplier & _MASK
    number ^= number >> 29
    return number ^ (key >> 3 & _MASK)
