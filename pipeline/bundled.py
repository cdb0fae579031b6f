"""Where the files of `deploy/` are: beside the packages in a checkout, inside them where a wheel was installed."""

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent
DEPLOY: Final = next(
    (folder for folder in (_PACKAGE.parent / "deploy", _PACKAGE / "deploy") if (folder / "go-snake").is_dir()),
    _PACKAGE / "deploy",
)
"""The folder: `go-snake`, `rust-snake`, settings to start from, service units, scripts. It is only ever read: what is
built from it is built in a copy."""
