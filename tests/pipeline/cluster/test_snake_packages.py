"""Snakes travel as source, are known by what is in them, and are built once."""

import os
import pickle
import shutil
import threading
from pathlib import Path

import pytest

from pipeline.cluster.snake_packages import KEPT, built, pack_snake, unpacked_snake
from schemas.errors import SnakeError
from schemas.tuning import TunerSettings

BUILD = "sh build.sh {output}"


@pytest.fixture
def snake(tmp_path: Path) -> Path:
    folder = tmp_path / "snake"
    (folder / "deep").mkdir(parents=True)
    (folder / "config.yaml").write_text("a: 1\n")
    (folder / "deep" / "code.txt").write_bytes(b"\0\xff")
    # Each build adds a letter beside the store: so it is seen how often one was built.
    (folder / "build.sh").write_text(f'printf x >> "{tmp_path}/builds"; echo "#!/bin/sh" > "$1"; chmod +x "$1"\n')
    (folder / "build.sh").chmod(0o755)
    return folder


def test_a_snake_arrives_as_it_left(snake: Path, tmp_path: Path) -> None:
    package = pack_snake(snake)
    place = unpacked_snake(package, tmp_path / "store")
    assert pack_snake(place) == package
    assert (place / "deep" / "code.txt").read_bytes() == b"\0\xff"
    assert (place / "build.sh").stat().st_mode & 0o111
    assert unpacked_snake(package, tmp_path / "store") == place


def test_what_a_build_or_git_left_is_not_the_snake(snake: Path) -> None:
    before = pack_snake(snake).digest
    (snake / ".ouroboros-snake").write_text("binary")
    (snake / ".git").mkdir()
    (snake / ".git" / "HEAD").write_text("x")
    assert pack_snake(snake).digest == before
    (snake / "deep" / "code.txt").write_bytes(b"other")
    assert pack_snake(snake).digest != before


def test_it_is_built_once_however_many_want_it(snake: Path, tmp_path: Path) -> None:
    place = unpacked_snake(pack_snake(snake), tmp_path / "store")
    tuner = TunerSettings(build_command=BUILD)
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(built(place, tuner, lambda: False))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert (found[0] / ".ouroboros-snake").exists()
    assert (tmp_path / "builds").read_text() == "x"
    built(place, TunerSettings(build_command=f"{BUILD} again"), lambda: False)
    assert (tmp_path / "builds").read_text() == "xx"


def test_old_snakes_make_room(snake: Path, tmp_path: Path) -> None:
    for number in range(KEPT + 3):
        (snake / "config.yaml").write_text(f"a: {number}\n")
        place = unpacked_snake(pack_snake(snake), tmp_path / "store")
        built(place, TunerSettings(build_command=BUILD), lambda: False)
    folders = [path for path in (tmp_path / "store").iterdir() if path.is_dir()]
    assert len([path for path in folders if ".built." not in path.name]) == KEPT
    assert place in folders


def test_a_module_that_leads_out_of_its_folder_cannot_travel(snake: Path) -> None:
    (snake / "go.mod").write_text("module hydra\n\nreplace lib.org/x => ../x\n")
    with pytest.raises(SnakeError, match=r"lib.org/x => \.\./x"):
        pack_snake(snake)
    # Our arena is at every node.
    (snake / "go.mod").write_text("module hydra\n\nreplace ouroboros-arena => /somewhere/arena\n")
    assert pack_snake(snake).files


def test_a_folder_that_is_too_large_is_told(snake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.cluster.snake_packages.MOST_BYTES", 1000)
    (snake / "big").write_bytes(b"x" * 2000)
    with pytest.raises(SnakeError, match="too much to send"):
        pack_snake(snake)
    shutil.rmtree(snake)


def test_a_file_whose_name_is_no_utf8_travels_too(snake: Path, tmp_path: Path) -> None:
    """It ended the run, on any machine with a head."""
    odd = snake / os.fsdecode(b"b\xff.txt")
    odd.write_text("odd")
    package = pickle.loads(pickle.dumps(pack_snake(snake)))
    assert (unpacked_snake(package, tmp_path / "store") / odd.name).read_text() == "odd"


def test_a_file_larger_than_memory_is_not_read_whole(snake: Path) -> None:
    with (snake / "games.bin").open("wb") as file:
        file.truncate(1 << 38)
    with pytest.raises(SnakeError, match="more than 64 MiB"):
        pack_snake(snake)
