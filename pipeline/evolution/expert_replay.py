"""The expert's labels, kept to be learned from again: what a search finds out is dear, a step on it is not."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from pipeline.data.buffer import ExperienceBatch, ExperienceReplayBuffer
from pipeline.data.positions import Positions, allocate_positions
from pipeline.evolution.rollout import Samples
from schemas.training import DataSettings


class ExpertReplay:
    """The newest positions that the expert labelled, drawn by how far off the learner was on them.

    Nothing is changed in the middle of an update: `keep` takes in all of it at its end, so that an update which is
    dropped has left no trace.
    """

    def __init__(self, data: DataSettings) -> None:
        """Hold `data.buffer_size` positions, drawn by priority if `data.prioritized_sampling`."""
        self._buffer: Final = ExperienceReplayBuffer(
            data.buffer_size, quality_threshold=0.0, prioritized_sampling=data.prioritized_sampling
        )

    def __len__(self) -> int:
        return len(self._buffer)

    def draw(self, count: int, seed: int) -> ExperienceBatch:
        """Draw so many positions; the draws follow from what is kept and `seed`."""
        self._buffer.reseed(seed)
        return self._buffer.sample_batch(count)

    def keep(
        self, samples: Samples, drawn: Sequence[ExperienceBatch], errors: Sequence[NDArray[np.floating[Any]]]
    ) -> None:
        """Take in an update's new labels, and how far off the learner was on what was drawn for it.

        Args:
            errors: for each of `drawn` the cross-entropy of its rows, in nats, float[M].
        """
        for batch, error in zip(drawn, errors, strict=True):
            self._buffer.update_priorities(batch.indices, error)
        rows = np.arange(len(samples.moves))
        legal = samples.masks[rows, np.minimum(samples.taught, 3)] & (samples.taught < 4)
        chosen = np.flatnonzero(samples.expert & legal)
        if len(chosen):
            self._buffer.add(_positions(samples.rows(chosen)), 1.0)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """What is kept, for checkpoints."""
        return self._buffer.to_arrays()

    def counters(self) -> dict[str, JsonValue]:
        """The rest of it."""
        return self._buffer.counters()

    def restore(self, arrays: Mapping[str, NDArray[Any]], counters: Mapping[str, JsonValue]) -> bool:
        """Take back what `to_arrays` and `counters` gave; False: that was a buffer of another size."""
        if counters.get("max_size") != self._buffer.max_size:
            return False
        self._buffer.restore(arrays, counters)
        return True


def _positions(samples: Samples) -> Positions:
    """As positions of unfinished games: outcome is what the learner expects, survival and territory are not told."""
    made = allocate_positions(len(samples.moves), samples.planes.shape[-1])
    for array in made:
        array[:] = 0
    known = {name: getattr(samples, name) for name in ("planes", "features", "context", "masks")}
    return made._replace(**known, moves=samples.taught, outcome=samples.returns)
