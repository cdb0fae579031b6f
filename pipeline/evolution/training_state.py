"""All that a training run is at one moment, and how it is put back into the objects it came from."""

import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue
from torch import Tensor, nn

from schemas.errors import ModelError

Weights = dict[str, Tensor]
"""A network's state by name, running averages included."""
_log = logging.getLogger("ouroboros.evolution")
_NUMPY_KEYS = ("pos", "has_gauss", "gauss")


@dataclass(frozen=True)
class RandomStates:
    """The states of torch (CPU and each GPU), numpy's and Python's global generators, and of named numpy generators."""

    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    """"torch": uint8; "cuda/<i>": uint8; "numpy": int64[624], the words of its Mersenne Twister."""
    numbers: Mapping[str, JsonValue] = field(default_factory=dict)
    """"python": the state of `random`; "numpy": the rest of numpy's state."""
    generators: Mapping[str, JsonValue] = field(default_factory=dict)
    """The state of each named numpy generator."""

    @classmethod
    def capture(cls, generators: Mapping[str, np.random.Generator] | None = None) -> Self:
        """Copy the states as they are now; `generators` are the caller's own, by a name of its choice."""
        tensors = {"torch": torch.get_rng_state()}
        for index, state in enumerate(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else ()):
            tensors[f"cuda/{index}"] = state
        numpy_state: Any = np.random.get_state(legacy=False)
        inner = numpy_state["state"]
        tensors["numpy"] = torch.from_numpy(inner["key"].astype(np.int64))
        words = {"pos": inner["pos"], "has_gauss": numpy_state["has_gauss"], "gauss": numpy_state["gauss"]}
        version, python_words, gauss = random.getstate()
        own = {name: generator.bit_generator.state for name, generator in (generators or {}).items()}
        return cls(tensors, {"python": [version, list(python_words), gauss], "numpy": words}, _plain(own))

    def restore(self, generators: Mapping[str, np.random.Generator] | None = None) -> None:
        """Put every generator back where it stood.

        Raises:
            KeyError: a generator is named that was not captured.
        """
        torch.set_rng_state(self.tensors["torch"])
        for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
            if f"cuda/{index}" in self.tensors:  # the run may resume on a machine with more GPUs
                torch.cuda.set_rng_state(self.tensors[f"cuda/{index}"], index)
        words: Any = self.numbers["numpy"]
        inner = {"key": self.tensors["numpy"].numpy().astype(np.uint32), "pos": words["pos"]}
        np.random.set_state({"bit_generator": "MT19937", "state": inner, **{k: words[k] for k in _NUMPY_KEYS[1:]}})
        python: Any = self.numbers["python"]
        random.setstate((python[0], tuple(python[1]), python[2]))
        for name, generator in (generators or {}).items():
            state: Any = self.generators[name]
            generator.bit_generator.state = state


def _plain(value: Any) -> Any:
    """Numpy's own number types and arrays as what JSON knows (Philox and SFC64 keep arrays in their state)."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


@dataclass(frozen=True)
class OptimizerState:
    """An optimizer's memory: what it keeps for each parameter (by the parameter's number) and its groups' settings."""

    moments: Mapping[str, Tensor]
    """"<parameter>/<name>", for instance "3/exp_avg"; step counts too."""
    groups: list[dict[str, JsonValue]]

    @classmethod
    def capture(cls, optimizer: torch.optim.Optimizer) -> Self:
        """Copy the optimizer's memory to the CPU.

        Raises:
            TypeError: it keeps something per parameter that is no tensor (torch's Adam, AdamW and SGD do not).
        """
        known = optimizer.state_dict()
        moments: dict[str, Tensor] = {}
        for parameter, kept in known["state"].items():
            for name, value in kept.items():
                if value is None:
                    continue
                if not isinstance(value, Tensor):
                    raise TypeError(f"the optimizer keeps {name} as {type(value).__name__}, not as a tensor")
                moments[f"{parameter}/{name}"] = _copied(value)
        return cls(moments, [dict(group) for group in known["param_groups"]])

    def restore(self, optimizer: torch.optim.Optimizer) -> None:
        """Put the memory back; each moment lies in memory as its parameter does (channels-last stays so).

        Where the optimizer groups its parameters otherwise than the one that was saved, the moments would be others'
        than their parameters': it begins without, and the log says so.
        """
        if _sizes(self.groups) != _sizes(optimizer.state_dict()["param_groups"]):
            _log.warning("⚠ The checkpoint's optimizer groups its weights otherwise: its moments begin anew.")
            return
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in self.moments.items():
            parameter, name = key.split("/", 1)
            state.setdefault(int(parameter), {})[name] = value.clone()
        # JSON knows no tuples; torch's own groups do (betas).
        groups = [{k: tuple(v) if k == "betas" else v for k, v in group.items()} for group in self.groups]  # type: ignore[arg-type]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
        for weight, kept in optimizer.state.items():
            for name, value in kept.items():
                if isinstance(value, Tensor) and value.shape == weight.shape:
                    kept[name] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


@dataclass(frozen=True)
class TrainingState:
    """Everything a killed run needs to go on as if nothing had happened. All tensors lie on the CPU."""

    network: Mapping[str, Tensor]
    """The network's `state_dict`, running averages included."""
    optimizer: OptimizerState | None = None
    counters: Mapping[str, JsonValue] = field(default_factory=dict)
    """The caller's own numbers and words (epoch, batch, best loss, schedule, ...): finite, as JSON."""
    random: RandomStates = field(default_factory=RandomStates)
    arrays: Mapping[str, Tensor] = field(default_factory=dict)
    """The caller's own arrays (best weights, snapshots of a league, a buffer's cursor), by names like "best/<name>"."""

    @classmethod
    def capture(
        cls,
        network: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        counters: Mapping[str, JsonValue] | None = None,
        generators: Mapping[str, np.random.Generator] | None = None,
        arrays: Mapping[str, Tensor | NDArray[Any]] | None = None,
    ) -> Self:
        """Copy network, optimizer and every source of chance as they are now; nothing is shared with them."""
        return cls(
            weights_of(network),
            OptimizerState.capture(optimizer) if optimizer else None,
            dict(counters or {}),
            RandomStates.capture(generators),
            {name: _copied(_tensor(array)) for name, array in (arrays or {}).items()},
        )

    def restore(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        generators: Mapping[str, np.random.Generator] | None = None,
    ) -> None:
        """Put weights, optimizer and chance back into these objects.

        Raises:
            ModelError: the network is built otherwise than the one that was saved.
        """
        load_weights(network, self.network)
        if optimizer is not None:
            if self.optimizer is None:
                raise ModelError("the checkpoint holds no optimizer", remedy="It can serve as a start, not be resumed.")
            self.optimizer.restore(optimizer)
        self.random.restore(generators)

    def array(self, name: str) -> NDArray[Any]:
        """A named array as numpy sees it, of its own shape and type, sharing memory."""
        kept: NDArray[Any] = self.arrays[name].numpy()
        return kept

    def arrays_under(self, prefix: str) -> dict[str, Tensor]:
        """The arrays whose names begin with `prefix` and a slash, by the rest of their names."""
        start = f"{prefix}/"
        return {name.removeprefix(start): array for name, array in self.arrays.items() if name.startswith(start)}


def weights_of(network: nn.Module) -> Weights:
    """A copy of the network's state on the CPU."""
    return {name: _copied(tensor) for name, tensor in network.state_dict().items()}


def load_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy `weights` into the network, wherever it lies.

    Raises:
        ModelError: a name or a shape differs.
    """
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise ModelError(
            "the weights belong to a network that is built otherwise",
            where=" ".join(str(error).split())[:300],
            remedy="Use the configuration it was trained with, or start afresh.",
        ) from error


def _sizes(groups: Sequence[Mapping[str, Any]]) -> list[int]:
    return [len(group["params"]) for group in groups]


def _tensor(array: Tensor | NDArray[Any]) -> Tensor:
    return array if isinstance(array, Tensor) else torch.from_numpy(np.ascontiguousarray(array))


def _copied(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True).contiguous()
