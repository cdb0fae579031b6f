"""A control group of a test's own with a limit on memory, where this machine lets one be made."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ROOT = Path("/sys/fs/cgroup")


@contextmanager
def memory_group(limit_bytes: int) -> Iterator[Path]:
    """Its folder: whoever writes its process number into `cgroup.procs` there is in it. Removed at the end, when it has
    to be empty. The test is left out where none can be made (a container, an ordinary user): no package brings it."""
    version_1 = _ROOT / "memory"
    name = f"ouroboros-test-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    group = (version_1 if version_1.is_dir() else _ROOT) / name
    limits = (
        {"memory.limit_in_bytes": limit_bytes, "memory.memsw.limit_in_bytes": limit_bytes}
        if version_1.is_dir()
        else {"memory.swap.max": 0, "memory.max": limit_bytes}
    )
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        for file, value in limits.items():
            if (group / file).exists():
                (group / file).write_text(str(value))
        if not any((group / file).exists() for file in limits):
            pytest.skip("the control groups here do not limit memory")
        yield group
    finally:
        group.rmdir()
