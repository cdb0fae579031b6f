"""Free disk of every folder that is written to, links followed."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Disk:
    """The fullest of the file systems looked at."""

    free_bytes: int
    folder: Path
    """On that file system: where a link leads to, not the link."""


class Disks:
    """Looks at the file systems of `folders`, each once.

    A folder that is not there yet is judged by where it would be made; a link that leads nowhere yet, by its target.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self.at = ""
        """The folder that is looked at now, for a look that does not come back."""

    def fullest(self) -> Disk:
        """The one with the least free space for us. One that does not tell its size (in user space, often over a
        network) is not full: it answers with zeros.

        Raises:
            OSError: one of them cannot be looked at, or none tells.
        """
        seen: dict[int, Disk | None] = {}
        for folder in self.folders:
            self.at = str(folder)
            place = _existing(folder)
            device = _device(place)
            if device not in seen:
                figures = os.statvfs(place)
                told = figures.f_blocks > 0
                seen[device] = Disk(figures.f_bavail * figures.f_frsize, place) if told else None
        self.at = ""
        known = [disk for disk in seen.values() if disk is not None]
        if not known:
            raise OSError(f"no file system of {', '.join(map(str, self.folders))} tells how large it is")
        return min(known, key=lambda disk: disk.free_bytes)


def _existing(folder: Path) -> Path:
    place = folder.resolve()
    while not place.exists():
        place = place.parent
    return place


def _device(place: Path) -> int:
    return place.stat().st_dev
