"""A copy of a Go module builds like the original: paths in its go.mod that lead out of it lead to the same place."""

import re
from pathlib import Path

from pipeline.bundled import DEPLOY

ARENA_MODULE = "ouroboros-arena"
"""What a Go snake imports to play its games in its own process; see deploy/go-snake/arena/README.md."""
ARENA_FOLDER = DEPLOY / "go-snake" / "arena"
_REPLACE = re.compile(r"(?m)^(\s*(?:replace\s+)?(\S+)(?:\s+v\S+)?\s+=>\s+)(\.\.?/\S*|/\S+)")


def mend_replaces(copy: Path, source: Path) -> None:
    """Rewrite the local paths of `copy`/go.mod, if there is one, that mean something else than in `source`.

    A path below the folder was copied too and stays. Where our arena is not found by its path (the snake comes from
    another machine), this installation's is taken.

    Raises:
        OSError: the file cannot be read or written.
    """
    file = copy / "go.mod"
    if not file.is_file():
        return

    def place(match: re.Match[str]) -> str:
        before, module, path = match.groups()
        there = (source / path).resolve()
        if module == ARENA_MODULE and not there.is_dir():
            there = ARENA_FOLDER
        elif there.is_relative_to(source.resolve()):
            return match[0]
        return f"{before}{there}"

    text = file.read_bytes().decode()
    mended = _REPLACE.sub(place, text)
    if mended != text:
        file.write_bytes(mended.encode())


def links_arena(source: Path) -> bool:
    """Whether the Go module in `source` asks for our arena: whether its program is worth asking for a hello."""
    file = source / "go.mod"
    return file.is_file() and ARENA_MODULE in file.read_text(encoding="utf-8", errors="replace")
