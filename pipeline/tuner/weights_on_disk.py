"""The user's weights file: replaced only by rename, only by a promotion, and never over an edit."""

from pathlib import Path

from pipeline.tuner import weights
from pipeline.tuner.weights import WeightFile, hash_of
from schemas.errors import MachineError
from schemas.files import write_atomic


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
        try:
            return hash_of(self.path.read_bytes().decode(errors="surrogateescape"))
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
        path = self._keep_in / f"{name}.yaml"
        if path.exists() and path.read_text(encoding="utf-8") != text:
            path = self._keep_in / f"{name}_{hash_of(text)[:8]}.yaml"
        write_atomic(path, text)
        return path
