"""`play_matches` on every machine of the cluster: what a network's judging calls. Without a head it is just that."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.cluster.backend import ClusterBackend
from pipeline.cluster.bridge import Bridge
from pipeline.cluster.match_games import (
    SimulatedGame,
    SimulatorBackend,
    SimulatorConditions,
    own_opening,
    text_of,
)
from pipeline.cluster.messages import Begin, Link
from pipeline.cluster.node import find_head, own_identity
from pipeline.engine.players.match import GameConditions
from pipeline.simulator.competitor import Competitor
from pipeline.simulator.matches import Finished, empty_results, play_matches
from pipeline.simulator.watch import GameWatch
from pipeline.tuner.backends import Backend, GameOrder
from pipeline.tuner.jobs import JobFailure, JobKind, MatchJob, Participant, SourceKind
from schemas.cluster import cluster_dir
from schemas.errors import MachineError, StoppedError

_LOOK_S = 0.2


class MatchesOnAllMachines:
    """Plays as `play_matches` does, the same games; use it as a context, which ends what it began on the nodes.

    Args:
        home: the state folder, whose head is asked for machines.
        threads: of this process's networks; the nodes compute with as many, so that their sums are the same.
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
        self._texts: dict[int, tuple[Competitor, str | None]] = {}
        self._calls = 0

    def __enter__(self) -> "MatchesOnAllMachines":
        return self

    def __exit__(self, *_of_an_error: object) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()

    def play(
        self,
        players: Sequence[Competitor],
        seatings: NDArray[np.uint8],
        seeds: NDArray[np.int64],
        conditions: GameConditions,
        *,
        tapes: bool = False,
        threads: int = 1,
        stop: Callable[[], bool] | None = None,
        progress: Callable[[int, int], None] | None = None,
        finish: Callable[[Finished, NDArray[np.int64]], None] | None = None,
        watch: GameWatch | None = None,
    ) -> Finished:
        """See `play_matches`. Nobody is shown a game that is spread.

        Raises:
            GameStateError, StoppedError, ValueError: as `play_matches`.
            MachineError: a player cannot be made from what stands in it.
        """
        people = self._people(players)
        if people is None:
            return play_matches(
                players, seatings, seeds, conditions, tapes=tapes, threads=threads, stop=stop, progress=progress,
                finish=finish, watch=watch,
            )  # fmt: skip
        if self._backend is None:
            self._backend = self._open()
        self._calls += 1
        asked = SimulatorConditions(game=conditions, tapes=tapes)
        orders = {}
        for number, (seating, seed) in enumerate(zip(seatings.tolist(), seeds.tolist(), strict=True)):
            name = f"{self._calls}.{number}"
            orders[name] = GameOrder(MatchJob(name, JobKind.MEASUREMENT, people, tuple(seating), (seed,), asked), 0)
        results = empty_results(seatings, seeds, tapes=tapes)
        self._backend.begin(list(orders.values()))
        while orders:
            if stop is not None and stop():
                for name in orders:
                    self._backend.drop(name)
                raise StoppedError(f"{len(seeds) - len(orders)} of {len(seeds)} games were finished when asked to stop")
            ended = self._take(self._backend, orders, results)
            if ended and finish is not None:
                finish(results, np.array(ended))
            if ended and progress is not None:
                progress(len(seeds) - len(orders), len(seeds))
        return results

    def _take(self, backend: Backend, orders: dict[str, GameOrder], results: Finished) -> list[int]:
        """The games that ended, filed."""
        ended = []
        for played in backend.finished(_LOOK_S):
            if orders.pop(played.job_id, None) is None:
                continue
            if isinstance(played.result, JobFailure):
                raise MachineError(played.result.what, where=played.result.where)
            assert isinstance(played.result, SimulatedGame)
            number = int(played.job_id.rpartition(".")[2])
            _file(results, number, played.result)
            ended.append(number)
        return ended

    def _people(self, players: Sequence[Competitor]) -> tuple[Participant, ...] | None:
        """The players as they travel; None: there is no cluster, or one of them cannot."""
        if self._alone and self._backend is None and find_head(self._home) is None:
            return None
        people = []
        for player in players:
            key = id(player.policy) if player.policy is not None else player.kind
            if key not in self._texts or self._texts[key][0] is not player:
                self._texts[key] = player, text_of(player)
            text = self._texts[key][1]
            if text is None:
                return None
            people.append(Participant(SourceKind.PLAYER, text))
        return tuple(people)

    def _open_cluster(self) -> Backend:
        def reach() -> Link | None:
            head = find_head(self._home)
            if head is None:
                return None
            begin = Begin(own_opening(self._threads), (), own_identity(), one_model=True)
            return Bridge(head, begin, cluster_dir(self._home) / "judging-bridge.log")

        return ClusterBackend(SimulatorBackend(), reach, lambda _folder: None, self._tell, in_batches=True)


def _file(results: Finished, number: int, game: SimulatedGame) -> None:
    by_seat: tuple[tuple[NDArray[Any], tuple[int, ...]], ...] = (
        (results.ranks, game.ranks),
        (results.causes, game.cause_numbers),
        (results.killers, game.killers),
        (results.deaths, game.died_on),
        (results.lengths, game.lengths),
    )
    results.turns[number] = game.turns
    for array, values in by_seat:
        array[number] = values
    if results.tapes:
        results.tapes[number] = game.tape
