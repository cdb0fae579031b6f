"""Who sits at the terminal, for rows that say who asked."""

import getpass
import os

from schemas.outside_text import NAME_LIMIT, line


def user_name() -> str:
    """The login name; the user's number where nobody has given it a name, as in a container that runs under a number
    of its own."""
    try:
        return line(getpass.getuser(), NAME_LIMIT)
    except (KeyError, OSError):  # OSError from Python 3.13 on
        return f"user {os.getuid()}"
