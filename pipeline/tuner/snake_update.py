"""`ouroboros tune update-snake`: a newer bundled snake into the working copy, shown before it is done."""

import difflib
import shutil
from dataclasses import dataclass
from pathlib import Path

from pipeline.tuner import snake_source, weights
from schemas.errors import MachineError, SnakeError
from schemas.files import write_atomic
from schemas.settings import Settings
from schemas.tuning_run import WeightValue

_OF_CROWDS = "crowd."
"""The bundled snake's weights that have another value in crowds are called so there."""


@dataclass(frozen=True)
class SnakeUpdate:
    """What an update would write; nothing is written before `apply`."""

    folder: Path
    files: dict[str, bytes]
    """Path in the copy -> new content."""
    kept: tuple[str, ...]
    """Files that both the user and the bundled snake have changed: they stay the user's, and the bundled one is put
    beside them as `NAME.bundled`."""
    origin: str
    """The new content of the origin file."""

    def difference(self) -> str:
        """Everything that would change, as a unified diff; empty: nothing."""
        parts: list[str] = []
        for name, content in sorted(self.files.items()):
            path = self.folder / name
            old = path.read_bytes() if path.exists() else b""
            parts.extend(
                difflib.unified_diff(_lines(old), _lines(content), f"{path} (now)", f"{path} (after)", lineterm="")
            )
        return "\n".join(parts)

    def apply(self) -> None:
        """Write it, each file by rename.

        Raises:
            MachineError: the copy cannot be written; what was written is whole, and repeating the update goes on.
        """
        try:
            for name, content in self.files.items():
                target = self.folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(target, content)
                bundled = snake_source.BUNDLED / name.removesuffix(".bundled")
                if bundled.exists():
                    shutil.copymode(bundled, target)
            write_atomic(self.folder / snake_source.ORIGIN_NAME, self.origin)
        except OSError as error:
            raise MachineError(
                f"the working copy cannot be written: {error.strerror}",
                where=str(error.filename or self.folder),
                remedy="Free some space, or correct the folder's rights, and repeat the update.",
            ) from error


def plan_update(settings: Settings) -> SnakeUpdate:
    """Compare the working copy with the bundled snake.

    Files that nobody has touched become the bundled ones. A weights' file that the user or the tuner has changed
    becomes the bundled one with their values for every weight that both know: they survive one that adds or drops some.

    Raises:
        SnakeError: there is no working copy, or a weights' file cannot be read.
    """
    folder, config_file = snake_source.working_copy(settings), settings.tuner.config_file
    if not folder.is_dir():
        raise SnakeError(
            "there is no working copy to update", where=str(folder), remedy="`ouroboros tune` makes one at its start."
        )
    bundled, origin = snake_source.bundled_files(), snake_source.read_origin(folder)
    files: dict[str, bytes] = {}
    kept = []
    for name, content in bundled.items():
        path = folder / name
        present = path.read_bytes() if path.exists() else None
        untouched = present is not None and snake_source.digest(present) == origin.get(name)
        if name == config_file and present is not None and not untouched:
            content = _with_tuned_values(content.decode(), path)  # noqa: PLW2901 - what this file is to become
        if present == content or (origin and origin.get(name) == snake_source.digest(bundled[name])):
            continue  # the same, or the bundled one has not changed: any difference is the user's
        if name != config_file and present is not None and not untouched:
            kept.append(name)
            name, content = f"{name}.bundled", bundled[name]  # noqa: PLW2901
            if (folder / name).exists() and (folder / name).read_bytes() == content:
                continue
        files[name] = content
    return SnakeUpdate(folder, files, tuple(kept), snake_source.origin_text(bundled))


def _with_tuned_values(text: str, tuned_path: Path) -> bytes:
    fresh, tuned = weights.parse(text, str(snake_source.BUNDLED)), weights.read(tuned_path)
    shared: dict[str, WeightValue] = {}
    for path, value in fresh.values.items():
        # what decides in a crowd before crowds have a value of their own is the one of all games
        theirs = tuned.values.get(path, tuned.values.get(path.removeprefix(_OF_CROWDS)))
        if type(theirs) is type(value):
            shared[path] = theirs
    return fresh.changed(shared).text.encode()


def _lines(content: bytes) -> list[str]:
    try:
        return content.decode().splitlines()
    except UnicodeDecodeError:
        return [f"({len(content)} bytes that are no text)"]
