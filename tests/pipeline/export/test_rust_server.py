"""Which Rust program serves: a built one that is no older than its sources, or the one that is named; none is built."""

import os

import pytest

from pipeline.export import serving
from schemas.errors import MachineError


@pytest.fixture
def crate(tmp_path, monkeypatch):
    monkeypatch.delenv(serving.RUST_VARIABLE, raising=False)
    monkeypatch.setattr(serving, "_SOURCE", tmp_path)
    monkeypatch.setattr(serving, "_PROGRAM", tmp_path / "target" / "release" / "rust-snake")
    (tmp_path / "src").mkdir()
    (tmp_path / "target" / "release").mkdir(parents=True)
    (tmp_path / "src" / "main.rs").write_text("")
    os.utime(tmp_path / "src" / "main.rs", (1000, 1000))
    return tmp_path


def built(crate, at):
    program = crate / "target" / "release" / "rust-snake"
    program.write_text("")
    os.utime(program, (at, at))
    return program


def test_what_is_not_built_does_not_serve(crate):
    assert serving.rust_server() is None
    assert "is not built" in serving.why_no_rust_server()
    assert list((crate / "target" / "release").iterdir()) == []


def test_a_program_serves_until_a_source_is_newer(crate):
    program = built(crate, 1500)
    assert (serving.rust_server(), serving.why_no_rust_server()) == (program, "")
    os.utime(crate / "src" / "main.rs", (2000, 2000))
    assert serving.rust_server() is None
    assert "older than its sources" in serving.why_no_rust_server()


def test_a_named_program_serves_and_must_be_there(crate, monkeypatch):
    other = crate / "other"
    monkeypatch.setenv(serving.RUST_VARIABLE, str(other))
    with pytest.raises(MachineError, match="names no file"):
        serving.rust_server()
    other.write_text("")
    assert (serving.rust_server(), serving.why_no_rust_server()) == (other, "")
