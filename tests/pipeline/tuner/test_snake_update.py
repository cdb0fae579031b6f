"""`tune update-snake`: shown first, and never over a file that the user has changed."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.tuner import snake_source
from pipeline.tuner.command import tune
from schemas.settings import Settings


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working copy of a small bundled snake, which then gets newer."""
    bundled = tmp_path / "bundled"
    bundled.mkdir()
    (bundled / "config.yaml").write_text("a: 1  # one\nb: 2\n")
    (bundled / "one.go").write_text("package one\n")
    (bundled / "two.go").write_text("package two\n")
    monkeypatch.setattr(snake_source, "BUNDLED", bundled)
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path / "home"))
    folder = snake_source.snake_source(Settings(home=tmp_path / "home")).folder
    (bundled / "config.yaml").write_text("a: 1  # one\nc: 5  # new\n")
    (bundled / "one.go").write_text("package one // newer\n")
    (bundled / "two.go").write_text("package two // newer\n")
    (folder / "config.yaml").write_text("a: 9  # one\nb: 2\n")
    (folder / "two.go").write_text("package two // mine\n")
    return folder


def update(answer: str, *arguments: str) -> str:
    result = CliRunner().invoke(tune, ["update-snake", *arguments], input=answer)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_difference_is_shown_and_nothing_written_without_a_yes(copy: Path) -> None:
    said = update("n\n")
    assert "+package one // newer" in said
    assert "+c: 5  # new" in said
    assert (copy / "one.go").read_text() == "package one\n"
    assert (copy / "config.yaml").read_text() == "a: 9  # one\nb: 2\n"


def test_an_update_keeps_tuned_values_and_edited_files(copy: Path) -> None:
    said = update("", "--yes")
    assert (copy / "one.go").read_text() == "package one // newer\n"
    assert (copy / "config.yaml").read_text() == "a: 9  # one\nc: 5  # new\n"
    assert (copy / "two.go").read_text() == "package two // mine\n"
    assert (copy / "two.go.bundled").read_text() == "package two // newer\n"
    assert "two.go stays as you changed it" in said
    assert "Nothing to update" in update("", "--yes")
    assert snake_source.snake_source(Settings(home=copy.parent)).news == ""


def test_a_crowds_own_values_begin_as_those_of_all_games(copy: Path) -> None:
    (snake_source.BUNDLED / "config.yaml").write_text("a: 2\nb: 3\ncrowd:\n  a: 4\n  b: 5\n")
    update("", "--yes")
    assert (copy / "config.yaml").read_text() == "a: 9\nb: 2\ncrowd:\n  a: 9\n  b: 2\n", "tuned before there were any"
    (copy / "config.yaml").write_text("a: 9\nb: 2\ncrowd:\n  a: 7\n  b: 6\n")
    (snake_source.BUNDLED / "config.yaml").write_text("a: 2\nb: 3\ncrowd:\n  a: 4\n  b: 5\nnew: 1\n")
    update("", "--yes")
    assert (copy / "config.yaml").read_text() == "a: 9\nb: 2\ncrowd:\n  a: 7\n  b: 6\nnew: 1\n"


def test_weights_that_nobody_has_touched_become_the_newer_ones(copy: Path) -> None:
    (copy / "config.yaml").write_text("a: 1  # one\nb: 2\n")
    assert "-a: 1" not in update("", "--yes")
    (snake_source.BUNDLED / "config.yaml").write_text("a: 3  # one\nc: 6  # new\n")
    assert "+a: 3  # one" in update("", "--yes")
    assert (copy / "config.yaml").read_text() == "a: 3  # one\nc: 6  # new\n"
    (copy / "config.yaml").write_text("a: 3  # one\nc: 8  # new\n")
    (snake_source.BUNDLED / "config.yaml").write_text("a: 4  # one\nc: 7  # new\n")
    assert "Nothing to update" in update("", "--yes")


def test_without_a_copy_it_says_what_makes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path / "empty"))
    result = CliRunner().invoke(tune, ["update-snake"])
    assert "there is no working copy" in str(result.exception)
