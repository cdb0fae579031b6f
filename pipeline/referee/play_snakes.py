"""The snakes of `ouroboros play`: what they are called, and those that are built and started from folders."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from pipeline.referee.endpoint import shown_url
from pipeline.referee.game_pool import Contestant
from pipeline.referee.snake_process import SnakeCommand, SnakeProcess, running_snakes
from pipeline.snake_builder import BuiltSnake, Cancelled, SnakeBuilder, filled, split_command
from schemas.errors import BadInputError
from schemas.outside_text import NAME_LIMIT, line

BUILD_TIMEOUT_S = 600.0
BUILD_COMMAND = "go build -o {output} ."
RUN_COMMAND = "{binary}"
CONFIG_FILE = "config.yaml"
LONGEST_NAME = 48
"""Characters of a URL in a table; of a longer one the beginning and the end are shown."""


def names_of(urls: Sequence[str], folders: Sequence[Path], given: Sequence[str]) -> list[str]:
    """Return a name per snake, all different: those given, in order, then URLs without passwords and folders' names.

    Raises:
        BadInputError: more names than snakes, a name given twice, or one of which nothing would be seen.
    """
    count = len(urls) + len(folders)
    if not all(name.strip() for name in given):
        raise BadInputError("a name is empty", where="--name", remedy="Leave it out, or give some letters.")
    if len(given) > count or len(set(given)) < len(given):
        what = f"{len(given)} names for {count} snakes" if len(given) > count else "a name is given twice"
        raise BadInputError(what, where="--name", remedy="Name each snake once: first the --url, then the folders.")
    own = [_short(shown_url(url)) for url in urls] + [line(folder.resolve().name, NAME_LIMIT) for folder in folders]
    names = [*(line(name, NAME_LIMIT) for name in given), *own[len(given) :]]
    often = Counter(names)
    return [name if often[name] == 1 else f"{name} #{number}" for number, name in enumerate(names, start=1)]


def _short(url: str) -> str:
    if len(url) <= LONGEST_NAME:
        return line(url, NAME_LIMIT)
    return line(f"{url[: LONGEST_NAME // 2]}…{url[-LONGEST_NAME // 2 + 1 :]}", NAME_LIMIT)


def commands_for(folders: Sequence[Path], given: Sequence[str], default: str, option: str) -> list[str]:
    """Return a command per folder: the one given for all, or one given for each.

    Raises:
        BadInputError: another number of them, or no folder that they could be for.
    """
    if given and not folders:
        raise BadInputError("there is no folder to use it on", where=option, remedy="Give the folder with --snake-dir.")
    if len(given) not in (0, 1, len(folders)):
        raise BadInputError(
            f"{len(given)} commands for {len(folders)} folders",
            where=option,
            remedy="Give one for all folders, or one for each in their order.",
        )
    return list(given) if len(given) == len(folders) > 1 else [given[0] if given else default] * len(folders)


@contextmanager
def started(
    folders: Sequence[Path], names: Sequence[str], builds: Sequence[str], runs: Sequence[str], stop: Event
) -> Iterator[list[Contestant]]:
    """Build each folder's snake in a copy of its own and run it; one process per mention.

    Raises:
        SnakeError, SettingsError, MachineError: it does not build or start.
        KeyboardInterrupt: `stop` was set meanwhile.
    """
    with tempfile.TemporaryDirectory(prefix="ouroboros-play-") as scratch:
        snakes = []
        for index, (folder, name, build, run) in enumerate(zip(folders, names, builds, runs, strict=True)):
            place = Path(scratch) / str(index)
            place.mkdir()
            builder = SnakeBuilder(folder, place, CONFIG_FILE, build, BUILD_TIMEOUT_S, weights_at_start=False)
            try:
                built = builder.build(name, None, stop.is_set)
            except Cancelled:
                raise KeyboardInterrupt from None
            snakes.append(SnakeProcess(name, _command(run, built), place / "snake.log", stop=stop.is_set))
        with running_snakes(snakes):
            yield [Contestant(snake.name, snake.quickest_url) for snake in snakes]


def _command(run: str, built: BuiltSnake) -> SnakeCommand:
    words = split_command(run, "--run-command")
    if not words:
        raise BadInputError("it is empty", where="--run-command", remedy=f"The default is {RUN_COMMAND}.")
    argv = tuple(filled(words, {"binary": str(built.binary), "config": str(built.config)}))
    return SnakeCommand(argv, cwd=built.folder, settings_file=built.config if built.config.is_file() else None)
