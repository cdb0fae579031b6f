"""The processes that train one network together: alone, or one of several that exchange gradients."""

import os
import pickle
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final, Protocol

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.evolution.device import prepare_cpu
from schemas.cgroup import usable_processors
from schemas.errors import MachineError, OuroborosError, TrainingError
from schemas.network import NeuralNetworkConfig
from schemas.training import DistributedBackend, TrainingOptimizationConfig

_PATIENCE: Final = timedelta(minutes=10)
_POLL_S: Final = 0.2
_STOP: Final = "stop"


class DistContext:
    """Process `rank` of `size`; alone by default. With more than one, torch's process group must stand.

    All processes make the same calls in the same order; the first decides whatever the clock or the user decides.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank: Final = rank
        self.size: Final = size

    @property
    def leads(self) -> bool:
        """Whether this process decides, reports and writes files."""
        return self.rank == 0

    def wrap(self, module: nn.Module, device: torch.device) -> nn.Module:
        """The module whose backward pass leaves the mean of all processes' gradients in each."""
        if self.size == 1:
            return module
        return DistributedDataParallel(module, device_ids=[device.index] if device.type == "cuda" else None)

    def holding_back(self, module: nn.Module, *, wanted: bool) -> AbstractContextManager[object]:
        """In this context, where `wanted`, gradients add up in each process and are not exchanged yet."""
        if wanted and isinstance(module, DistributedDataParallel):
            return module.no_sync()
        return nullcontext()

    def add(self, numbers: Sequence[float], device: torch.device) -> list[float]:
        """The sums over all processes, the same in each, in float64."""
        if self.size == 1:
            return list(numbers)
        together = torch.tensor(numbers, dtype=torch.float64, device=device)
        distributed.all_reduce(together)
        return [float(number) for number in together.tolist()]

    def align(self, network: nn.Module) -> None:
        """Give all processes the first one's running averages: each has its own, of its own rows."""
        if self.size > 1:
            for buffer in network.buffers():
                distributed.broadcast(buffer, 0)

    def follow(self, word: str) -> str:
        """The first process's word, in all of them."""
        if self.size == 1:
            return word
        words = [word]
        distributed.broadcast_object_list(words, 0)
        return words[0]


class ParentChannel:
    """A child's line to its parent: messages go up, the wish to stop comes down."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection: Final = connection
        self._stop: Final = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, message: object) -> None:
        """Tell the parent."""
        self._connection.send(message)

    def asked_to_stop(self) -> bool:
        """Whether the parent wants this to end."""
        return self._stop.is_set()

    def _listen(self) -> None:
        try:
            while self._connection.recv() == _STOP:
                self._stop.set()
        except (EOFError, OSError):
            # The parent is gone, and nobody would ever read what we train; torch may be waiting in C++ meanwhile.
            os._exit(1)


class Work(Protocol):
    """What each process does; it travels to them by pickle. The first process's return value is the result."""

    def __call__(self, world: DistContext, device: torch.device, channel: ParentChannel) -> object: ...


@dataclass(frozen=True)
class _Done:
    result: object


@dataclass(frozen=True)
class _Failed:
    """An exception on its way to the parent: one of ours as it is, any other as its traceback."""

    ours: tuple[type[OuroborosError], str, str, str] | None
    trace: str


@dataclass(frozen=True)
class _Place:
    """Where one process stands."""

    rank: int
    size: int
    device: str
    backend: str
    folder: str
    threads: int


def processes_for(config: NeuralNetworkConfig, optimization: TrainingOptimizationConfig, device: torch.device) -> int:
    """How many processes train together on such a device."""
    if device.type == "cuda":
        return torch.cuda.device_count() if config.use_multi_gpu else 1
    return optimization.distributed_processes


def run_together(
    work: Work,
    processes: int,
    device: torch.device,
    optimization: TrainingOptimizationConfig,
    *,
    listen: Callable[[object], None],
    stop: Callable[[], bool],
) -> object:
    """Do `work` in so many new processes at once; return what the first returns.

    Args:
        listen: gets, in this process, every message that one of them sends.
        stop: asked several times a second; when True the first process's channel says so.

    Raises:
        MachineError: the backend does not fit the device.
        TrainingError: a process died, or failed by an error that is none of ours.
        OuroborosError: what the work itself raised.
    """
    backend = _backend(optimization.distributed_backend, device)
    threads = max(1, (optimization.threads or usable_processors()) // processes)
    with tempfile.TemporaryDirectory() as folder:
        group = _Group(work)
        try:
            for rank in range(processes):
                group.start(_Place(rank, processes, device.type, backend, folder, threads))
            return group.attend(listen, stop)
        finally:
            group.end()


def _backend(wanted: DistributedBackend, device: torch.device) -> str:
    if wanted is DistributedBackend.NCCL and device.type != "cuda":
        raise MachineError(
            "NCCL exchanges gradients between GPUs only",
            where="training_optimization.distributed_backend",
            remedy="Set it to `auto` or `gloo` where no GPU is used.",
        )
    if wanted is DistributedBackend.AUTO:
        return "nccl" if device.type == "cuda" else "gloo"
    return wanted.value


class _Group:
    """The child processes as their parent sees them."""

    def __init__(self, work: Work) -> None:
        self._work: Final = pickle.dumps(work)
        # A fork of this process would copy torch's locks, but not its threads: children come from a clean process,
        # which imports what the work needs once for all of them.
        self._context: Final = get_context("forkserver")
        self._context.set_forkserver_preload([type(work).__module__])
        self._children: list[Any] = []
        self._lines: list[Connection[Any, Any]] = []

    def start(self, place: _Place) -> None:
        ours, theirs = self._context.Pipe()
        child = self._context.Process(target=_child, args=(place, self._work, theirs), daemon=True)
        child.start()
        theirs.close()
        self._children.append(child)
        self._lines.append(ours)

    def attend(self, listen: Callable[[object], None], stop: Callable[[], bool]) -> object:
        """Pass messages on until every process has said that it is done."""
        results: dict[int, object] = {}
        stopping = False
        while len(results) < len(self._children):
            if not stopping and stop():
                stopping = True
                self._lines[0].send(_STOP)
            waiting = [line for rank, line in enumerate(self._lines) if rank not in results]
            for line in wait(waiting, _POLL_S):
                rank = self._lines.index(line)  # type: ignore[arg-type]
                try:
                    message = self._lines[rank].recv()
                except (EOFError, ConnectionError):
                    raise self._death(rank, "") from None
                if isinstance(message, _Done):
                    results[rank] = message.result
                elif isinstance(message, _Failed):
                    raise self._failure(rank, message)
                else:
                    listen(message)
        return results[0]

    def _failure(self, rank: int, failed: _Failed) -> OuroborosError:
        if failed.ours is not None:
            kind, what, where, remedy = failed.ours
            return kind(what, where=where, remedy=remedy)
        return self._death(rank, failed.trace)

    def _death(self, rank: int, trace: str) -> TrainingError:
        """Who is to blame: the others fail too, by a connection that broke."""
        self._children[rank].join(_POLL_S)
        killed = [(index, child.exitcode) for index, child in enumerate(self._children) if (child.exitcode or 0) < 0]
        if killed:
            rank, code = killed[0]
            how = f"was killed by {signal.Signals(-code).name}"
        elif trace:
            how = f"failed: {trace.strip().splitlines()[-1]}"
        else:
            how = f"ended with code {self._children[rank].exitcode}"
        return TrainingError(
            f"process {rank + 1} of {len(self._children)} that trained together {how}",
            where=trace.strip()[-2000:],
            remedy="All of them were ended. Start again: the run goes on from its last checkpoint.",
        )

    def end(self) -> None:
        """Leave no process behind."""
        for line in self._lines:
            line.close()
        for child in self._children:
            child.join(_POLL_S)
            if child.is_alive():
                child.kill()
            child.join()
            child.close()


def _child(place: _Place, work: bytes, line: "Connection[Any, Any]") -> None:
    channel = ParentChannel(line)
    try:
        result = _work(place, pickle.loads(work), channel)  # noqa: S301 - from our own parent, through its memory
    except OuroborosError as error:
        channel.send(_Failed((type(error), error.what, error.where, error.remedy), traceback.format_exc()))
        sys.exit(1)
    except Exception:  # noqa: BLE001 - it is told in the parent
        channel.send(_Failed(None, traceback.format_exc()))
        sys.exit(1)
    channel.send(_Done(result))


def _work(place: _Place, work: Work, channel: ParentChannel) -> object:
    prepare_cpu(place.threads)
    device = torch.device(place.device, place.rank) if place.device == "cuda" else torch.device(place.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ.setdefault(variable, "lo0" if sys.platform == "darwin" else "lo")
    distributed.init_process_group(
        place.backend, init_method=(Path(place.folder) / "meeting").as_uri(), rank=place.rank, world_size=place.size,
        timeout=_PATIENCE,
    )  # fmt: skip
    try:
        return work(DistContext(place.rank, place.size), device, channel)
    finally:
        distributed.destroy_process_group()
