"""From a backend of this machine to one of all machines: what a run calls."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.cluster.backend import ClusterBackend, Link
from pipeline.cluster.bridge import Bridge
from pipeline.cluster.head import find_head
from pipeline.cluster.identity import own_identity
from pipeline.cluster.parcels import pack
from pipeline.cluster.words import Begin, Opening, Parcel
from pipeline.tuner.backends import Backend
from pipeline.tuner.snake_source import SnakeSource
from schemas.cluster import cluster_dir
from schemas.errors import OuroborosError
from schemas.settings import Settings
from schemas.tuning import Wanted


def spread(
    local: Backend,
    settings: Settings,
    source: SnakeSource,
    tell: Callable[[str], None],
    folders: Iterable[str] = (),
) -> Backend:
    """The same games on every node of this state folder's cluster, now or as soon as there is one.

    Args:
        local: plays on this machine, and whatever no node can.
        folders: other snakes that take part.
        tell: told in a sentence who comes and goes.
    """
    packing = _Packing(source.folder, [where for where in folders if Path(where).is_dir()], tell)
    milliseconds = Wanted.MOVE_TIME in settings.tuner.objectives

    def reach() -> Link | None:
        head = find_head(settings.home)
        if head is None or (main := packing.main()) is None:
            return None
        tuner = settings.tuner.model_copy(update={"snake_dir": None, "weight_spec": None, "parallel_games": None})
        opening = Opening(main.digest, tuner, source.run_command)
        parcels = (main, *packing.others.values())
        log = cluster_dir(settings.home) / f"bridge-{os.getpid()}.log"
        return Bridge(head, Begin(opening, parcels, own_identity(), milliseconds), log)

    return ClusterBackend(local, reach, packing.digest, tell)


class _Packing:
    """The snakes, packed when they are first wanted: without a head nothing is read."""

    def __init__(self, main: Path, others: list[str], tell: Callable[[str], None]) -> None:
        self._folder, self._names, self._tell = main, others, tell
        self._main: Parcel | None = None
        self._packed = False
        self.others: dict[str, Parcel] = {}

    def main(self) -> Parcel | None:
        """The snake that is tuned; None: it cannot travel."""
        if not self._packed:
            self._packed = True
            self._main = self._pack(self._folder)
            packed = {name: self._pack(Path(name)) for name in self._names}
            self.others = {str(Path(name).resolve()): parcel for name, parcel in packed.items() if parcel is not None}
        return self._main

    def digest(self, folder: str) -> str | None:
        """By which the nodes know this folder."""
        parcel = self.others.get(folder)
        return parcel.digest if parcel else None

    def _pack(self, folder: Path) -> Parcel | None:
        try:
            return pack(folder)
        except OuroborosError as error:
            self._tell(f"⚠ Its games stay on this machine: {error}")
            return None
