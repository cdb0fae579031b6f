"""A try to import torch in a process of its own; a made-up torch raises, crashes or hangs as the real one does."""

import importlib
import sys
import threading
import time

import pytest

from runner.guards import torch_import
from runner.guards.torch_import import ABSENT, TorchImport
from schemas.machine import TorchFinding


@pytest.fixture
def torch(tmp_path, monkeypatch):
    """Writes a package torch that comes before every other one, here and in the child."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delitem(sys.modules, "torch", raising=False)

    def write(text):
        (tmp_path / "torch.py").write_text(text)
        importlib.invalidate_caches()

    return write


def outcome(trying):
    end_s, pause = time.monotonic() + 60, threading.Event()
    while (state := trying.look()).finding is TorchFinding.UNTRIED:
        assert time.monotonic() < end_s
        pause.wait(0.02)
    return state


@pytest.mark.parametrize(
    ("text", "finding", "words"),
    [
        ("", TorchFinding.IMPORTABLE, "can be imported"),
        (
            "raise OSError('libcudart.so.12: cannot open shared object file: No such file or directory')",
            TorchFinding.BROKEN,
            "cannot be imported (OSError: libcudart.so.12: cannot open shared object file",
        ),
        ("import os; os.abort()", TorchFinding.BROKEN, "its import ends with SIGABRT"),
        ("import os; os.kill(os.getpid(), 4)", TorchFinding.BROKEN, "its import ends with SIGILL"),
        ("raise SystemExit(3)", TorchFinding.BROKEN, "its import ends with exit code 3"),
        ("raise RuntimeError('\\x1b[31mred' + 'x' * 100_000)", TorchFinding.BROKEN, "RuntimeError: \\x1b[31mredxxx"),
    ],
)
def test_what_an_import_of_torch_ends_with(torch, text, finding, words):
    torch(text)
    state = outcome(TorchImport())
    assert (state.finding, words in state.detail) == (finding, True), state.detail
    assert len(state.detail) < 500


def test_an_import_that_hangs_is_given_up(torch):
    torch("import threading; threading.Event().wait()")
    assert "has not ended within 0.5 s" in outcome(TorchImport(limit_s=0.5)).detail


def test_nobody_waits_for_the_first_outcome_unless_he_wants_to(torch):
    torch("")
    trying = TorchImport()
    assert trying.look().finding in (TorchFinding.UNTRIED, TorchFinding.IMPORTABLE)
    assert trying.look(wait_s=60).finding is TorchFinding.IMPORTABLE


def test_a_failure_is_tried_again_and_a_success_is_not(torch, monkeypatch):
    monkeypatch.setattr(torch_import, "TRY_AGAIN_S", 0.0)
    torch("raise OSError('no library')")
    trying = TorchImport()
    assert outcome(trying).finding is TorchFinding.BROKEN
    torch("")
    end_s, pause = time.monotonic() + 60, threading.Event()
    while trying.look().finding is TorchFinding.BROKEN:
        assert time.monotonic() < end_s
        pause.wait(0.02)
    torch("raise OSError('no library')")
    assert {trying.look(wait_s=60).finding for _ in range(3)} == {TorchFinding.IMPORTABLE}


def test_without_torch_nothing_is_tried(monkeypatch):
    monkeypatch.setattr(torch_import, "find_spec", lambda _name: None)
    trying = TorchImport(command=["/nonexistent"])
    assert trying.look(wait_s=60) == ABSENT
