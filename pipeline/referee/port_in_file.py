"""A snake that takes its port from its own settings file and not from us: there the number is changed instead."""

import re
from pathlib import Path

from schemas.files import write_atomic


class PortInFile:
    """The place in a snake's settings file that holds its port, once `found`.

    Args:
        path: the file, which is the snake's copy and may be changed; None: it has none.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stands: int | None = None

    def found(self, port: int) -> bool:
        """Note that the snake listens on `port`; return whether that number stands in the file in exactly one place.

        Comments (from `#` on) do not count.
        """
        if self._path is None or not self._path.is_file():
            return False
        if len(_places(_text_of(self._path), port)) != 1:
            return False
        self._stands = port
        return True

    def put(self, port: int) -> None:
        """Write `port` where the snake's stands; nothing where no such place was found.

        Raises:
            OSError: the file cannot be written.
        """
        if self._path is None or self._stands is None:
            return
        text = _text_of(self._path)
        places = _places(text, self._stands)
        if len(places) != 1:  # the snake wrote its file anew meanwhile
            return
        ((start, end),) = places
        write_atomic(self._path, f"{text[:start]}{port}{text[end:]}".encode(errors="surrogateescape"))
        self._stands = port


def _text_of(path: Path) -> str:
    """With every byte kept, be it no UTF-8."""
    return path.read_bytes().decode(errors="surrogateescape")


def ports_in_use(log: str) -> set[int]:
    """The ports that a snake's words call taken: `listen tcp :8080: bind: address already in use` and its like."""
    return {
        int(port)
        for line in log.splitlines()
        if "address already in use" in line.lower()
        for port in re.findall(r"(?<![\d.]):?(\d{2,5})(?![\d.])", line)
    }


def _places(text: str, port: int) -> list[tuple[int, int]]:
    """Where the number stands by itself, before any comment of its line."""
    found = []
    for match in re.finditer(rf"(?<![\w.]){port}(?![\w.])", text):
        line_start = text.rfind("\n", 0, match.start()) + 1
        if "#" not in text[line_start : match.start()]:
            found.append(match.span())
    return found
