"""Random numbers as a pure function of (game seed, turn, purpose, index): no state, so order cannot matter.

The mixing step is SplitMix64's finaliser (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
OOPSLA 2014), applied once to (seed, turn) and once per draw to (purpose, index).

A draw among up to four marked things (moves, corners) goes by a table of masks: a loop over bits guesses at each.
"""

from typing import Any, Final

import numpy as np

from pipeline.engine.compile_cache import compiled, inlined

# purposes: each kind of draw has its own stream
STARTS: Final = 1
START_FOOD: Final = 2
FOOD_DICE: Final = 3
FOOD_CELL: Final = 4
HAZARD_MAP: Final = 5
NEXT_SEED: Final = 6
PLAYER: Final = 64  # + seat

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_TURN_STEP = np.uint64(0xD1342543DE82EF95)
_PURPOSE_STEP = np.uint64(0xA0761D6478BD642F)


@inlined
def mix(value: Any) -> Any:
    """Return SplitMix64's finaliser of a uint64."""
    value = (value ^ (value >> np.uint64(30))) * _MIX_A
    value = (value ^ (value >> np.uint64(27))) * _MIX_B
    return value ^ (value >> np.uint64(31))


@inlined
def turn_key(seed: Any, turn: Any) -> Any:
    """Return the uint64 from which `neighbour_stream` makes all of a turn's streams: `offset` is then the purpose."""
    return mix(np.uint64(seed) + np.uint64(turn) * _TURN_STEP + _GOLDEN)


@inlined
def stream(seed: Any, turn: Any, purpose: Any) -> Any:
    """Return the uint64 key of one stream; pass it to `draw`."""
    return turn_key(seed, turn) + np.uint64(purpose) * _PURPOSE_STEP


@inlined
def neighbour_stream(key: Any, offset: Any) -> Any:
    """Return the key of the same turn's stream whose purpose is `offset` higher."""
    return key + np.uint64(offset) * _PURPOSE_STEP


@inlined
def draw(key: Any, index: Any, bound: Any) -> Any:
    """Return number `index` of the stream `key`, uniform in 0 .. bound - 1 (bound below 2**31)."""
    bits = mix(key + np.uint64(index) * _GOLDEN) >> np.uint64(32)
    return np.int64((bits * np.uint64(bound)) >> np.uint64(32))


@compiled
def derive_seed(seed: Any, episode: Any) -> Any:
    """Return the seed of the next game in a slot: a fresh int64 from its last seed and its number."""
    return np.int64(mix(stream(seed, episode, NEXT_SEED)))


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
