"""What CUDA_VISIBLE_DEVICES leaves: pure."""

import pytest

from runner.guards.cuda_visible import Visible, VisibleDevice, visible_devices

WHOLE = [VisibleDevice(0, "GPU-aaaa-1"), VisibleDevice(1, "GPU-aabb-2"), VisibleDevice(2, "GPU-cccc-3")]
CUT = [VisibleDevice(0, "GPU-aaaa-1", ("MIG-11", "MIG-22")), VisibleDevice(1, "GPU-bbbb-2")]


def indices(devices, value):
    return [item.device.index for item in visible_devices(devices, value)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, [0, 1, 2]),
        ("", []),
        (" ", []),
        ("-1", []),
        ("0", [0]),
        ("2,0", [2, 0]),
        (" 2 , 0 ", [2, 0]),
        ("0,-1,2", [0]),
        ("1,7,0", [1]),
        ("0,0", [0]),
        ("NoDevFiles", []),
        ("none", []),
        ("GPU-cc", [2]),
        ("GPU-cccc-3,0", [2, 0]),
        ("GPU-aa", []),  # two begin so: ambiguous names hide
        ("GPU-aaaa-1", [0]),
        ("GPU-zzzz", []),
        ("MIG-11", []),
        ("1.0", []),
    ],
)
def test_whole_gpus(value, expected):
    assert indices(WHOLE, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, [Visible(CUT[0], "MIG-11"), Visible(CUT[1])]),
        ("MIG-22", [Visible(CUT[0], "MIG-22")]),
        ("MIG-", []),
        ("MIG-33", []),
        ("MIG-GPU-aaaa-1/1/0", [Visible(CUT[0], "MIG-11")]),
        ("MIG-GPU-bbbb-2/1/0", []),
        ("0", [Visible(CUT[0], "MIG-11")]),
        ("MIG-22,1", [Visible(CUT[0], "MIG-22"), Visible(CUT[1])]),
    ],
)
def test_slices(value, expected):
    assert visible_devices(CUT, value) == expected


def test_without_a_gpu_nothing_is_visible():
    assert visible_devices([], None) == []
    assert visible_devices([], "0") == []
