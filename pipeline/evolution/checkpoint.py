"""A folder of checkpoints: each one folder of two files, there as a whole or not at all. No pickles.

`00000007/state.safetensors` holds every tensor, `00000007/state.json` all else, the tensors' SHA-256 and its own. Both
are written into a folder under a temporary name, made durable, and the folder is renamed last. Numbers only grow, so
that a run which went back to an earlier step still writes a later checkpoint.
"""

import hashlib
import json
import logging
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import safetensors
from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from pipeline.evolution.training_state import OptimizerState, RandomStates, TrainingState
from schemas.errors import MachineError, ModelError
from schemas.files import fsync_folder, is_of_the_moment

__all__ = ["CheckpointFolder", "TrainingState"]

TENSORS: Final = "state.safetensors"
WORDS: Final = "state.json"
VERSION: Final = 1
_DAMAGED: Final = "damaged-"
_log = logging.getLogger("ouroboros.checkpoint")


class _Kept(NamedTuple):
    """Where each part of a state stands among the tensors."""

    network: dict[str, Tensor]
    moments: dict[str, Tensor]
    random: dict[str, Tensor]
    arrays: dict[str, Tensor]


class CheckpointFolder:
    """The checkpoints of one training run, the newest `keep` of them. One process writes at a time.

    Args:
        path: made when the first checkpoint is saved.
        keep: how many stay; damaged ones that were set aside are counted apart, likewise.
        tell: told in words of every checkpoint that could not be used, and why; None: the log.
    """

    def __init__(self, path: Path, keep: int = 5, tell: Callable[[str], None] | None = None) -> None:
        if keep < 1:
            raise ValueError("at least one checkpoint must be kept")
        self.path: Final = path
        self.keep: Final = keep
        self.tell: Final = tell or _log.warning

    def save(self, state: TrainingState) -> Path:
        """Write `state` as the newest checkpoint and drop the oldest beyond `keep`; return its folder.

        Raises:
            ValueError: a counter is no finite JSON.
            MachineError: the disk is full or not writable; the checkpoints that were there are untouched.
        """
        tensors, words = _to_files(state)
        try:
            return self._write(tensors, words)
        except OSError as error:
            raise MachineError(
                f"the checkpoint cannot be saved: {error.strerror}",
                where=str(self.path),
                remedy="Free some space and start again: the last saved checkpoint is whole.",
            ) from error

    def _write(self, tensors: bytes, words: bytes) -> Path:
        self.path.mkdir(parents=True, exist_ok=True)
        self._sweep()
        final = self.path / f"{self._last_number() + 1:08d}"
        temporary = self.path / f".{final.name}.{uuid.uuid4().hex}.tmp"
        temporary.mkdir()
        try:
            for name, content in ((TENSORS, tensors), (WORDS, words)):
                with (temporary / name).open("xb") as handle:
                    handle.write(content)
                    handle.flush()
                    os.fsync(handle.fileno())
            fsync_folder(temporary)
            temporary.rename(final)  # both files are on the disk before the name is
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        fsync_folder(self.path)
        self._prune()
        return final

    def names(self) -> list[str]:
        """The checkpoints' names, oldest first, damaged ones among them that nobody has read yet."""
        if not self.path.is_dir():
            return []
        return sorted(entry.name for entry in self.path.iterdir() if entry.name.isdigit() and entry.is_dir())

    def latest(self) -> TrainingState | None:
        """The newest checkpoint that is whole; None when there is none. See `newest`."""
        found = self.newest()
        return found[1] if found else None

    def newest(self) -> tuple[str, TrainingState] | None:
        """The name and the state of the newest checkpoint that is whole; None when there is none.

        A torn or damaged one is told of, with its reason, and renamed to `damaged-<name>`.

        Raises:
            ModelError: the newest was written by a newer version of this program.
            MachineError: it cannot be read just now, which says nothing of it: none is set aside.
        """
        for name in reversed(self.names()):
            folder = self.path / name
            try:
                return name, _read(folder)
            except FileNotFoundError as error:
                if not folder.exists():  # pruned by its writer while we looked
                    continue
                self._set_aside(folder, f"{Path(str(error.filename)).name} is missing")
            except (OSError, _DamagedError) as error:
                if isinstance(error, OSError) and is_of_the_moment(error):
                    raise _unreadable(folder, error) from error
                self._set_aside(folder, str(error))
        return None

    def load(self, name: str) -> TrainingState:
        """The checkpoint of this name, as `names` lists them.

        Raises:
            ModelError: it does not exist, is damaged, or is of a newer version; nothing is renamed.
        """
        folder = self.path / name
        try:
            return _read(folder)
        except (OSError, _DamagedError) as error:
            known = ", ".join(self.names()) or "none"
            raise ModelError(
                f"the checkpoint cannot be used: {error}", where=str(folder), remedy=f"There are: {known}."
            ) from error

    def forget_after(self, name: str) -> None:
        """Remove the checkpoints newer than `name`, so that it becomes the one to resume from."""
        for newer in (other for other in self.names() if other > name):
            self._remove(self.path / newer)

    def _set_aside(self, folder: Path, reason: str) -> None:
        aside = folder.with_name(f"{_DAMAGED}{folder.name}")
        self.tell(f"⚠ The checkpoint {folder} is damaged ({reason}); it is kept as {aside.name}.")
        try:
            if aside.exists():
                shutil.rmtree(aside)
            folder.rename(aside)
        except OSError as error:
            self.tell(f"⚠ It could not be renamed: {error.strerror}.")

    def _last_number(self) -> int:
        aside = [entry.name.removeprefix(_DAMAGED) for entry in self.path.glob(f"{_DAMAGED}*")]
        return max((int(name) for name in [*self.names(), *aside] if name.isdigit()), default=0)

    def _prune(self) -> None:
        aside = sorted(entry.name for entry in self.path.glob(f"{_DAMAGED}*"))
        for names in (self.names(), aside):
            for name in names[: -self.keep]:
                self._remove(self.path / name)

    def _remove(self, folder: Path) -> None:
        # Under another name first: a kill half-way through must not leave something that looks like a checkpoint.
        going = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
        folder.rename(going)
        shutil.rmtree(going)

    def _sweep(self) -> None:
        """Remove what an earlier, killed writer left under temporary names."""
        for left in self.path.glob(".*.tmp"):
            shutil.rmtree(left)


def _unreadable(folder: Path, error: OSError) -> MachineError:
    return MachineError(
        f"the checkpoint cannot be read just now: {error.strerror}",
        where=str(folder),
        remedy="Check its rights, and what else runs on this machine; then start again.",
    )


class _DamagedError(Exception):
    """A checkpoint's files are not what was written."""


def _to_files(state: TrainingState) -> tuple[bytes, bytes]:
    moments = state.optimizer.moments if state.optimizer else {}
    parts = _Kept(dict(state.network), dict(moments), dict(state.random.tensors), dict(state.arrays))
    tensors = tensor_bytes(
        {f"{part}/{name}": tensor for part, kept in parts._asdict().items() for name, tensor in kept.items()}
    )
    words = {
        "version": VERSION,
        "tensors_sha256": hashlib.sha256(tensors).hexdigest(),
        "counters": dict(state.counters),
        "optimizer_groups": state.optimizer.groups if state.optimizer else None,
        "random_numbers": dict(state.random.numbers),
        "random_generators": dict(state.random.generators),
    }
    words["sha256"] = _digest(words)
    return tensors, (json.dumps(words, indent=1, allow_nan=False) + "\n").encode()


def _digest(words: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(words, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _read(folder: Path) -> TrainingState:
    words = _read_words(folder / WORDS)
    content = (folder / TENSORS).read_bytes()
    if hashlib.sha256(content).hexdigest() != words["tensors_sha256"]:
        raise _DamagedError(f"{TENSORS} does not have the SHA-256 that {WORDS} states")
    try:
        parts = _split(read_tensors(content))
    except safetensors.SafetensorError as error:
        raise _DamagedError(f"{TENSORS}: {error}") from error
    groups = words["optimizer_groups"]
    return TrainingState(
        parts.network,
        None if groups is None else OptimizerState(parts.moments, groups),
        words["counters"],
        RandomStates(parts.random, words["random_numbers"], words["random_generators"]),
        parts.arrays,
    )


def _read_words(path: Path) -> dict[str, Any]:
    try:
        words = json.loads(path.read_bytes())
    except ValueError as error:
        raise _DamagedError(f"{WORDS} is no JSON: {error}") from error
    if not isinstance(words, dict):
        raise _DamagedError(f"{WORDS} holds no object")
    version = words.get("version")
    if isinstance(version, int) and version > VERSION:  # before the digest, which a newer version may make otherwise
        raise ModelError(
            f"the checkpoint is of version {version}, this program knows {VERSION}",
            where=str(path),
            remedy="Use the newer program, or move the folder away to start afresh.",
        )
    stated = words.pop("sha256", None)
    if stated != _digest(words):
        raise _DamagedError(f"{WORDS} does not have the SHA-256 that it states")
    return words


def _split(tensors: dict[str, Tensor]) -> _Kept:
    parts = _Kept({}, {}, {}, {})
    for key, tensor in tensors.items():
        part, name = key.split("/", 1)
        getattr(parts, part)[name] = tensor
    return parts
