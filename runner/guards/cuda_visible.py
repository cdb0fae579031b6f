"""Which GPUs CUDA_VISIBLE_DEVICES leaves to this process. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

VARIABLE = "CUDA_VISIBLE_DEVICES"
_INDEX = re.compile(r"[+-]?\d+")


@dataclass(frozen=True, slots=True)
class VisibleDevice:
    """A GPU, or a slice of one (MIG), as NVML lists it."""

    index: int
    """Of the whole GPU, in PCI order."""
    uuid: str
    """`GPU-...`."""
    mig_uuids: tuple[str, ...] = ()
    """`MIG-...` of its slices; computing happens in these alone when there are any."""


@dataclass(frozen=True, slots=True)
class Visible:
    """One device that CUDA will show."""

    device: VisibleDevice
    mig_uuid: str | None = None
    """The slice, None for a whole GPU."""


def visible_devices(devices: Sequence[VisibleDevice], value: str | None) -> list[Visible]:
    """The devices that CUDA shows with this value of the variable, in its order.

    As CUDA does it (CUDA C++ Programming Guide, "CUDA Environment Variables"): unset shows all; entries are indices,
    unique beginnings of GPU UUIDs, or MIG names (`MIG-<uuid>`, or the older `MIG-GPU-<uuid>/<gi>/<ci>`); the first
    entry that names no device hides itself and all that follow; so `-1`, an empty value or nonsense hide everything.
    Indices are taken in PCI order, which is CUDA's own only with CUDA_DEVICE_ORDER=PCI_BUS_ID or equal GPUs.
    """
    if value is None:
        return [_first_of(device) for device in devices]
    found: list[Visible] = []
    for entry in value.split(","):
        match = _named(devices, entry.strip())
        if match is None:
            break
        if match not in found:
            found.append(match)
    return found


def _named(devices: Sequence[VisibleDevice], entry: str) -> Visible | None:
    if _INDEX.fullmatch(entry):
        return next((_first_of(device) for device in devices if device.index == int(entry)), None)
    if entry.startswith("MIG-GPU-"):
        uuid = entry.removeprefix("MIG-").partition("/")[0]
        whole = [device for device in devices if device.uuid == uuid and device.mig_uuids]
        return _first_of(whole[0]) if whole else None
    if entry.startswith("MIG-"):
        slices = [(device, name) for device in devices for name in device.mig_uuids if name.startswith(entry)]
        return Visible(*slices[0]) if len(slices) == 1 else None
    if entry.startswith("GPU-"):
        whole = [device for device in devices if device.uuid.startswith(entry)]
        return _first_of(whole[0]) if len(whole) == 1 else None
    return None


def _first_of(device: VisibleDevice) -> Visible:
    return Visible(device, device.mig_uuids[0] if device.mig_uuids else None)
