"""Instants as aware UTC datetimes, and as text that sorts."""

from datetime import UTC, datetime


def to_text(instant: datetime) -> str:
    """`2026-11-21T20:30:00.000000Z`: fixed width, so that text order is time order, and SQLite reads it too.

    Raises:
        ValueError: `instant` is naive.
    """
    if instant.tzinfo is None:
        raise ValueError(f"naive datetime {instant!r}: every instant here is aware UTC")
    return instant.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def from_text(text: str) -> datetime:
    """The inverse of `to_text`; also reads any other ISO 8601 instant that carries an offset.

    Raises:
        ValueError: no ISO 8601 instant, or one without an offset.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"instant {text!r} carries no UTC offset")
    return instant.astimezone(UTC)
