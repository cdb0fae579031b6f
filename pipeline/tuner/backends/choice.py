"""Which backend plays: the fastest that the snake allows, unless the settings name one."""

import shutil

from pipeline.tuner.backends import Backend
from pipeline.tuner.backends.http import HttpBackend
from pipeline.tuner.snake_source import SnakeSource
from schemas.settings import Settings


def choose(settings: Settings, source: SnakeSource) -> Backend:
    """Open the backend.

    Raises:
        SnakeError: `backend` asks for one that the snake does not allow.
        MachineError: no disk.
    """
    folder = settings.tuner_dir
    for stale in folder.glob("scratch_*"):  # of a tuner that was killed; the folder's lock is ours
        shutil.rmtree(stale, ignore_errors=True)
    return HttpBackend(source.folder, folder, settings.tuner, source.run_command)
