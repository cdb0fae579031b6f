"""A start delay that spreads launches, the same whenever it is asked for."""

from datetime import datetime
from hashlib import sha256

from schemas.times import to_text


def start_delay_s(schedule_name: str, scheduled_for: datetime, jitter_s: float) -> float:
    """Seconds in [0, jitter_s) by which this occurrence is launched later; fixed by schedule and scheduled time, so
    that a restart of the daemon does not draw anew.

    Raises:
        ValueError: `scheduled_for` is naive.
    """
    digest = sha256(f"{schedule_name}\n{to_text(scheduled_for)}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48 * jitter_s
