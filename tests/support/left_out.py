"""What a test needs beyond the README's list: without it the test is left out by name, or fails where all must run."""

import os
import shlex
import shutil
import subprocess
from typing import NoReturn

import pytest

OWN_MOUNTS = ("unshare", "--map-root-user", "--mount")
"""Runs a command in a mount name space of its own."""


def leave_out(reason: str) -> NoReturn:
    """Skip the test, or fail it under `OUROBOROS_TESTS_REQUIRE_ALL=1`, which CI sets."""
    if os.environ.get("OUROBOROS_TESTS_REQUIRE_ALL") == "1":
        pytest.fail(f"left out, and every test must run: {reason}")
    pytest.skip(reason)


def needed_program(name: str, package: str = "") -> str:
    """The program's path; `package` is what brings it, where that has another name."""
    return shutil.which(name) or leave_out(f"there is no {name} here (package {package or name})")


def own_mounts(mount: str) -> None:
    """Try a mount command in a mount name space of its own; containers forbid it."""
    needed_program(OWN_MOUNTS[0], "util-linux")
    trial = subprocess.run([*OWN_MOUNTS, "sh", "-c", mount], capture_output=True, check=False, timeout=60)
    if trial.returncode:
        leave_out(f"no mount name space here ({shlex.join(OWN_MOUNTS)}): {trial.stderr.decode().strip()}")
