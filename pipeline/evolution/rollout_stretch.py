"""A stretch of a worker's games as plain data, so that it can be played anywhere: what it depends on, and what came of
it. Two stretches with the same data and the same networks come to the same, bit for bit, on processors of one model."""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from pipeline.evolution.league import League, OpponentShares, TeacherTargets
from pipeline.evolution.networks import Network
from pipeline.evolution.rollout import RolloutStats, RolloutWorker, Samples, WorkerSetup
from schemas.errors import DataError

MOST_BYTES: Final = 1 << 30
"""Of one packed stretch, once it is unpacked."""
_LEVEL: Final = 1
"""Boards are mostly zeros: the quickest level packs them to a tenth."""
_CHANCE, _NUMBERS = "chance", "numbers"
_GAMES, _SAMPLES, _SEEN = "games/", "samples/", "seen/"
_COUNTED: Final = ("games", "cut", "decisions", "entropy")


@dataclass(frozen=True, slots=True)
class Stretch:
    """So many turns of one worker's games, with all that they depend on but the networks.

    `games` holds where the games and the worker's chance stand (`packed`); `league` is `League.counters()` as JSON.
    """

    setup: WorkerSetup
    turns: int
    games: bytes
    league: str
    shares: OpponentShares
    targets: TeacherTargets


class PlayedStretch(NamedTuple):
    """What came of a stretch: its samples, what was seen, and where games and chance stand after it."""

    samples: Samples
    seen: RolloutStats
    games: Mapping[str, NDArray[Any]]
    chance: Mapping[str, Any]


class SpreadRollouts(Protocol):
    """Plays stretches on several machines."""

    def collect(
        self,
        stretches: Sequence[Stretch],
        networks: Sequence[Network | None],
        ensure_running: Callable[[], None],
    ) -> list[PlayedStretch] | None:
        """What came of each stretch, in their order, each played once that counts; None: there are no other machines.

        Args:
            networks: the learner, and who moves the seats of each of RESIDENTS (None: the learner does).
            ensure_running: called several times a second; what it raises ends the stretches in the middle.

        Raises:
            MachineError: a stretch cannot be played anywhere.
        """
        ...


def stretch_of(worker: RolloutWorker, league: League, turns: int, targets: TeacherTargets) -> Stretch:
    """The next stretch of a worker's games."""
    games = _pack(
        {_GAMES + name: array for name, array in worker.to_arrays().items()},
        {_CHANCE: worker.generator.bit_generator.state},
    )
    return Stretch(worker.setup, turns, games, json.dumps(league.counters()), worker.shares, targets)


def play_spread(
    spread: SpreadRollouts,
    workers: Sequence[RolloutWorker],
    league: League,
    networks: Sequence[Network | None],
    turns: int,
    targets: TeacherTargets,
    ensure_running: Callable[[], None],
) -> list[tuple[Samples, RolloutStats]] | None:
    """What `collect` of each worker would come to, and each stands where it would then; None: this machine is alone.

    Raises:
        StoppedError: by `ensure_running`. MachineError: a stretch cannot be played anywhere.
    """
    stretches = [stretch_of(worker, league, turns, targets) for worker in workers]
    played = spread.collect(stretches, networks, ensure_running)
    if played is None:
        return None
    for worker, stretch in zip(workers, played, strict=True):
        _stand(worker, stretch.games, stretch.chance)
    return [(stretch.samples, stretch.seen) for stretch in played]


def _stand(worker: RolloutWorker, games: Mapping[str, NDArray[Any]], chance: Mapping[str, Any]) -> None:
    """Let a worker stand where games, played elsewhere, stand."""
    if not worker.fits(games):
        raise DataError("a stretch of games came that is not this worker's")
    worker.from_arrays(games)
    worker.generator.bit_generator.state = chance


def play_stretch(
    worker: RolloutWorker, league: League, stretch: Stretch, networks: Sequence[Network | None]
) -> PlayedStretch:
    """Play it with a worker made from its `setup` and that worker's own league; both are changed.

    Args:
        networks: see `SpreadRollouts.collect`.

    Raises:
        DataError, GameStateError: the games did not arrive whole.
        StoppedError: by the worker's `ensure_running`.
    """
    games, numbers = _unpack(stretch.games)
    league.restore({}, json.loads(stretch.league))
    _stand(worker, _under(_GAMES, games), numbers[_CHANCE])
    worker.shares = stretch.shares
    learner, *residents = networks
    assert learner is not None
    samples, seen = worker.collect(learner, residents, stretch.turns, stretch.targets)
    return PlayedStretch(samples, seen, worker.to_arrays(), worker.generator.bit_generator.state)


def packed(played: PlayedStretch) -> tuple[bytes, str]:
    """A played stretch to be sent, and the digest of all that it says (hex), which does not depend on the packing."""
    seen = played.seen._asdict()
    arrays: dict[str, NDArray[Any]] = {_GAMES + name: array for name, array in played.games.items()}
    arrays |= {_SAMPLES + name: array for name, array in played.samples._asdict().items()}
    arrays |= {_SEEN + name: array for name, array in seen.items() if name not in _COUNTED}
    numbers = {_CHANCE: played.chance, _NUMBERS: {name: seen[name] for name in _COUNTED}}
    told = blake2b(json.dumps(numbers, sort_keys=True).encode(), digest_size=16)
    for name in sorted(arrays):
        told.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return _pack(arrays, numbers), told.hexdigest()


def unpacked(data: bytes) -> PlayedStretch:
    """The inverse of `packed`.

    Raises:
        DataError: it did not arrive whole, or is beyond `MOST_BYTES`.
    """
    arrays, numbers = _unpack(data)
    try:
        samples = Samples(**_under(_SAMPLES, arrays))
        seen = RolloutStats(**_under(_SEEN, arrays), **numbers[_NUMBERS])
        return PlayedStretch(samples, seen, _under(_GAMES, arrays), numbers[_CHANCE])
    except (TypeError, KeyError) as error:
        raise DataError(f"a stretch of games did not arrive whole: {error}") from error


def _under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _pack(arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any]) -> bytes:
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return zlib.compress(safetensors.numpy.save(whole, {"json": json.dumps(numbers)}), _LEVEL)


def _unpack(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    try:
        opened = zlib.decompressobj()
        whole = opened.decompress(data, MOST_BYTES)
        if not opened.eof:
            raise DataError(f"a stretch of games is cut off, or larger than {MOST_BYTES >> 20} MiB")
        header = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])
        return safetensors.numpy.load(whole), json.loads(header["__metadata__"]["json"])
    except (zlib.error, SafetensorError, ValueError, KeyError) as error:
        raise DataError(f"a stretch of games did not arrive whole: {error}") from error
