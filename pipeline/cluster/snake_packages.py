"""Snakes travel as source: packed here, unpacked and built once on each node, known by what is in them."""

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from pipeline.cluster.messages import SnakePackage
from pipeline.snake_builder import ARENA_MODULE, NOT_COPIED, SnakeBuilder
from schemas.errors import MachineError, SnakeError
from schemas.tuning import TunerSettings

MOST_BYTES = 64 << 20
KEPT = 8
"""Snakes that a node keeps built, the last used."""
_LEADS_OUT = re.compile(r"(?m)^\s*(?:replace\s+)?(\S+)(?:\s+v\S+)?\s+=>\s+(\.\./\S*|/\S+)")


def pack_snake(folder: Path) -> SnakePackage:
    """A snake's folder, without what a build would leave behind.

    Raises:
        SnakeError: it is too large to travel, or its go.mod leads out of it.
        MachineError: it cannot be read.
    """
    _refuse_outside(folder)
    files: list[tuple[str, bytes, bool]] = []
    size = 0
    try:
        for path in _travelling(folder):
            with path.open("rb") as file:
                content = file.read(MOST_BYTES + 1 - size)  # of one that is larger than memory too
            size += len(content)
            if size > MOST_BYTES:
                raise SnakeError(
                    f"its folder holds more than {MOST_BYTES >> 20} MiB, too much to send to every node",
                    where=str(folder),
                    remedy="Move what the build does not need out of it.",
                )
            files.append((path.relative_to(folder).as_posix(), content, os.access(path, os.X_OK)))
    except OSError as error:
        raise MachineError(f"the snake's folder cannot be read: {error.strerror}", where=str(folder)) from error
    return SnakePackage(_digest(files), tuple(files))


def unpacked_snake(package: SnakePackage, store: Path) -> Path:
    """The folder of this snake on this node, made if it is missing.

    Raises:
        SnakeError: the package is not what it says, or would write outside its folder.
        MachineError: no disk.
    """
    place = store / package.digest
    if place.is_dir():
        os.utime(place)
        return place
    if _digest(list(package.files)) != package.digest:
        raise SnakeError("a snake arrived damaged", where=package.digest[:12])
    try:
        store.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".arriving.", dir=store))
        try:
            for name, content, runs in package.files:
                target = fresh / _inside(name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                target.chmod(0o755 if runs else 0o644)
            fresh.rename(place)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except FileExistsError:
        pass  # another player of this node was first
    except OSError as error:
        if not place.is_dir():
            raise MachineError(f"a snake cannot be kept here: {error.strerror}", where=str(store)) from error
    _forget_old(store, place)
    return place


def built(place: Path, tuner: TunerSettings, abandon: Callable[[], bool]) -> Path:
    """A copy of the snake's folder with its program in it, built once for each build command.

    Raises:
        SnakeError, MachineError: it does not build; no toolchain, no disk.
    """
    command = hashlib.sha256(tuner.build_command.encode()).hexdigest()[:8]
    ready = place.with_name(f"{place.name}.built.{command}")
    with (place.parent / f".{ready.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs may want it at once
        if not ready.is_dir():
            with tempfile.TemporaryDirectory(prefix=".building.", dir=place.parent) as scratch:
                timeout_s = tuner.build_timeout_s
                builder = SnakeBuilder(
                    place, Path(scratch), tuner.config_file, tuner.build_command, timeout_s, weights_at_start=False
                )
                builder.build("the snake", None, abandon).folder.rename(ready)
        os.utime(ready)
    return ready


def _travelling(folder: Path) -> list[Path]:
    found = []
    for base, folders, names in os.walk(folder):
        skipped = NOT_COPIED(base, [*folders, *names])
        folders[:] = sorted(name for name in folders if name not in skipped)
        # The build's own traces are not the snake; with them no two digests would be the same.
        kept = [name for name in sorted(names) if name not in skipped and not name.startswith(".ouroboros-")]
        found += [path for name in kept if (path := Path(base, name)).is_file()]
    return found


def _refuse_outside(folder: Path) -> None:
    try:
        text = (folder / "go.mod").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for module, path in _LEADS_OUT.findall(text):
        there = (folder / path).resolve()
        if module != ARENA_MODULE and not there.is_relative_to(folder.resolve()):
            raise SnakeError(
                f"its go.mod leads out of its folder ({module} => {path}), so it cannot travel",
                where=str(folder / "go.mod"),
                remedy="Put that module into the folder (`go mod vendor`).",
            )


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise SnakeError("a snake would write outside its folder", where=name[:200])
    return path


def _digest(files: list[tuple[str, bytes, bool]]) -> str:
    total = hashlib.sha256()
    for name, content, runs in sorted(files):
        # A name that is no UTF-8 is as good as any other to the snake.
        total.update(f"{len(name)} {name} {len(content)} {runs} ".encode(errors="surrogateescape") + content)
    return total.hexdigest()


def _forget_old(store: Path, present: Path) -> None:
    folders = [path for path in store.iterdir() if path.is_dir() and not path.name.startswith(".")]
    kinds = [path for path in folders if "." not in path.name and path != present]
    for old in sorted(kinds, key=_used_at)[: max(0, len(kinds) - KEPT + 1)]:
        for path in [old, *store.glob(f"{old.name}.built.*")]:
            shutil.rmtree(path, ignore_errors=True)


def _used_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
