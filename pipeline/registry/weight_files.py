"""Weights on disk: one safetensors file a model, which tells by itself what it is, and whose hash the row keeps."""

import hashlib
import json
import re
import stat
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from schemas.errors import MachineError, ModelError
from schemas.files import fsync_folder, is_of_the_moment, write_atomic
from schemas.model import ModelDraft

SUFFIX = ".safetensors"
ORPHAN_AGE = timedelta(hours=1)
"""A file that no row names is taken for another process's, about to get its row, until it is so old."""
_HASH_IN_ID = 12

Weights = Mapping[str, np.ndarray]


def content_of(draft: ModelDraft, weights: Weights) -> bytes:
    """The file's bytes; the same for the same weights and network, whenever and wherever it is made.

    Raises:
        ModelError: there are no weights, or some are no finite numbers.
    """
    lost = [name for name, array in weights.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
    if lost or not weights:
        what = f"the weights of {lost[0]} are not all finite numbers" if lost else "a model without weights"
        raise ModelError(what, where=draft.name, remedy="Nothing was registered; go back to an earlier checkpoint.")
    about = {
        "architecture": draft.architecture,
        "encoder_id": draft.encoder_id,
        "frame": draft.frame,
        "network": draft.network.model_dump(mode="json"),
    }
    # One entry only: the order of several is not kept, and with it the hash would not be.
    # In C order: safetensors writes the memory of another order as it lies, which is another array when read.
    in_order = {name: np.asarray(array, order="C") for name, array in weights.items()}
    return safetensors.numpy.save(in_order, {"ouroboros": json.dumps(about, sort_keys=True)})


def sha256_of(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def id_of(name: str, sha256: str) -> str:
    """Readable, safe as a file name, and the same for the same weights under the same name."""
    slug = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.") or "model"
    return f"{slug}-{sha256[:_HASH_IN_ID]}"


def write(folder: Path, file: str, content: bytes) -> None:
    """Put a file in place, whole or not at all.

    Raises:
        MachineError: the folder or the disk does not take it.
    """
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            fsync_folder(folder.parent)
        write_atomic(folder / file, content)
    except OSError as error:
        raise MachineError(
            f"cannot write the weights: {error.strerror}",
            where=str(folder / file),
            remedy="Check its space and rights.",
        ) from error


def damage_of(path: Path, sha256: str, size_bytes: int) -> str | None:
    """What is wrong with a file; None: it is there, and has this size and hash.

    Raises:
        MachineError: it cannot be read just now, which says nothing of the file.
    """
    read = _read(path, sha256, size_bytes)
    return read if isinstance(read, str) else None


def load(path: Path, sha256: str, size_bytes: int) -> dict[str, np.ndarray] | str:
    """The weights of a file by name, as arrays of their own shapes and types; or what is wrong with it, in words.

    Raises:
        MachineError: as `damage_of`.
    """
    content = _read(path, sha256, size_bytes)
    if isinstance(content, str):
        return content
    try:
        return {name: np.array(array) for name, array in safetensors.numpy.load(content).items()}
    except SafetensorError as error:
        return f"it is no safetensors file ({error})"


def orphans(folder: Path, named: set[str], before: datetime) -> list[Path]:
    """Files that no row names, last written an hour before `before` or earlier: of puts that were killed."""
    limit_s = (before - ORPHAN_AGE).timestamp()
    found = [path for path in folder.glob(f"*{SUFFIX}") if path.name not in named]
    found += folder.glob(f".*{SUFFIX}.*.tmp")
    return sorted(path for path in found if _is_file_of_before(path, limit_s))


def _is_file_of_before(path: Path, limit_s: float) -> bool:
    """Whether it is a file (no link, no folder) last written so long ago; one that its writer has just renamed is not
    there any more."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_mtime < limit_s


def _read(path: Path, sha256: str, size_bytes: int) -> bytes | str:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for, a device never ends
            return "it is no file"
        if found.st_size != size_bytes:  # however large it is: it need not be read
            return f"its {found.st_size} bytes are not those that were registered"
        content = path.read_bytes()
    except FileNotFoundError:
        return "it is gone"
    except OSError as error:
        if is_of_the_moment(error):
            raise MachineError(
                f"the weights cannot be read just now: {error.strerror}",
                where=str(path),
                remedy="Check its rights, and what else runs on this machine.",
            ) from error
        return f"it cannot be read ({error.strerror})"
    return content if sha256_of(content) == sha256 else f"its {len(content)} bytes are not those that were registered"
