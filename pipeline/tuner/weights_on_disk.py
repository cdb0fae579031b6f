"""The user's weights file: replaced only by rename, only by a promotion, and never over an edit."""

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import unified_diff
from enum import StrEnum
from pathlib import Path

from pipeline import folder_lock
from pipeline.tuner import ledger, weights
from pipeline.tuner.ledger import Ledger
from pipeline.tuner.weights import WeightFile, hash_of
from schemas.errors import MachineError, StateError
from schemas.files import write_atomic
from schemas.tuning_run import TuningState


class WeightsOnDisk:
    """The file that is tuned.

    Args:
        path: the file.
        keep_in: where texts are kept that would be lost else.
    """

    def __init__(self, path: Path, keep_in: Path) -> None:
        self.path, self._keep_in = path.resolve(), keep_in
        for leftover in self.path.parent.glob(f".{self.path.name}.*.tmp"):  # of a write that was killed
            leftover.unlink(missing_ok=True)

    def read(self) -> WeightFile:
        """The file as it is.

        Raises:
            SnakeError: missing or malformed.
        """
        return weights.read(self.path)

    def hash(self) -> str | None:
        """Of its content; None: it is not there."""
        text = self.text()
        return None if text is None else hash_of(text)

    def text(self) -> str | None:
        """Its content, be it no weights file at all; None: it is not there. What is no UTF-8 stands as surrogates."""
        try:
            return self.path.read_bytes().decode(errors="surrogateescape")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MachineError(f"the weights file cannot be read: {error.strerror}", where=str(self.path)) from error

    def replace(self, text: str) -> None:
        """Put other weights in its place.

        Raises:
            MachineError: it cannot be written; the old file is whole.
        """
        try:
            mode = self.path.stat().st_mode & 0o777 if self.path.exists() else 0o644
            write_atomic(self.path, text)
            self.path.chmod(mode)
        except OSError as error:
            raise MachineError(
                f"the weights file cannot be replaced: {error.strerror}",
                where=str(self.path),
                remedy="Free some space or correct its rights and start again: the new weights are in the ledger.",
            ) from error

    def keep(self, text: str, name: str) -> Path:
        """Keep a text as `NAME.yaml` beside the run's files; a name that is taken gets its hash behind it."""
        content = text.encode(errors="surrogateescape")
        path = self._keep_in / f"{name}.yaml"
        try:
            if path.exists() and path.read_bytes() != content:
                path = self._keep_in / f"{name}_{hash_of(text)[:8]}.yaml"
            write_atomic(path, content)
        except OSError as error:
            raise MachineError(
                f"the weights that stood there cannot be kept: {error.strerror}",
                where=str(path),
                remedy="Free some space or correct the folder's rights; the weights file is as it was.",
            ) from error
        return path


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
        present = disk.text()
        if present is not None:  # whatever it is: who takes back an edit that broke it needs no valid file
            kept = f"; what stood there is kept as {disk.keep(present, f'before_{which.value}_{hash_of(present)[:8]}')}"
            shown = present.encode(errors="surrogateescape").decode(errors="replace")
            lines = unified_diff(shown.splitlines(), text.splitlines(), "before", "after", lineterm="")
            difference = "\n".join(lines) + "\n"
        disk.replace(text)
        return f"{difference}{disk.path} holds {whose} now{kept}."


def _of_front(state: TuningState, member: str) -> str:
    texts = {each.name: each.text for each in state.front}
    if member not in texts:
        known = ", ".join(texts) or "none yet; --objectives names what is weighed"
        raise StateError(f"the front has no member {member!r}", where=state.campaign, remedy=f"Members: {known}.")
    return texts[member]
