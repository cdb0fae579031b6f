"""A run's weights into the snake's file, and back: `ouroboros tune apply` and `revert`."""

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import unified_diff
from enum import StrEnum
from pathlib import Path

from pipeline import folder_lock
from pipeline.tuner import ledger
from pipeline.tuner.ledger import Ledger
from pipeline.tuner.weights import hash_of
from pipeline.tuner.weights_on_disk import WeightsOnDisk
from schemas.errors import StateError
from schemas.tuning_run import TuningState


class Which(StrEnum):
    """Which of a run's weights."""

    BEST = "best"
    """Its champion's."""
    FIRST = "first"
    """Those that it began from."""


@contextmanager
def opened_run(folder: Path, run: str | None) -> Iterator[tuple[Ledger, str]]:
    """The ledger, to be read, and the run's name; None: the newest.

    Raises:
        StateError: no ledger, or no such run.
    """
    book = Ledger(folder / ledger.NAME, read_only=True)
    try:
        names = book.runs()
        if not names:
            raise StateError("there is no run yet", where=str(folder), remedy="`ouroboros tune` begins one.")
        yield book, names[0] if run is None else run
    finally:
        book.close()


def put_back(folder: Path, run: str | None, which: Which, member: str | None = None) -> str:
    """Write the run's weights into the file that it tuned, by rename; returns what was done, with the difference.

    The tuner takes it as an edit by hand: the next start goes on from there.

    Args:
        member: of the run's Pareto front, instead of its champion.

    Raises:
        StateError: no such run or member; FolderInUseError: a tuner is at work.
        SnakeError, MachineError: the file cannot be read or written.
    """
    with folder_lock.held(folder, "tuner"), opened_run(folder, run) as (book, name):
        state = book.state(name)
        text = state.champion if which is Which.BEST else state.reference
        disk = WeightsOnDisk(Path(state.snake), folder)
        whose = f"the {which.value} weights of {name}"
        if member is not None:
            text, whose = _of_front(state, member), f"member {member} of the front of {name}"
        if disk.hash() == hash_of(text):
            return f"{disk.path} holds {whose} already."
        kept, difference = "", ""
        if disk.hash() is not None:
            present = disk.read().text
            kept = f"; what stood there is kept as {disk.keep(present, f'before_{which.value}_{hash_of(present)[:8]}')}"
            lines = unified_diff(present.splitlines(), text.splitlines(), "before", "after", lineterm="")
            difference = "\n".join(lines) + "\n"
        disk.replace(text)
        return f"{difference}{disk.path} holds {whose} now{kept}."


def _of_front(state: TuningState, member: str) -> str:
    texts = {each.name: each.text for each in state.front}
    if member not in texts:
        known = ", ".join(texts) or "none yet; --objectives names what is weighed"
        raise StateError(f"the front has no member {member!r}", where=state.campaign, remedy=f"Members: {known}.")
    return texts[member]
