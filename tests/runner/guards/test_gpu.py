"""A look at the GPUs, with a made-up NVML that raises the real one's errors: no test machine has a GPU."""

from types import SimpleNamespace

import pynvml
import pytest

from runner.guards.gpu import NvmlProbe, driver_traces, load_nvml
from schemas.machine import GpuFinding

GIB = 1024**3


def card(name="Card", free=20, total=24, use=3, pids=(), uuid="GPU-0", slices=(), memory_error=0, lost=0):
    return SimpleNamespace(
        name=name,
        free=free * GIB,
        total=total * GIB,
        use=use,
        pids=pids,
        uuid=uuid,
        slices=slices,
        memory_error=memory_error,
        lost=lost,
    )


class FakeNvml:
    """The functions that the probe calls, each of which the real module must have."""

    NVML_DEVICE_MIG_ENABLE = pynvml.NVML_DEVICE_MIG_ENABLE

    def __init__(self, cards=(), start_error=None, look_error=None):
        self.cards, self.start_error, self.look_error = list(cards), start_error, look_error
        self.starts = self.shutdowns = 0

    def __getattr__(self, name):
        if name.startswith("NVMLError"):
            return getattr(pynvml, name)
        raise AttributeError(name)

    def nvmlInit(self):
        self.starts += 1
        if self.start_error:
            raise pynvml.NVMLError(self.start_error)

    def nvmlShutdown(self):
        self.shutdowns += 1

    def nvmlDeviceGetCount(self):
        if self.look_error:
            raise pynvml.NVMLError(self.look_error)
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index):
        return self.cards[index]

    def nvmlDeviceGetUUID(self, handle):
        if handle.lost:
            raise pynvml.NVMLError(handle.lost)
        return handle.uuid

    def nvmlDeviceGetName(self, handle):
        return handle.name

    def nvmlDeviceGetMemoryInfo(self, handle):
        if handle.memory_error:
            raise pynvml.NVMLError(handle.memory_error)
        return SimpleNamespace(free=handle.free, total=handle.total)

    def nvmlDeviceGetUtilizationRates(self, handle):
        if handle.use is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(gpu=handle.use)

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        return [SimpleNamespace(pid=pid, usedGpuMemory=None if pid == 13 else 512 * 1024**2) for pid in handle.pids]

    def nvmlDeviceGetMigMode(self, handle):
        if not handle.slices:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return [pynvml.NVML_DEVICE_MIG_ENABLE, pynvml.NVML_DEVICE_MIG_ENABLE]

    def nvmlDeviceGetMaxMigDeviceCount(self, handle):
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle, index):
        if index >= len(handle.slices):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return handle.slices[index]


def probe(nvml=None, *, environment=None, traces=()):
    return NvmlProbe(environment or {}, lambda: nvml, lambda: list(traces))


def test_the_made_up_functions_are_those_of_the_real_module():
    for name in vars(FakeNvml):
        if name.startswith("nvml"):
            assert callable(getattr(pynvml, name)), name


def test_a_usable_gpu():
    state = probe(FakeNvml([card("NVIDIA L4")])).look()
    assert state.finding is GpuFinding.USABLE
    assert state.detail == "NVIDIA L4, 20.0 of 24.0 GiB free"
    assert (state.free_memory_gb, state.total_memory_gb) == (20.0, 24.0)
    assert (state.utilisation_percent, state.other_processes) == (3.0, 0)


def test_without_library_and_traces_there_is_no_gpu():
    assert probe().look().finding is GpuFinding.ABSENT


@pytest.mark.parametrize(
    ("nvml", "traces", "finding", "words"),
    [
        (None, ["/dev/nvidia0"], GpuFinding.DRIVER_BROKEN, ["/dev/nvidia0", "libnvidia-ml.so.1", "nstall"]),
        (FakeNvml(start_error=pynvml.NVML_ERROR_DRIVER_NOT_LOADED), [], GpuFinding.ABSENT, ["no GPU"]),
        (
            FakeNvml(start_error=pynvml.NVML_ERROR_DRIVER_NOT_LOADED),
            ["the PCI device 0000:01:00.0"],
            GpuFinding.DRIVER_BROKEN,
            ["0000:01:00.0", "not loaded"],
        ),
        (
            FakeNvml(start_error=pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH),
            ["/dev/nvidia0"],
            GpuFinding.DRIVER_BROKEN,
            ["updated while in use", "restart the machine"],
        ),
        (
            FakeNvml(start_error=pynvml.NVML_ERROR_NO_PERMISSION),
            ["/dev/nvidia0"],
            GpuFinding.DRIVER_BROKEN,
            ["closed to us", "video"],
        ),
        (FakeNvml(start_error=pynvml.NVML_ERROR_UNKNOWN), [], GpuFinding.DRIVER_BROKEN, ["does not start"]),
        (FakeNvml(look_error=pynvml.NVML_ERROR_GPU_IS_LOST), [], GpuFinding.DRIVER_BROKEN, ["fails at a look"]),
        (FakeNvml([]), [], GpuFinding.ABSENT, ["finds no GPU"]),
    ],
)
def test_what_is_wrong_is_told_apart_with_a_remedy(nvml, traces, finding, words):
    state = probe(nvml, traces=traces).look()
    assert state.finding is finding
    assert all(word in state.detail for word in words), state.detail


@pytest.mark.parametrize("value", ["", "-1", "7", "GPU-zz", "none"])
def test_hidden(value):
    state = probe(FakeNvml([card(), card(uuid="GPU-1")]), environment={"CUDA_VISIBLE_DEVICES": value}).look()
    assert state.finding is GpuFinding.HIDDEN
    assert f"CUDA_VISIBLE_DEVICES='{value}' hides all 2 GPUs" in state.detail


def test_only_visible_devices_count():
    cards = [card("Small", free=2), card("Large", free=40, total=48, uuid="GPU-1")]
    assert "Large" in probe(FakeNvml(cards)).look().detail
    state = probe(FakeNvml(cards), environment={"CUDA_VISIBLE_DEVICES": "0"}).look()
    assert state.free_memory_gb == 2.0


@pytest.mark.parametrize(
    ("one", "finding", "words"),
    [
        (card(pids=[77]), GpuFinding.BUSY, "1 other process on it"),
        (card(pids=[77, 78]), GpuFinding.BUSY, "2 other processes on it"),
        (card(use=95), GpuFinding.BUSY, "95 % in use by processes that we cannot see"),
        (card(use=20), GpuFinding.USABLE, "Card"),
        (card(use=None), GpuFinding.USABLE, "Card"),
        (card(pids=[5]), GpuFinding.USABLE, "Card"),
        (card(free=0), GpuFinding.BUSY, "its memory is held by processes that we cannot see"),
        (card(free=0, pids=[5]), GpuFinding.USABLE, "Card"),
        (card(free=3), GpuFinding.USABLE, "3.0 of 24.0 GiB free"),
    ],
)
def test_busy(one, finding, words):
    state = probe(FakeNvml([one])).look(own_pids=[5])
    assert state.finding is finding
    assert words in state.detail


def test_a_gpu_that_shares_the_machine_s_memory_is_usable():
    one = card("NVIDIA GB10", memory_error=pynvml.NVML_ERROR_NOT_SUPPORTED)
    state = probe(FakeNvml([one])).look()
    assert (state.finding, state.shares_memory, state.free_memory_gb) == (GpuFinding.USABLE, True, None)
    assert state.detail == "NVIDIA GB10, which shares the machine's memory"


def test_a_gpu_that_tells_nothing_of_its_memory_is_usable():
    one = card(memory_error=pynvml.NVML_ERROR_NO_PERMISSION)
    state = probe(FakeNvml([one])).look()
    assert (state.finding, state.shares_memory, state.free_memory_gb) == (GpuFinding.USABLE, False, None)


@pytest.mark.parametrize("error", [pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_UNKNOWN])
@pytest.mark.parametrize("where", ["lost", "memory_error"])
@pytest.mark.parametrize("number", [0, 1])
def test_one_lost_gpu_of_two_leaves_the_other(number, where, error):
    cards = [card("Good", uuid="GPU-0"), card("Good", uuid="GPU-1")]
    setattr(cards[number], where, error)
    nvml = FakeNvml(cards)
    looking = probe(nvml)
    for _ in range(2):
        state = looking.look()
        assert state.finding is GpuFinding.USABLE
        assert state.detail.startswith(f"Good, 20.0 of 24.0 GiB free, 1 lost (GPU {number}: "), state.detail
    assert nvml.starts == 1
    setattr(cards[1 - number], where, error)
    state = looking.look()
    assert state.finding is GpuFinding.DRIVER_BROKEN
    assert "GPU 0: " in state.detail
    assert "GPU 1: " in state.detail


def test_a_lost_gpu_that_alone_is_visible_is_not_called_hidden():
    cards = [card(lost=pynvml.NVML_ERROR_GPU_IS_LOST), card(uuid="GPU-1")]
    state = probe(FakeNvml(cards), environment={"CUDA_VISIBLE_DEVICES": "0"}).look()
    assert state.finding is GpuFinding.DRIVER_BROKEN


def test_the_use_of_a_run_is_told_beside_a_lost_gpu():
    cards = [card(lost=pynvml.NVML_ERROR_GPU_IS_LOST), card(pids=[1], use=40, uuid="GPU-1")]
    nvml = FakeNvml(cards)
    nvml.nvmlDeviceGetComputeRunningProcesses = lambda handle: (
        FakeNvml.nvmlDeviceGetComputeRunningProcesses(nvml, handle)
        if not handle.lost
        else (_ for _ in ()).throw(pynvml.NVMLError(handle.lost))
    )
    assert probe(nvml).use_of({1}).memory_mb == 512.0


def test_a_free_gpu_beside_a_busy_one_is_usable():
    cards = [card("Taken", free=40, total=48, pids=[77]), card("Free", free=10, uuid="GPU-1")]
    state = probe(FakeNvml(cards)).look()
    assert state.finding is GpuFinding.USABLE
    assert state.detail == "Free, 10.0 of 24.0 GiB free, the best of 2"


def test_slices_are_looked_at_instead_of_their_gpu():
    slices = [
        card("Slice", free=4, total=5, use=None, uuid="MIG-1", pids=[77]),
        card("Slice", free=5, total=5, use=None, uuid="MIG-2"),
    ]
    whole = card("Whole", free=70, total=80, slices=slices)
    nvml = FakeNvml([whole])
    assert probe(nvml).look().finding is GpuFinding.BUSY  # CUDA shows the first slice of a GPU
    state = probe(nvml, environment={"CUDA_VISIBLE_DEVICES": "MIG-2"}).look()
    assert (state.finding, state.free_memory_gb, state.utilisation_percent) == (GpuFinding.USABLE, 5.0, None)


def test_nvml_is_started_once_and_anew_after_a_failure():
    nvml = FakeNvml([card()])
    looking = probe(nvml)
    looking.look()
    looking.look()
    assert nvml.starts == 1
    nvml.look_error = pynvml.NVML_ERROR_GPU_IS_LOST
    assert looking.look().finding is GpuFinding.DRIVER_BROKEN
    nvml.look_error = None
    assert looking.look().finding is GpuFinding.USABLE
    assert (nvml.starts, nvml.shutdowns) == (2, 1)


def test_the_use_of_a_run():
    cards = [
        card(pids=[1, 2, 99], use=80),
        card(pids=[3], use=40, uuid="GPU-1"),
        card(pids=[99], use=100, uuid="GPU-2"),
    ]
    looking = probe(FakeNvml(cards))
    use = looking.use_of({1, 2, 3})
    assert (use.memory_mb, use.utilisation_percent) == (1536.0, 60.0)
    assert looking.use_of({4}) is None
    assert looking.use_of(set()) is None
    assert probe().use_of({1}) is None


def test_a_device_that_does_not_tell_leaves_the_figure_out():
    use = probe(FakeNvml([card(pids=[13], use=None)])).use_of({13})
    assert (use.memory_mb, use.utilisation_percent) == (0.0, None)


def test_a_failing_sample_is_no_figure(caplog):
    looking = probe(FakeNvml([card()], look_error=pynvml.NVML_ERROR_UNKNOWN))
    assert looking.use_of({1}) is None
    assert "Cannot sample" in caplog.text


def test_traces_of_a_driver(tmp_path):
    assert driver_traces(tmp_path) == []
    for path in ("dev/nvidia0", "dev/nvidiactl", "proc/driver/nvidia/version", "dev/dxg"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    for name, vendor, kind in [
        ("01:00.0", "0x10de", "0x030200"),
        ("01:00.1", "0x10de", "0x040300"),
        ("02:00.0", "0x8086", "0x030000"),
    ]:
        folder = tmp_path / "sys/bus/pci/devices" / name
        folder.mkdir(parents=True)
        (folder / "vendor").write_text(f"{vendor}\n")
        (folder / "class").write_text(f"{kind}\n")
    (tmp_path / "sys/bus/pci/devices/03:00.0").mkdir()
    told = [trace.removeprefix(str(tmp_path)) for trace in driver_traces(tmp_path)]
    assert told == [
        "/dev/nvidia0",
        "/dev/nvidiactl",
        "/proc/driver/nvidia/version",
        "/dev/dxg",
        "the PCI device 01:00.0",
    ]


def test_this_machine_is_looked_at_without_an_error():
    state = NvmlProbe().look()
    assert state.detail
    if load_nvml() is None:
        assert state.finding is (GpuFinding.DRIVER_BROKEN if driver_traces() else GpuFinding.ABSENT)
