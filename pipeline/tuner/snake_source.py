"""Which snake is tuned: the user's folder, or a working copy of the bundled one.

The working copy is the user's as much as a folder of their own: it is written when it does not exist yet, its weights
are replaced when a candidate is promoted, and everything else in it changes only by `ouroboros tune update-snake`.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.bundled import DEPLOY
from schemas.errors import MachineError, SnakeError
from schemas.files import fsync_folder, write_atomic
from schemas.settings import Settings

BUNDLED = DEPLOY / "go-snake"
WORKING_COPY = "go-snake"
ORIGIN_NAME = ".ouroboros-origin.json"
"""In a working copy: what each file was when it was copied, so that an edit is told from a newer bundled snake."""
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
    news: str = ""
    """What the user should know of the folder, in a sentence; empty: nothing."""


def snake_source(settings: Settings) -> SnakeSource:
    """The snake that the settings name.

    With no `snake_dir` that is a working copy of the bundled snake in the state folder, made on first use.

    Raises:
        SnakeError: no such folder.
        MachineError: the working copy cannot be written.
    """
    tuner, news = settings.tuner, ""
    if tuner.snake_dir is None:
        folder = working_copy(settings)
        news = _make_working_copy(folder, tuner.config_file)
        run_command = _FROM_FILE if tuner.run_command == _FROM_EMBEDDED else tuner.run_command
    else:
        folder, run_command = tuner.snake_dir, tuner.run_command
        if not folder.is_dir():
            raise SnakeError("there is no snake folder", where=str(folder), remedy="Name it with --snake-dir.")
    weights_file = folder / tuner.config_file
    beside = weights_file.with_name("weight_spec.yaml")
    specification = tuner.weight_spec or (beside if beside.exists() else None)
    return SnakeSource(folder.resolve(), weights_file.resolve(), specification, run_command, news)


def working_copy(settings: Settings) -> Path:
    """Where the copy of the bundled snake lies, whether it exists yet or not."""
    return settings.home / WORKING_COPY


def bundled_files() -> dict[str, bytes]:
    """The bundled snake: path relative to its folder -> content.

    Raises:
        SnakeError: it is not there.
    """
    if not BUNDLED.is_dir():
        raise SnakeError("the bundled snake is not here", where=str(BUNDLED), remedy="Name yours with --snake-dir.")
    return {path.relative_to(BUNDLED).as_posix(): path.read_bytes() for path in _files(BUNDLED)}


def read_origin(folder: Path) -> dict[str, str]:
    """What a working copy's files were when they were copied: path -> SHA-256; empty: not known."""
    try:
        found = json.loads((folder / ORIGIN_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}


def origin_text(files: dict[str, bytes]) -> str:
    """The content of `ORIGIN_NAME` for these files."""
    return json.dumps({name: digest(content) for name, content in sorted(files.items())}, indent=1) + "\n"


def digest(content: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _make_working_copy(folder: Path, config_file: str) -> str:
    """Make it if it is missing; returns what there is to tell about it."""
    bundled = bundled_files()
    try:
        if not folder.is_dir():
            _copy_whole(folder, bundled)
        elif not (folder / config_file).exists() and config_file in bundled:
            (folder / config_file).parent.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / config_file, bundled[config_file])
            return f"{folder / config_file} was missing and starts again from the bundled weights."
    except OSError as error:
        raise MachineError(
            f"the working copy of the bundled snake cannot be written: {error.strerror}",
            where=str(error.filename or folder),
            remedy="Free some space, or correct the folder's rights.",
        ) from error
    return _news(folder, bundled, config_file)


def _copy_whole(folder: Path, bundled: dict[str, bytes]) -> None:
    """Beside it first, then one rename: a kill on the way leaves no half of a snake."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for stale in folder.parent.glob(f".{folder.name}.*.tmp"):
        shutil.rmtree(stale, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    fresh.chmod(0o755)
    for name, content in bundled.items():
        target = fresh / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, content)
        shutil.copymode(BUNDLED / name, target)
    write_atomic(fresh / ORIGIN_NAME, origin_text(bundled))
    fresh.rename(folder)
    fsync_folder(folder.parent)


def _news(folder: Path, bundled: dict[str, bytes], config_file: str) -> str:
    origin = read_origin(folder)
    known = origin or {path.relative_to(folder).as_posix(): digest(path.read_bytes()) for path in _files(folder)}
    newer = sorted(name for name in bundled if name != config_file and known.get(name) != digest(bundled[name]))
    if not newer:
        return ""
    return (
        f"The bundled snake is another one than {folder} was copied from ({len(newer)} files, {newer[0]} for one); "
        "your copy is left as it is. `ouroboros tune update-snake` shows the difference."
    )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
