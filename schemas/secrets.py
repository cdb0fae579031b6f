"""Secrets: from the environment or a file only, never from the settings, never in a log."""

import os
from pathlib import Path

from schemas.errors import SettingsError
from schemas.files import open_plain
from schemas.ladder import TOKEN_VARIABLE
from schemas.settings import Settings

MOST_BYTES = 65_536


def read_secret(variable: str, file: Path | None) -> str:
    """The secret in environment variable `variable`, else the text of `file` without its last line break, else "".

    Raises:
        SettingsError: the file cannot be read, or holds no text.
    """
    if value := os.environ.get(variable):
        return value
    if file is None:
        return ""
    remedy = f"Fix the file, or set {variable}."
    try:
        with open_plain(file) as handle:
            data = handle.read(MOST_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"cannot read the secret: {error.strerror}", where=str(file), remedy=remedy) from error
    if len(data) > MOST_BYTES:
        raise SettingsError(f"a secret has no more than {MOST_BYTES:,} bytes", where=str(file), remedy=remedy)
    try:
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise SettingsError("the secret is not UTF-8 text", where=str(file), remedy=remedy) from error


def arena_token_path(settings: Settings) -> Path:
    """Where the public Arena's token is looked for, after the environment."""
    return settings.arena.token_file or settings.arena_dir / "token"


def has_arena_token(settings: Settings) -> bool:
    """Whether there is a token for the public Arena; it is not read."""
    return bool(os.environ.get(TOKEN_VARIABLE)) or arena_token_path(settings).exists()
