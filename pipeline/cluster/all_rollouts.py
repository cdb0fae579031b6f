"""The learner's games on every machine of the cluster: what self-play calls. Without a head it plays none."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from pipeline.cluster.backend import ClusterBackend
from pipeline.cluster.bridge import Bridge
from pipeline.cluster.messages import Begin, Link
from pipeline.cluster.network_texts import MOST_CHARACTERS
from pipeline.cluster.node import find_head, own_identity
from pipeline.cluster.rollout_games import (
    RolloutBackend,
    StretchResult,
    learner_text,
    own_rollouts,
    stretch_job,
)
from pipeline.evolution.networks import Network
from pipeline.evolution.rollout_stretch import PlayedStretch, Stretch, unpacked
from pipeline.tuner.backends import Backend, GameOrder
from pipeline.tuner.jobs import JobFailure
from schemas.cluster import cluster_dir
from schemas.errors import MachineError

_LOOK_S = 0.2


class RolloutsOnAllMachines:
    """See `SpreadRollouts`; use it as a context, which ends what it began on the nodes.

    Args:
        home: the state folder, whose head is asked for machines.
        threads: stretches that this machine plays side by side.
        tell: told in a sentence who comes and goes.
        open_backend: None: this machine and every node.
    """

    def __init__(
        self,
        home: Path,
        threads: int,
        tell: Callable[[str], None],
        open_backend: Callable[[], Backend] | None = None,
    ) -> None:
        self._home, self._threads, self._tell = home, threads, tell
        self._open = open_backend or self._open_cluster
        self._alone = open_backend is None
        self._backend: Backend | None = None
        self._calls = 0
        self._told_large = False

    def __enter__(self) -> "RolloutsOnAllMachines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()

    def collect(
        self,
        stretches: Sequence[Stretch],
        networks: Sequence[Network | None],
        ensure_running: Callable[[], None],
    ) -> list[PlayedStretch] | None:
        """See `SpreadRollouts.collect`."""
        if self._alone and self._backend is None and find_head(self._home) is None:
            return None
        texts = [None if network is None else learner_text(network) for network in networks]
        if texts.count(None) > networks.count(None):
            if not self._told_large:
                self._tell(f"⚠ The learner plays here alone: it is larger than {MOST_CHARACTERS >> 20} MiB as text.")
            self._told_large = True
            return None
        if self._backend is None:
            self._backend = self._open()
        self._calls += 1
        names = [f"{self._calls}.{part}" for part in range(len(stretches))]
        self._backend.begin(
            [GameOrder(stretch_job(name, s, texts), 0) for name, s in zip(names, stretches, strict=True)]
        )
        found: dict[str, PlayedStretch] = {}
        try:
            while len(found) < len(names):
                ensure_running()
                self._take(self._backend, set(names) - found.keys(), found)
        finally:
            for name in set(names) - found.keys():
                self._backend.drop(name)
        return [found[name] for name in names]

    def _take(self, backend: Backend, wanted: set[str], found: dict[str, PlayedStretch]) -> None:
        for played in backend.finished(_LOOK_S):
            if played.job_id not in wanted:
                continue
            if isinstance(played.result, JobFailure):
                raise MachineError(played.result.what, where=played.result.where)
            assert isinstance(played.result, StretchResult)
            found[played.job_id] = unpacked(played.result.played)

    def _open_cluster(self) -> Backend:
        def reach() -> Link | None:
            head = find_head(self._home)
            if head is None:
                return None
            begin = Begin(own_rollouts(), (), own_identity(), one_model=True)
            return Bridge(head, begin, cluster_dir(self._home) / "rollouts-bridge.log")

        return ClusterBackend(RolloutBackend(self._threads), reach, lambda _folder: None, self._tell, ahead=1)
