"""How long a daemon gave no sign of life, in words: for the pages too, which load nothing the daemon works with."""

from datetime import datetime

from schemas.times import duration

SILENT_AFTER_S = 60.0
"""Longer than a locked database may hold up a step for nothing: from here on it is told."""


def silence(heartbeat_at: datetime, step: str, now: datetime) -> str:
    """No sign of life for how long, and in which step it stands, in words; "" where it gave one lately."""
    silent = now - heartbeat_at
    if silent.total_seconds() < SILENT_AFTER_S:
        return ""
    stalled = f"; it stands in the step {step}" if step else ""
    return f"no sign of life for {duration(silent)}{stalled}"
