"""The bundled Go snake as a program, built once for each state of its code and weights."""

import shutil
import tempfile
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from pipeline.snake_builder import SnakeBuilder
from pipeline.tuner.snake_source import BUNDLED, bundled_files, digest
from schemas.errors import MachineError

_BUILD: Final = "go build -o {output} ."
_CONFIG: Final = "config.yaml"
_LIMIT_S: Final = 600.0
_SCRATCH: Final = ".build-"
_KEPT: Final = 3
"""Programs that stay, the newest: a run that began before an upgrade still starts its own."""


def bundled_snake(folder: Path) -> Path:
    """Return the program, kept in `folder`; it is built where it is not there yet.

    Raises:
        SnakeError: it does not build.
        MachineError: no Go toolchain, or no disk.
    """
    files = bundled_files()
    code = sha256("".join(f"{name} {digest(files[name])}\n" for name in sorted(files)).encode()).hexdigest()
    binary = folder / f"snake-{code[:16]}"
    if not binary.exists():
        _build(folder, binary)
    return binary


def _build(folder: Path, binary: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob(f"{_SCRATCH}*"):
            if time.time() - stale.stat().st_mtime > 2 * _LIMIT_S:  # of a build that was killed
                shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder) as scratch:
            builder = SnakeBuilder(BUNDLED, Path(scratch), _CONFIG, _BUILD, _LIMIT_S, weights_at_start=False)
            built = builder.build("our snake", None, lambda: False)
            built.binary.rename(binary)  # over the same one, if another process has just built it too
        _remove_older(folder)
    except OSError as error:
        raise MachineError(
            f"our snake cannot be kept: {error.strerror}", where=str(folder), remedy="Free some space."
        ) from error


def _remove_older(folder: Path) -> None:
    with suppress(FileNotFoundError):  # another process removes them at the same time
        for older in sorted(folder.glob("snake-*"), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
            older.unlink()
