"""Which code trained a model."""

import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_GIT_LIMIT_S = 10


@cache
def code_revision() -> str:
    """The version, and in a git checkout the commit, with `+` where tracked files differ: `0.2.0 ab12cd34ef56+`."""
    try:
        released = version("ouroboros")
    except PackageNotFoundError:
        released = "not installed"
    # Installed below somebody else's checkout (a virtual environment in it), we are not what is committed there.
    commit = _git("ls-files", __file__) and _git("rev-parse", "--short=12", "HEAD")
    if not commit:
        return released
    return f"{released} {commit}{'+' if _git('status', '--porcelain', '--untracked-files=no') else ''}"


def _git(*arguments: str) -> str:
    """What git says of the folder of this file; empty outside of a checkout, or without git."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_GIT_LIMIT_S)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
