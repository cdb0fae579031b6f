"""Numbers and texts that no setting may hold, whatever it is for: they would fail weeks later, where they are used.

A length of time whose instant lies beyond the calendar, an interval so short that the daemon would do nothing else, a
number that the database cannot hold, a NUL that no system call takes. Fields say by their names what their unit is.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from schemas.automation import MAX_HOURS, MAX_SECONDS

_LONGEST = {
    "_s": (MAX_SECONDS, "seconds"),
    "_ms": (MAX_SECONDS * 1000, "milliseconds"),
    "_minutes": (MAX_HOURS * 60, "minutes"),
    "_hours": (MAX_HOURS, "hours"),
    "_days": (MAX_HOURS / 24, "days"),
    "_mb": (1e9, "MB"),
    "_gb": (1e6, "GB"),
}
"""By the ending of a field's name: ten years, and a petabyte."""
_SHORTEST = {"_interval_s": 0.01, "_interval_hours": 0.001}
_LARGEST = 2**63 - 1
"""That SQLite holds."""


def out_of_bounds(tree: object, place: str = "") -> Iterator[str]:
    """What is wrong with the values of a model, each with the path of its field.

    Args:
        tree: a model, or what is in one.
        place: its path.
    """
    if isinstance(tree, BaseModel):
        for name, value in tree:
            yield from out_of_bounds(value, f"{place}.{name}" if place else name)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from out_of_bounds(value, f"{place}.{key}")
    elif isinstance(tree, list | tuple):
        for number, value in enumerate(tree):
            yield from out_of_bounds(value, f"{place}.{number}")
    elif isinstance(tree, int | float) and not isinstance(tree, bool):
        yield from _number(tree, place)
    elif isinstance(tree, str | Path) and "\0" in str(tree):
        yield f"{place}: no text may hold a NUL character"


def _number(value: float, place: str) -> Iterator[str]:
    if isinstance(value, int) and abs(value) > _LARGEST:
        yield f"{place}: more than {_LARGEST:,}, the largest number that can be kept"
        return
    for ending, (longest, unit) in _LONGEST.items():
        if place.endswith(ending) and value > longest:
            yield f"{place}: {longest:,.0f} {unit} are the most"
    for ending, shortest in _SHORTEST.items():
        if place.endswith(ending) and value < shortest:
            yield f"{place}: less than {shortest}, which would leave time for nothing else"
