"""Which backend plays: the fastest that the snake allows, unless the settings name one."""

import shutil
from collections.abc import Callable
from pathlib import Path

from pipeline.live_games import LiveGames, ToldGames
from pipeline.tuner.backends import Backend
from pipeline.tuner.backends.http import HttpBackend
from pipeline.tuner.backends.inprocess import open_inprocess
from pipeline.tuner.snake_source import SnakeSource
from schemas.errors import SnakeError
from schemas.live_game import LiveSource
from schemas.settings import Settings
from schemas.tuning import BackendChoice


def choose(
    settings: Settings,
    source: SnakeSource,
    abandon: Callable[[], bool],
    scratch: Path | None = None,
    live: ToldGames | None = None,
) -> Backend:
    """Open the backend.

    Args:
        scratch: a folder whose lock the caller holds, for scratch copies; None: the tuner's.
        live: where a game is told while it is played; None: it is shown to whoever looks, as one of the tuner's.

    Raises:
        SnakeError: `backend` asks for one that the snake does not allow, or the snake does not build.
        MachineError: no toolchain, no disk.
        Cancelled: `abandon` became true meanwhile.
    """
    folder, tuner = scratch or settings.tuner_dir, settings.tuner
    told = live or LiveGames(settings.home, LiveSource.TUNER)
    for stale in folder.glob("scratch_*"):  # of a tuner that was killed; the folder's lock is ours
        shutil.rmtree(stale, ignore_errors=True)

    def over_http(why: str) -> Backend:
        return HttpBackend(source.folder, folder, tuner, source.run_command, why, told)

    if tuner.backend is BackendChoice.HTTP:
        return over_http("the settings ask for it")
    opened = open_inprocess(source.folder, folder, tuner, abandon, over_http, told)
    if not isinstance(opened, str):
        return opened
    if tuner.backend is BackendChoice.IN_PROCESS:
        raise SnakeError(
            f"its games cannot be played in its own process: {opened}",
            where=str(source.folder),
            remedy="Link the arena package, or leave tuner.backend at auto.",
        )
    return over_http(opened)
