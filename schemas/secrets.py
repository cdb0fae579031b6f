"""Secrets: from the environment or a file only, never from the settings, never in a log."""

import os
from pathlib import Path

from schemas.errors import SettingsError


def read_secret(variable: str, file: Path | None) -> str:
    """The secret in environment variable `variable`, else the text of `file` without its last line break, else "".

    Raises:
        SettingsError: the file cannot be read.
    """
    if value := os.environ.get(variable):
        return value
    if file is None:
        return ""
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise SettingsError(
            f"cannot read the secret: {error.strerror}", where=str(file), remedy=f"Fix the file, or set {variable}."
        ) from error
