"""Choosing among up to four things marked in a mask, by table: a loop over the bits is a guess per bit."""

from typing import Final

import numpy as np

from pipeline.engine.compile_cache import inlined

_MARKED: Final = [[item for item in range(4) if mask >> item & 1] for mask in range(16)]
# mask -> its items in order, two bits each (0 where there are none), and from bit 8 on their number
_CHOICES: Final = np.array(
    [sum(item << (2 * at) for at, item in enumerate(items)) | len(items) << 8 for items in _MARKED], np.int64
)


@inlined
def choices_of(mask: int) -> int:
    """Return the word that `count_of` and `choice` read; `mask` has bit i set for item i of 0..3."""
    return _CHOICES[np.uint64(mask)]


@inlined
def count_of(choices: int) -> int:
    """Return how many items there are."""
    return choices >> 8


@inlined
def choice(choices: int, index: int) -> int:
    """Return item number `index`, in order, of those there are; 0 where there are none."""
    return (choices >> (2 * index)) & 3
