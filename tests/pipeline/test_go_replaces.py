"""A copied Go module's local paths."""

from pathlib import Path

import pytest

from pipeline.snake_builder import ARENA_FOLDER, links_arena, mend_replaces

MODULE = """module snake

go 1.24

require (
	ouroboros-arena v0.0.0
	lib v1.0.0
)

replace (
	lib v1.0.0 => ../lib
	inner => ./inner
	gopkg.in/yaml.v3 => gopkg.in/yaml.v3 v3.0.1
)

replace ouroboros-arena => {arena}
"""


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "home" / "snake"
    for name in (folder / "inner", folder.parent / "lib", folder.parent / "arena"):
        name.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("../arena", "{home}/arena"),
        ("./inner", "./inner"),
        ("../../elsewhere/arena", str(ARENA_FOLDER)),
        ("/gone/arena", str(ARENA_FOLDER)),
    ],
)
def test_paths_lead_where_they_led(tmp_path, source, written, meant):
    copy = tmp_path / "far" / "away" / "copy"
    copy.mkdir(parents=True)
    (copy / "go.mod").write_text(MODULE.format(arena=written))
    mend_replaces(copy, source)
    home = source.parent
    expected = MODULE.format(arena=meant.format(home=home)).replace("../lib", f"{home}/lib")
    assert (copy / "go.mod").read_text() == expected
    assert links_arena(copy)


def test_paths_with_blanks_are_quoted_as_go_wants_them(tmp_path):
    home = tmp_path / "my snakes"
    for name in ("snake", "lib", "a b"):
        (home / name).mkdir(parents=True)
    copy = tmp_path / "copy"
    copy.mkdir()
    rest = "\nreplace c => ./inner\n// the end \xe9".encode("latin-1")
    (copy / "go.mod").write_bytes(b'module m\nreplace lib => ../lib\nreplace x => "../a b"\nreplace y => ..' + rest)
    mend_replaces(copy, home / "snake")
    expected = f'module m\nreplace lib => "{home}/lib"\nreplace x => "{home}/a b"\nreplace y => "{home}"'
    assert (copy / "go.mod").read_bytes() == expected.encode() + rest


def test_a_vendored_module_keeps_the_paths_that_its_vendor_folder_names(tmp_path, source):
    copy = tmp_path / "copy"
    (copy / "vendor").mkdir(parents=True)
    (copy / "vendor" / "modules.txt").write_text("# lib v1.0.0 => ../lib\n")
    (copy / "go.mod").write_text(MODULE.format(arena="../arena"))
    mend_replaces(copy, source)
    assert (copy / "go.mod").read_text() == MODULE.format(arena="../arena")


def test_a_folder_that_is_no_go_module_is_left_alone(tmp_path):
    mend_replaces(tmp_path, Path("/nowhere"))
    assert not list(tmp_path.iterdir())
    assert not links_arena(tmp_path)
