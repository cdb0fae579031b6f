"""`python -m runner.web`: how `ouroboros up` starts the web process."""

import sys

from runner.web.server import serve
from schemas.errors import OuroborosError
from schemas.settings import get_config

if __name__ == "__main__":
    try:
        serve(get_config())
    except OuroborosError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
