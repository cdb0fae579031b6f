"""Many games between players in one batch; what each game becomes depends on its seed and seating alone."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.players.match import GameConditions
from pipeline.engine.slots import Outcomes
from pipeline.simulator.competitor import Competitor
from pipeline.simulator.match_batch import MatchBatch
from pipeline.simulator.watch import GameWatch
from schemas.errors import StoppedError


class Finished(NamedTuple):
    """G games of S seats, row i being game i of the call.

    seeds, turns int64[G]; per seat int32[G, S]: ranks (1 = best; those who died on the same turn, and all who still
    lived at the end, share it), causes (index into `layout.CAUSE_WORDS`, 0 = alive), killers (seat, -1 none), deaths
    (turn, 0 = alive), lengths; seatings uint8[G, S], index into the players; tapes: per game its record for
    `TapeReader`, where they were asked for (empty list if not; b"" for a game too long for its tape).
    """

    seeds: NDArray[np.int64]
    turns: NDArray[np.int64]
    ranks: NDArray[np.int32]
    causes: NDArray[np.int32]
    killers: NDArray[np.int32]
    deaths: NDArray[np.int32]
    lengths: NDArray[np.int32]
    seatings: NDArray[np.uint8]
    tapes: list[bytes]

    @property
    def cut_off(self) -> NDArray[np.bool_]:
        """bool[G]: games ended by the turn limit; the snakes that still lived share the first place, a draw."""
        return np.asarray((self.deaths == 0).sum(1) > min(self.deaths.shape[1] - 1, 1))

    @property
    def shares(self) -> NDArray[np.float64]:
        """float64[G, S]: each seat's share of the first place: 1 to a sole winner, 1/k to each of k who share it."""
        first = self.ranks == 1
        return np.asarray(first / first.sum(1, keepdims=True))


def join_finished(parts: Sequence[Finished]) -> Finished:
    """All games of parts of as many seats, one after the other."""
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in Finished._fields if name != "tapes"
    }
    return Finished(**arrays, tapes=[tape for part in parts for tape in part.tapes])


def play_matches(
    players: Sequence[Competitor],
    seatings: NDArray[np.uint8],
    seeds: NDArray[np.int64],
    conditions: GameConditions,
    *,
    tapes: bool = False,
    games_at_once: int = 256,
    threads: int = 1,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
    finish: Callable[["Finished", NDArray[np.int64]], None] | None = None,
    watch: GameWatch | None = None,
) -> Finished:
    """Play game i with seeds[i] and the players `seatings[i]` names; the result is the same for any batch or threads.

    A slot whose game ended takes the next one at once, so that batches stay full until the last games.

    Args:
        players: at most 255.
        seatings: uint8[G, S], an index into `players` per seat.
        seeds: int64[G].
        conditions: of every game, `snakes` being S; `most_turns` ends a game, see `Finished.cut_off`.
        tapes: keep each game's tape.
        games_at_once: slots; memory and the policies' rows per turn grow with it.
        threads: for observing and heuristics; policies have threads of their own.
        stop: asked once per turn.
        progress: told (games finished, games in all) whenever some finish.
        finish: handed what is filled in so far and which games just ended, whenever some do. Whoever looks at them
            before all have ended sees the short ones first.
        watch: shows one of the games while it is played.

    Raises:
        GameStateError: the conditions cannot be set up, or the board does not fit the policies' frame.
        StoppedError: `stop` said so. The games finished until then are not handed out: they are the short ones.
        ValueError: seatings that do not fit seeds, seats or players, or a policy's answer that is none.
    """
    _check(players, seatings, seeds, conditions, games_at_once, threads)
    finished = empty_results(seatings, seeds, tapes=tapes)
    if len(seeds):
        slots = min(games_at_once, len(seeds))
        with MatchBatch(players, conditions, slots, tapes=tapes, threads=threads) as batch:
            _play(batch, slots, finished, stop, progress, finish, watch)
    return finished


def _play(
    batch: MatchBatch,
    slots: int,
    finished: Finished,
    stop: Callable[[], bool] | None,
    progress: Callable[[int, int], None] | None,
    finish: Callable[[Finished, NDArray[np.int64]], None] | None,
    watch: GameWatch | None,
) -> None:
    total, done, begun = len(finished.seeds), 0, slots
    game_in = np.arange(slots)
    batch.seat(np.arange(slots), finished.seatings[:slots], finished.seeds[:slots])
    if watch is not None:
        watch.seated(batch.records, 0, finished.seatings[0])
    while done < total:
        if stop is not None and stop():
            raise StoppedError(f"{done} of {total} games were finished when asked to stop")
        ended = batch.turn()
        if watch is not None:
            watch.turn(batch.records)
        if ended is None:
            continue
        _file(finished, game_in[ended.slot], ended)
        if finish is not None:
            finish(finished, game_in[ended.slot])
        done += len(ended.slot)
        freed = ended.slot[: total - begun]
        if len(freed):
            games = np.arange(begun, begun + len(freed))
            batch.seat(freed, finished.seatings[games], finished.seeds[games])
            game_in[freed] = games
            begun += len(freed)
            if watch is not None:
                watch.seated(batch.records, int(freed[0]), finished.seatings[games[0]])
        if progress is not None:
            progress(done, total)


def _file(finished: Finished, games: NDArray[np.int64], ended: Outcomes) -> None:
    finished.turns[games] = ended.turns
    finished.ranks[games] = ended.rank
    finished.causes[games] = ended.cause
    finished.killers[games] = ended.killer
    finished.deaths[games] = ended.died_on
    finished.lengths[games] = ended.length
    if finished.tapes:
        for game, tape in zip(games.tolist(), ended.tapes, strict=True):
            finished.tapes[game] = tape


def empty_results(seatings: NDArray[np.uint8], seeds: NDArray[np.int64], *, tapes: bool) -> Finished:
    """Results of these games, uint8[G, S] and int64[G], to be filled in; all zeros."""
    return Finished(
        seeds=seeds.copy(),
        turns=np.zeros(len(seeds), np.int64),
        ranks=np.zeros(seatings.shape, np.int32),
        causes=np.zeros(seatings.shape, np.int32),
        killers=np.zeros(seatings.shape, np.int32),
        deaths=np.zeros(seatings.shape, np.int32),
        lengths=np.zeros(seatings.shape, np.int32),
        seatings=seatings.copy(),
        tapes=[b""] * len(seeds) if tapes else [],
    )


def _check(
    players: Sequence[Competitor],
    seatings: NDArray[np.uint8],
    seeds: NDArray[np.int64],
    conditions: GameConditions,
    games_at_once: int,
    threads: int,
) -> None:
    wanted = (len(seeds), conditions.snakes)
    if seatings.shape != wanted or seatings.dtype != np.uint8 or seeds.shape != wanted[:1] or seeds.dtype != np.int64:
        raise ValueError(
            f"seatings {seatings.dtype}{seatings.shape} and seeds {seeds.dtype}{seeds.shape} do not fit; needed are"
            f" uint8[games, {conditions.snakes}] and int64[games]"
        )
    if not 1 <= len(players) <= 255 or (seatings.size and seatings.max() >= len(players)):
        raise ValueError(f"seatings name players up to {seatings.max(initial=0)}; there are {len(players)}")
    if min(games_at_once, threads, conditions.most_turns) < 1:
        raise ValueError("games_at_once, threads and most_turns must be at least 1")
