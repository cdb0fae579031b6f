"""Independent chance for every part of a run, from the run's one seed."""

import hashlib


def seed_for(seed: int, *names: str | int) -> int:
    """A seed in 0..2**63-1 that follows from the run's seed and the part's names alone."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1
