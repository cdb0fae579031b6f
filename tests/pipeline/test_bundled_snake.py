"""The bundled snake's program: built once, the newest kept."""

import os
import subprocess
from pathlib import Path

from pipeline.bundled_snake import bundled_snake


def test_it_is_built_once_and_of_older_ones_the_newest_stay(tmp_path: Path) -> None:
    for age, name in enumerate(["snake-new", "snake-old", "snake-older", "snake-oldest"]):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    binary = bundled_snake(tmp_path)
    said = subprocess.run([binary, "-choose", "10"], input=b"nothing\n", capture_output=True, check=True)
    assert said.stdout.startswith(b"! ")
    assert {path.name for path in tmp_path.iterdir()} == {binary.name, "snake-new", "snake-old"}
    built_at = binary.stat().st_mtime_ns
    assert bundled_snake(tmp_path).stat().st_mtime_ns == built_at, "not built again"
