"""Devices, threads and precision."""

import os

import pytest
import torch

from pipeline.evolution.device import choose_device, precision, prepare_cpu
from schemas.errors import MachineError


def test_the_gpu_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [choose_device(word).type for word in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [choose_device(word).type for word in ("auto", "cpu")] == ["cpu", "cpu"]
    with pytest.raises(MachineError, match="no GPU"):
        choose_device("cuda")
    with pytest.raises(ValueError, match="known are"):
        choose_device("gpu")


def test_the_cpu_is_prepared() -> None:
    before = torch.get_num_threads()
    try:
        assert prepare_cpu(1) == 1 == torch.get_num_threads()
        assert (torch.tensor([1e-39]) * 1.0).item() == 0, "numbers below float32's normal ones count as zero"
        assert prepare_cpu(None) == len(os.sched_getaffinity(0))
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(False)


def test_mixed_precision_is_for_gpus() -> None:
    left, right = torch.ones(2, 2), torch.ones(2, 2)
    with precision(torch.device("cpu"), mixed=True):
        assert (left @ right).dtype == torch.float32
    with precision(torch.device("cuda"), mixed=False):
        assert not torch.is_autocast_enabled("cuda")
