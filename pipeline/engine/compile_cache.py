"""Where numba keeps compiled code, and the one decorator that every compiled function of the engine uses.

Rule: the folder is `$OUROBOROS_CACHE_DIR`, else `~/.cache/ouroboros`; where that cannot be written (read-only
or foreign home) it is a folder of this user below the system's temporary folder. Inside it code lies in
`numba/<digest>`, the digest being over the source text of this package and of every other file of `pipeline` that
compiles: numba itself only notices a change in the file of the function it loads, not in the functions that this one
calls, so a stale caller could survive. Where the package itself lies does not matter: a wheel, a second checkout and
a new environment find what another one of the same code compiled.
"""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
from numba import njit
from numba.core.caching import UserProvidedCacheLocator
from numba.core.types import unliteral

_Function = TypeVar("_Function")

_CONFIG: Any = numba.config
_SOURCE_FOLDER: Final = Path(__file__).parent
_COMPILES: Final = Path(__file__).stem.encode()
"""What every file outside of this package imports that compiles."""


def _source_digest() -> str:
    digest = hashlib.blake2b(digest_size=8)
    for source in sorted(_SOURCE_FOLDER.parent.rglob("*.py")):
        content = source.read_bytes()
        if source.is_relative_to(_SOURCE_FOLDER) or _COMPILES in content:
            digest.update(source.relative_to(_SOURCE_FOLDER.parent).as_posix().encode() + b"\0" + content)
    # Bounds-checked code is different code, but numba's own index does not tell them apart.
    digest.update(f"boundscheck={_CONFIG.BOUNDSCHECK}".encode())
    return digest.hexdigest()


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def cache_folder() -> Path:
    """Return the folder for compiled code, creating it; see the module's rule."""
    chosen = os.environ.get("OUROBOROS_CACHE_DIR", "")
    candidates = [Path(chosen)] if chosen else []
    with contextlib.suppress(RuntimeError):  # no home at all: the temporary folder serves
        candidates.append(Path.home() / ".cache" / "ouroboros")
    name = Path("numba") / _source_digest()
    for candidate in candidates:
        if _writable(candidate / name):
            return candidate / name
    fallback = Path(tempfile.gettempdir()) / f"ouroboros-{os.getuid()}" / name
    fallback.mkdir(parents=True, exist_ok=True, mode=0o700)
    return fallback


CACHE_FOLDER: Final = cache_folder()


class PackageCacheLocator(UserProvidedCacheLocator):
    """Files a function by its place in this package; numba's own locators go by the absolute path of the source."""

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        """The folder below CACHE_FOLDER; numba's own name for it where the file is none of ours."""
        package, path = _SOURCE_FOLDER.parent, Path(py_file).absolute()
        if path.is_relative_to(package):
            return "_".join(("pipeline", *path.parent.relative_to(package).parts))
        inherited: Any = super().get_suitable_cache_subpath
        return cast("str", inherited(py_file))


_CONFIG.CACHE_DIR = str(CACHE_FOLDER)
_CONFIG.CACHE_LOCATOR_CLASSES = f"{__name__}.{PackageCacheLocator.__name__}"


_njit: Any = njit
_unliteral: Any = unliteral
# `_nrt` off: no reference counts on arrays. Counting them costs an atomic instruction per array and call, twenty
# times the rules themselves; and code compiled so cannot allocate, which the engine must not do anyway.
_OPTIONS: Final = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}


def _without_literals(dispatcher: Any) -> Any:
    """Make compiled callers call one machine code for all constants of a type.

    Left alone, numba compiles a callee anew for every constant it is called with (`rng.draw` came in 13 forms), under
    names that repeat between processes: code cached by one of them then crashed when another loaded it.
    """
    typed = dispatcher.get_call_template

    def get_call_template(args: Any, kws: Any) -> Any:
        return typed(tuple(map(_unliteral, args)), {name: _unliteral(kind) for name, kind in kws.items()})

    dispatcher.get_call_template = get_call_template
    return dispatcher


def compiled(function: _Function) -> _Function:
    """Compile with numba: cached on disk, without the GIL or allocation, C-like division, no fast-math."""
    return cast("_Function", _without_literals(_njit(**_OPTIONS)(function)))


def inlined(function: _Function) -> _Function:
    """The same for what every turn runs through: always inlined into its compiled callers."""
    return cast("_Function", _without_literals(_njit(**_OPTIONS, forceinline=True)(function)))
