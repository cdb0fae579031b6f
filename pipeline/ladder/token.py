"""The Arena's token: from the environment or a file that only its owner may read; never in the settings, never told."""

import os
import stat
from pathlib import Path
from typing import Final

from schemas.errors import ArenaError, MachineError, SettingsError
from schemas.files import fsync_folder
from schemas.ladder import TOKEN_VARIABLE
from schemas.secrets import arena_token_path
from schemas.settings import Settings

_MOST_BYTES: Final = 4096


def read_token(settings: Settings) -> str:
    """Return the token; empty where there is none.

    Raises:
        SettingsError: the file cannot be read, others may read it, or what it holds is no token.
    """
    if told := os.environ.get(TOKEN_VARIABLE, ""):
        return _checked(told, f"the environment's {TOKEN_VARIABLE}")
    path = arena_token_path(settings)
    if settings.arena.token_file is None and not path.exists():
        return ""
    return read_token_file(path)


def required_token(settings: Settings) -> str:
    """Return the token.

    Raises:
        ArenaError: there is none.
        SettingsError: as `read_token`.
    """
    token = read_token(settings)
    if not token:
        raise ArenaError(
            "there is no token for the Arena",
            where=str(arena_token_path(settings)),
            remedy=f"Make one on the Arena's settings page; `ouroboros arena login` takes it from {TOKEN_VARIABLE} or"
            " from a file.",
        )
    return token


def read_token_file(path: Path) -> str:
    """Return the token in a file.

    Raises:
        SettingsError: as `read_token`.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SettingsError("the token's file is no plain file", where=str(path))
        with path.open("rb") as handle:
            data = handle.read(_MOST_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"the token cannot be read: {error.strerror}", where=str(path)) from error
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise SettingsError("others may read the token", where=str(path), remedy=f"chmod 600 {path}")
    return _checked(data.decode("utf-8", "replace"), str(path))


def keep_token(settings: Settings, token: str) -> Path:
    """Keep the token in its file, which only its owner may read.

    Raises:
        MachineError: it cannot be written.
    """
    path = arena_token_path(settings)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(token + "\n")
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        fsync_folder(path.parent)
    except OSError as error:
        raise MachineError(f"the token cannot be kept: {error.strerror}", where=str(path)) from error
    return path


def _checked(text: str, where: str) -> str:
    token = text.strip()
    if not token or len(token) > _MOST_BYTES or not all("!" <= letter <= "~" for letter in token):
        raise SettingsError("what stands there is no token: one word is one", where=where)
    return token
