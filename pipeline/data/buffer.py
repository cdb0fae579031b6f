"""`ExperienceReplayBuffer`: positions to learn from, drawn uniformly, by quality or by what surprised most.

Prioritised sampling is the proportional variant of Schaul, Quan, Antonoglou, Silver: "Prioritized experience replay",
ICLR 2016: P(i) = p_i^ALPHA / sum, p_i = |error| + FLOOR, one draw from each of `batch_size` equal stretches of the sum
(stratified), importance weights (N P(i))^-beta divided by the batch's largest. New experiences get the largest priority
seen so far, so that each is drawn soon. Eviction is strictly by age.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pipeline.data.experience_rows import ExperienceRows
from pipeline.data.positions import Positions, positions_of
from pipeline.data.stored_game import StoredGame
from pipeline.data.sum_tree import SumTree
from pipeline.engine.planes import ENCODER_ID, FRAME
from schemas.errors import DataError
from schemas.files import write_atomic

FORMAT: Final = "ouroboros-replay-buffer/1"
ALPHA: Final = 0.6
BETA: Final = 0.4
FLOOR: Final = 1e-3
HIGH_QUALITY_SHARE: Final = 0.25


class ExperienceBatch(NamedTuple):
    """B rows drawn: `positions`; `indices` int64[B], each experience's number, for `update_priorities`; `weights`
    float32[B], the importance weights (1 where nothing is prioritised); `quality` float32[B] of their games."""

    positions: Positions
    indices: NDArray[np.int64]
    weights: NDArray[np.float32]
    quality: NDArray[np.float32]


class ExperienceReplayBuffer:
    """The newest `max_size` experiences of good enough games. Not for several threads at once.

    An experience is known by its number in the order of adding, which is never used again: what has been evicted can
    be told from what took its place.
    """

    def __init__(
        self,
        max_size: int = 100_000,
        quality_threshold: float = 0.6,
        prioritized_sampling: bool = True,
        seed: int = 0,
        frame: int = FRAME,
    ) -> None:
        """Allocate about 100 bytes per experience; 100 to 250 more are taken as each comes.

        Args:
            quality_threshold: games of a lower quality score are not taken.
            prioritized_sampling: draw in proportion to what `update_priorities` told; else uniformly.
            seed: of all draws.
            frame: side of the planes.
        """
        if max_size < 1:
            raise ValueError(f"max_size is {max_size}; it must be at least 1")
        self.max_size: Final = max_size
        self.quality_threshold: Final = quality_threshold
        self.prioritized_sampling: Final = prioritized_sampling
        self._rows: Final = ExperienceRows(max_size, frame)
        self._tree: Final = SumTree(max_size)
        self._chance: Final = np.random.Generator(np.random.PCG64(seed))
        self._largest = 1.0
        self._high: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def bytes_per_experience(self) -> float:
        """Memory in bytes, unused and the tree's included, over the experiences held."""
        return (self._rows.nbytes + self._tree.nbytes) / max(len(self), 1)

    def add(self, positions: Positions, quality: float | NDArray[np.floating[Any]]) -> int:
        """Take over the positions whose game is good enough; return how many those are.

        Args:
            quality: of their game, 0 to 1, or one value per position, [N].
        """
        each = np.broadcast_to(np.asarray(quality, np.float64), (len(positions),))
        good = each >= self.quality_threshold
        chosen = positions if good.all() else positions.rows(good)
        slots = self._rows.add(chosen, each[good].astype(np.float32))
        self._tree.put(slots, np.full(len(slots), self._largest**ALPHA))
        self._high = None
        return len(chosen)

    def add_games(self, games: Sequence[StoredGame], **options: Any) -> int:
        """Take over the positions of stored games; `options` are those of `positions_of`. Returns how many.

        Raises:
            DataError: as `positions_of`.
        """
        good = [game for game in games if game.quality >= self.quality_threshold]
        made = positions_of(good, **options)
        return self.add(made, np.array([game.quality for game in good])[made.game] if good else 0.0)

    def sample_batch(self, batch_size: int, beta: float = BETA) -> ExperienceBatch:
        """Draw `batch_size` experiences, one may come twice.

        Args:
            beta: 0 no correction of the bias that priorities bring .. 1 full.

        Raises:
            DataError: the buffer is empty.
        """
        self._check(batch_size)
        if not self.prioritized_sampling:
            slots = self._chance.integers(0, len(self), batch_size)
            return self._batch(slots, np.ones(batch_size, np.float32))
        total = self._tree.total
        points = (np.arange(batch_size) + self._chance.random(batch_size)) * (total / batch_size)
        slots = self._tree.find(points)
        weights = (len(self) / total * self._tree.weights[slots]) ** -beta
        return self._batch(slots, (weights / weights.max()).astype(np.float32))

    def sample_high_quality_batch(self, batch_size: int) -> ExperienceBatch:
        """Draw uniformly from the quarter of experiences whose games are best, those level with its last included.

        Raises:
            DataError: the buffer is empty.
        """
        self._check(batch_size)
        if self._high is None:
            quality = self._rows.quality[: len(self)]
            self._high = np.flatnonzero(quality >= np.quantile(quality, 1 - HIGH_QUALITY_SHARE, method="lower"))
        slots = self._high[self._chance.integers(0, len(self._high), batch_size)]
        return self._batch(slots, np.ones(batch_size, np.float32))

    def update_priorities(self, indices: NDArray[np.int64], errors: NDArray[np.floating[Any]]) -> int:
        """Tell how far off the learner was; return how many of these experiences are still held (others: no effect).

        Args:
            indices: int64[B] of `ExperienceBatch`; of one named twice the last error counts.
            errors: [B], of any sign, finite.

        Raises:
            ValueError: shapes that differ, or an error that is not finite.
        """
        sizes = np.abs(np.asarray(errors, np.float64)) + FLOOR
        if sizes.shape != indices.shape or not np.isfinite(sizes).all():
            raise ValueError(f"errors of shape {sizes.shape} for {indices.shape} indices, or not finite")
        total = self._rows.total
        held = (indices >= total - len(self)) & (indices < total)
        self._tree.put(indices[held] % self.max_size, sizes[held] ** ALPHA)
        self._largest = max(self._largest, float(sizes[held].max(initial=0)))
        return int(held.sum())

    def reseed(self, seed: int) -> None:
        """Let all draws from now on follow from `seed`."""
        self._chance.bit_generator.state = np.random.PCG64(seed).state

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that is held, as arrays by name, the oldest of N experiences first: an entry each, `weights`
        float64[N] (the priorities) among them, but for `code` and `boards`, which hold the packed boards end to end."""
        arrays = {**self._rows.state(), "weights": self._tree.weights[self._rows.slots_of_live()]}
        return {name: np.ascontiguousarray(array) for name, array in arrays.items()}

    def counters(self) -> dict[str, Any]:
        """What `restore` needs beside the arrays."""
        return {"max_size": self.max_size, "total": self._rows.total, "largest": self._largest}

    def restore(self, arrays: Mapping[str, NDArray[Any]], counters: Mapping[str, Any]) -> None:
        """Hold what a buffer of the same size and frame held when it gave these.

        Args:
            arrays: as `to_arrays` gave them.
            counters: as `counters` did.
        """
        self._rows.restore(int(counters["total"]), dict(arrays))
        weights = np.zeros(min(self.max_size, self._rows.total))
        weights[self._rows.slots_of_live()] = arrays["weights"]
        self._tree.fill(weights)
        self._largest, self._high = float(counters["largest"]), None

    def save(self, path: Path) -> None:
        """Write everything to one safetensors file, whole or not at all; `load` goes on exactly where this stands.

        Raises:
            OSError: the folder is missing or full.
        """
        arrays = self.to_arrays()
        told = {
            **self.counters(),
            "format": FORMAT,
            "encoder": ENCODER_ID,
            "quality_threshold": self.quality_threshold,
            "prioritized_sampling": self.prioritized_sampling,
            "frame": self._rows.frame,
            "chance": self._chance.bit_generator.state,
            "digest": _digest(arrays),
        }
        write_atomic(path, save(arrays, {"buffer": json.dumps(told)}))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the buffer that was saved: its next draws are those that it would have made.

        Raises:
            DataError: not such a file, damaged, or made by another encoder.
        """
        told, arrays = _read(path)
        if told.get("format") != FORMAT or told.get("encoder") != ENCODER_ID:
            raise DataError(
                f"made as {told.get('format')} by encoder {told.get('encoder')}; needed are {FORMAT} and {ENCODER_ID}",
                where=str(path),
                remedy="Fill a new buffer from the stored games.",
            )
        if told["digest"] != _digest(arrays):
            raise DataError("the replay buffer's file is damaged", where=str(path), remedy="Fill a new one.")
        made = cls(told["max_size"], told["quality_threshold"], told["prioritized_sampling"], frame=told["frame"])
        made.restore(arrays, told)
        made._chance.bit_generator.state = told["chance"]
        return made

    def _check(self, batch_size: int) -> None:
        if len(self) == 0:
            raise DataError("the replay buffer is empty", remedy="Add positions of good enough games first.")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")

    def _batch(self, slots: NDArray[np.int64], weights: NDArray[np.float32]) -> ExperienceBatch:
        last = self._rows.total - 1
        numbers = last - (last - slots) % self.max_size
        return ExperienceBatch(self._rows.take(slots), numbers, weights, self._rows.quality[slots])


def _digest(arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    try:
        with safe_open(path, framework="np") as file:
            told = json.loads((file.metadata() or {}).get("buffer", "{}"))
            return told, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(f"not a replay buffer that can be read: {error}", where=str(path)) from error
