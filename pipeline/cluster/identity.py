"""What this machine is, as far as games depend on it."""

import hashlib
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.bundled import DEPLOY
from schemas.cluster import NodeIdentity

_PLAYS = ("engine", "referee", "snakes", "tuner", "cluster")
"""The rooms of this package that decide a game's moves."""


@cache
def own_identity() -> NodeIdentity:
    """Of this machine and this installation."""
    try:
        release = version("ouroboros")
    except PackageNotFoundError:
        release = "unknown"
    return NodeIdentity(
        version=f"{release}+{_code_digest()}",
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        machine=platform.machine(),
        cpu=_cpu_model(),
    )


def _code_digest() -> str:
    """Of all that plays: the same release edited is another one."""
    home = Path(__file__).parents[1]
    files = [path for room in _PLAYS for path in sorted((home / room).rglob("*.py"))]
    files += sorted(path for path in (DEPLOY / "go-snake" / "arena").rglob("*.go") if path.is_file())
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def _cpu_model(info: Path = Path("/proc/cpuinfo")) -> str:
    try:
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "CPU part"))]
    return names[0] if names else platform.processor() or "unknown"
