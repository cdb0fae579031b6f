"""From a backend of this machine to one of all machines: what a run calls."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.cluster.backend import ClusterBackend
from pipeline.cluster.bridge import Bridge
from pipeline.cluster.messages import Begin, Link, OpenGames, SnakePackage
from pipeline.cluster.node import find_head, own_identity
from pipeline.cluster.snake_packages import pack_snake
from pipeline.tuner.backends import Backend
from pipeline.tuner.snake_source import SnakeSource
from schemas.cluster import cluster_dir
from schemas.errors import OuroborosError
from schemas.settings import Settings
from schemas.tuning import Wanted


def on_all_machines(
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
    one_model = Wanted.MOVE_TIME in settings.tuner.objectives

    def reach() -> Link | None:
        head = find_head(settings.home)
        if head is None or (main := packing.main()) is None:
            return None
        tuner = settings.tuner.model_copy(update={"snake_dir": None, "weight_spec": None, "parallel_games": None})
        opening = OpenGames(main.digest, tuner, source.run_command)
        packages = (main, *packing.others.values())
        log = cluster_dir(settings.home) / f"bridge-{os.getpid()}.log"
        return Bridge(head, Begin(opening, packages, own_identity(), one_model), log)

    return ClusterBackend(local, reach, packing.digest, tell)


class _Packing:
    """The snakes, packed when they are first wanted: without a head nothing is read."""

    def __init__(self, main: Path, others: list[str], tell: Callable[[str], None]) -> None:
        self._folder, self._names, self._tell = main, others, tell
        self._main: SnakePackage | None = None
        self._packed = False
        self.others: dict[str, SnakePackage] = {}

    def main(self) -> SnakePackage | None:
        """The snake that is tuned; None: it cannot travel."""
        if not self._packed:
            self._packed = True
            self._main = self._pack(self._folder)
            packed = {name: self._pack(Path(name)) for name in self._names}
            self.others = {
                str(Path(name).resolve()): package for name, package in packed.items() if package is not None
            }
        return self._main

    def digest(self, folder: str) -> str | None:
        """By which the nodes know this folder."""
        package = self.others.get(folder)
        return package.digest if package else None

    def _pack(self, folder: Path) -> SnakePackage | None:
        try:
            return pack_snake(folder)
        except OuroborosError as error:
            self._tell(f"⚠ Its games stay on this machine: {error}")
            return None
