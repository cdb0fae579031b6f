"""The end of a text file, whatever is in it and however long it is."""

from pathlib import Path

from schemas.outside_text import passage

TAIL_BYTES = 12_000


def tail(path: Path, lines: int, within: Path) -> list[str]:
    """The last lines of a file, safe to show; none where there is no such file, or it lies outside `within`."""
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(within.resolve()) or not real.is_file():
            return []
        with real.open("rb") as handle:
            size = handle.seek(0, 2)
            handle.seek(max(0, size - TAIL_BYTES))
            data = handle.read(TAIL_BYTES)
    except OSError:
        return []
    if size > TAIL_BYTES:
        data = data.partition(b"\n")[2]
    return passage(data, TAIL_BYTES).splitlines()[-lines:]
