"""What a user sees of an exception that nobody foresaw: one line, what to do, and where the whole report is."""

import errno
import os
import re
import sys
import tempfile
import traceback
from datetime import datetime
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from schemas.errors import BadInputError, MachineError
from schemas.files import write_atomic
from schemas.outside_text import error_line, line
from schemas.settings import HOME_VARIABLE

_DISTRIBUTION = "ouroboros"
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def missing_package(error: ModuleNotFoundError, command: str) -> MachineError | None:
    """The error that names the extra to install, where the module belongs to one of ours; else None.

    Extras are read from the installed package's own metadata; each package of ours there has its module's name.
    """
    module = (error.name or "").partition(".")[0]
    try:
        wanted = requires(_DISTRIBUTION) or []
    except PackageNotFoundError:
        return None
    extras = [want.rpartition("extra ==")[2].strip(" \"'") for want in wanted if _names(want, module)]
    if not extras:
        return None
    return MachineError(
        f"{module} is not installed",
        where=f"ouroboros {command}",
        remedy=f"Install it: pip install 'ouroboros[{extras[0]}]'.",
    )


def _names(requirement: str, module: str) -> bool:
    name = requirement.partition("==")[0].strip().replace("-", "_").lower()
    return "extra ==" in requirement and name == module.lower() and bool(module)


def refused_by_system(error: Exception, arguments: list[str]) -> BadInputError | MachineError | None:
    """The error that names what the system refused; None: it refused nothing."""
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return BadInputError("a name is too long for the file system", where=line(str(error.filename), 120))
    if isinstance(error, FileNotFoundError) and error.filename is None and _stands_nowhere():
        return BadInputError(
            "the folder that this was typed in is gone",
            where=f"ouroboros {line(' '.join(arguments[:1]), 40)}",
            remedy=f"Change to one that is there, or name the state folder by its whole path in {HOME_VARIABLE}.",
        )
    if isinstance(error, OSError) and error.strerror:
        where = f"ouroboros {line(' '.join(arguments[:1]), 40)}: {line(str(error.filename or 'no file named'), 200)}"
        return MachineError(error.strerror, where=where, remedy="Look at the file's rights, the disk and the memory.")
    return None


def _stands_nowhere() -> bool:
    try:
        Path.cwd()
    except OSError:
        return True
    return False


def report(error: BaseException, arguments: list[str], now: datetime) -> str:
    """Keep the traceback in a file and return the line for the user. Never raises."""
    text = f"ouroboros {' '.join(arguments)}\nPython {sys.version}\n\n" + "".join(traceback.format_exception(error))
    text = _CREDENTIALS.sub("***", text)
    kept = _kept(text.encode(errors="backslashreplace"), f"failure_{now:%Y%m%d_%H%M%S}_{os.getpid()}.txt")
    return f"error: an unforeseen failure, {error_line(error, 300)}. Please report it with {kept}."


def _kept(text: bytes, name: str) -> str:
    for folder in (Path(os.environ.get(HOME_VARIABLE) or "automation") / "logs", Path(tempfile.gettempdir())):
        try:
            if folder.is_dir():
                write_atomic(folder / name, text)
                return str(folder / name)
        except (OSError, ValueError):
            continue
    return "what you typed (no folder could be written to keep the details)"
