"""Which change of a snake's folder is one of its code."""

import os
from pathlib import Path

from pipeline.snake_code import code_of


def test_source_counts_and_what_a_snake_writes_does_not(tmp_path: Path) -> None:
    assert code_of(tmp_path) == ""
    (tmp_path / "main.go").write_text("package main\n")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "b.go").write_text("package lib\n")
    before = code_of(tmp_path)
    (tmp_path / "config.yaml").write_text("a: 1\n")
    (tmp_path / "games.log").write_text("a game\n")
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "x.js").write_text("1")
    assert code_of(tmp_path) == before
    os.mkfifo(tmp_path / "pipe.go")
    (tmp_path / "gone.go").symlink_to("nowhere")
    assert code_of(tmp_path) != before, "and it hangs on nothing"
    (tmp_path / "pipe.go").unlink()
    (tmp_path / "gone.go").unlink()
    (tmp_path / "lib" / "b.go").write_text("package lib // more\n")
    assert code_of(tmp_path) not in ("", before)
    (tmp_path / "lib" / "b.go").write_text("package lib\n")
    assert code_of(tmp_path) == before
