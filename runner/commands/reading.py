"""Read the text of a file that a command was given."""

from pathlib import Path

import click

from schemas.errors import ScheduleError


def text_of(file: Path) -> str:
    """The file's text; `-` is standard input.

    Raises:
        ScheduleError: it cannot be read, or is not UTF-8.
    """
    try:
        with click.open_file(str(file), "rb") as handle:
            return bytes(handle.read()).decode("utf-8")
    except OSError as error:
        raise ScheduleError(f"cannot read the file: {error.strerror}", where=str(file)) from error
    except UnicodeDecodeError as error:
        raise ScheduleError(
            f"the file is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}",
            where=str(file),
            remedy="Save it as UTF-8.",
        ) from error
