"""What a long run says: to a console log file of its own, and to whoever started it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from schemas.errors import MachineError
from schemas.outside_text import TRACE_LIMIT, passage

Tell = Callable[[str], None]


@contextmanager
def opened(folder: Path, now: Callable[[], datetime], echo: Tell) -> Iterator[Tell]:
    """A function that writes messages, with the time, to `training_YYYYMMDD_HHMMSS.log` and passes them to `echo`.

    Raises:
        MachineError: the file cannot be made, or later not be written.
    """
    path = folder / f"training_{now():%Y%m%d_%H%M%S}.log"
    try:
        handle = path.open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise _unwritable(path, error) from error
    with handle:

        def tell(message: str) -> None:
            message = passage(message, TRACE_LIMIT)
            echo(message)
            try:
                handle.write(f"{now():%Y-%m-%d %H:%M:%S} {message}\n")
            except OSError as error:
                raise _unwritable(path, error) from error

        yield tell


def _unwritable(path: Path, error: OSError) -> MachineError:
    return MachineError(
        f"the console log cannot be written: {error.strerror}", where=str(path), remedy="Free some space."
    )
