"""Small records, nothing allocated by a turn, no byte touched outside the arrays, and a cache that finds its place."""

import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from numba.core.runtime import _nrt_python, rtsys

import pipeline
from pipeline.engine import Batch, Game, GameSpec
from pipeline.engine.layout import LINE, record_bytes

CHILD_S = 280


def run(code: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        timeout=CHILD_S,
        env=os.environ | environment,
    ).stdout.strip()


def test_a_game_takes_less_than_a_kilobyte() -> None:
    assert record_bytes(Batch.uniform(1024, GameSpec()).records) < 1000
    mixed = Batch([GameSpec(7, 7, 2)] * 10 + [GameSpec(25, 25, 16)])
    assert record_bytes(mixed.records) < 4000


def test_a_turn_allocates_nothing() -> None:
    assert any(allocates_nothing() for _ in range(5)), "other threads of the process allocate now and then, not always"


def allocates_nothing() -> bool:
    batch = Batch.uniform(64, GameSpec(19, 19, 8, "royale", "hz_scatter"))
    batch.reset(6)
    batch.play_random(3)
    batch.step(batch.actions)
    _nrt_python.memsys_enable_stats()
    before = rtsys.get_allocation_stats()
    tracemalloc.start()
    try:
        first, _ = tracemalloc.get_traced_memory()
        batch.play_random(500)
        for _ in range(50):
            batch.step()
        last, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    after = rtsys.get_allocation_stats()
    return after.alloc == before.alloc and last - first < 2000 and peak - first < 8000


def test_states_can_be_read_all_game_long_without_growing() -> None:
    game = Game.new(11, 11, ["a", "b"], "wrapped", settings={"foodSpawnChance": 100}, seed=4)
    for turn in range(300):
        if game.is_over():
            break
        game.step({"a": "up", "b": ["up", "right"][turn % 2]})
        assert len(game.to_state()["snakes"]) == 2


def test_importing_the_package_loads_no_numba() -> None:
    assert run("import sys, pipeline.engine; print('numba' in sys.modules)") == "False"


def test_the_cache_folder_is_the_one_named(tmp_path: Path) -> None:
    code = "from pipeline.engine.compile_cache import cache_folder; print(cache_folder())"
    assert run(code, OUROBOROS_CACHE_DIR=str(tmp_path)).startswith(str(tmp_path))
    home = tmp_path / "home"
    home.mkdir()
    assert run(code, OUROBOROS_CACHE_DIR="", HOME=str(home)).startswith(str(home / ".cache" / "ouroboros"))


def test_another_installation_of_the_same_code_finds_what_was_compiled(tmp_path: Path) -> None:
    root = Path(pipeline.__file__).parents[1]
    cache = tmp_path / "cache"
    code = (
        "from pipeline.engine import rng; import numpy as np; rng.derive_seed(np.int64(1), np.int64(2));"
        "print(rng.__file__, sum(rng.derive_seed.stats.cache_misses.values()))"
    )
    for number, misses in ((1, 1), (2, 0)):
        copy = tmp_path / f"copy{number}"
        for package in ("pipeline", "schemas"):
            shutil.copytree(root / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "deploy"))
        told = run(f"import sys; sys.path.insert(0, {str(copy)!r}); {code}", OUROBOROS_CACHE_DIR=str(cache)).split()
        assert told == [str(copy / "pipeline/engine/rng.py"), str(misses)]


@pytest.mark.parametrize("place", ["OUROBOROS_CACHE_DIR", "HOME"])
def test_a_cache_folder_that_cannot_be_written_is_replaced(tmp_path: Path, place: str) -> None:
    """A file where the folder should be stands for a home that nobody may write to, also for root."""
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    code = "from pipeline.engine.compile_cache import cache_folder; print(cache_folder())"
    variables = {"OUROBOROS_CACHE_DIR": "", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)} | {place: str(blocked)}
    assert run(code, **variables).startswith(str(tmp_path))


def test_every_record_begins_on_a_cache_line_and_is_one_row() -> None:
    records = Batch([GameSpec(7, 9, 3), GameSpec(11, 11, 4)] * 3).records
    step = records.clock.strides[0]
    assert (records.fields.strides[0], records.grid.strides[0]) == (step, step)
    assert step % LINE == 0
    for game in range(6):
        row = records.game(game)
        start, end = row.clock.ctypes.data, row.grid.ctypes.data + row.grid.nbytes
        assert start % LINE == 0
        assert start < row.fields.ctypes.data < row.grid.ctypes.data
        assert end <= start + step
