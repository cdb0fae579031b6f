"""Where every source of chance in a training process stands, so that a resumed run draws what the first would have."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from pydantic import JsonValue
from torch import Tensor

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
