"""Which snake is tuned: the user's folder, or a working copy of the bundled one."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from pipeline.tuner import weights
from schemas.errors import MachineError, SnakeError
from schemas.files import write_atomic
from schemas.settings import Settings

BUNDLED = Path(__file__).resolve().parents[2] / "deploy" / "go-snake"
WORKING_COPY = "go-snake"
_FROM_EMBEDDED = "{binary}"
_FROM_FILE = "{binary} -config {config}"
"""The bundled snake reads its weights at start if asked to: a candidate then needs no compilation of its own."""


@dataclass(frozen=True)
class SnakeSource:
    """A snake on disk."""

    folder: Path
    weights_file: Path
    specification: Path | None
    """Overrides of the derived weight specification."""
    run_command: str


def snake_source(settings: Settings) -> SnakeSource:
    """The snake that the settings name.

    With no `snake_dir` that is a working copy of the bundled snake in the state folder, so that tuning never changes
    the program's own files. A newer bundled snake is copied over it; the tuned weights stay.

    Raises:
        SnakeError: no such folder, or the working copy's weights do not fit a newer bundled snake.
        MachineError: the working copy cannot be written.
    """
    tuner = settings.tuner
    if tuner.snake_dir is None:
        folder = _working_copy(settings.home / WORKING_COPY, tuner.config_file)
        run_command = _FROM_FILE if tuner.run_command == _FROM_EMBEDDED else tuner.run_command
    else:
        folder, run_command = tuner.snake_dir, tuner.run_command
        if not folder.is_dir():
            raise SnakeError("there is no snake folder", where=str(folder), remedy="Name it with --snake-dir.")
    weights_file = folder / tuner.config_file
    beside = weights_file.with_name("weight_spec.yaml")
    specification = tuner.weight_spec or (beside if beside.exists() else None)
    return SnakeSource(folder.resolve(), weights_file.resolve(), specification, run_command)


def _working_copy(folder: Path, config_file: str) -> Path:
    if not BUNDLED.is_dir():
        raise SnakeError("the bundled snake is not here", where=str(BUNDLED), remedy="Name yours with --snake-dir.")
    config = folder / config_file
    try:
        if config.exists() and (BUNDLED / config_file).exists():
            _require_same_weights(config, BUNDLED / config_file)
        for path in sorted(BUNDLED.rglob("*")):
            target = folder / path.relative_to(BUNDLED)
            if path.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            elif not (target == config and target.exists()) and not _same(path, target):
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(target, path.read_bytes())
                shutil.copymode(path, target)
    except OSError as error:
        raise MachineError(
            f"the working copy of the bundled snake cannot be written: {error.strerror}",
            where=str(error.filename or folder),
            remedy="Free some space, or correct the folder's rights.",
        ) from error
    return folder


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.read_bytes() == other.read_bytes()


def _require_same_weights(tuned: Path, bundled: Path) -> None:
    ours, theirs = weights.read(tuned).weights.keys(), weights.read(bundled).weights.keys()
    if ours == theirs:
        return
    raise SnakeError(
        "the bundled snake has other weights than your tuned ones: new "
        f"{sorted(theirs - ours) or 'none'}, gone {sorted(ours - theirs) or 'none'}",
        where=str(tuned),
        remedy=f"Move the file away to start from {bundled}, or add and remove those weights by hand.",
    )
