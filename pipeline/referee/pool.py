"""Several referee processes for one match, where one would be the limit: from about six cores on.

One process referees some 50,000 moves a second, at 17 us of CPU each. It is the limit only where the other cores'
snakes could answer more than that: on N cores, with snakes that take s us a move, from N = (17 + s) / 17 on, which is
three cores for snakes that do not think and nine for the bundled one. Below that a second process costs more than it
brings: on two cores 24 us a move instead of 17, and 15,000 moves a second instead of 24,000 (measured in turns in one
run against snakes that do not think, load 20).

Each worker plays its share of the pairs in a `GamePool` of its own and sends every finished game through a pipe. The
pipe is also the leash: whatever comes through it during a match, its end included, is the stop. So workers end with the
process that made them, however that ends.
"""

import contextlib
import multiprocessing
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from pipeline.live_games import LiveGames
from pipeline.referee.game_pool import STOP_POLL_S, Contestant, GamePool
from pipeline.referee.outcome import GameOutcome
from pipeline.referee.schedule import MatchConditions, ScheduledGame
from schemas.cgroup import usable_processors
from schemas.errors import EvaluationError, OuroborosError

CORES_PER_WORKER = 6
JOIN_S = 5.0


@dataclass(frozen=True, slots=True)
class _Share:
    """What one worker is to play."""

    contestants: tuple[Contestant, ...]
    schedule: tuple[ScheduledGame, ...]
    conditions: MatchConditions
    games_at_once: int
    replay_dir: Path | None
    live: LiveGames | None


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why a worker gave up; our own errors travel in parts, since they do not survive pickling whole."""

    kind: type[OuroborosError] | None
    what: str
    where: str = ""
    remedy: str = ""


class _Done:
    """A worker has played its share, or was stopped."""


def workers_worth_having() -> int:
    """Return how many referee processes the cores of this process can keep busy; 1: play without a pool."""
    return max(1, usable_processors() // CORES_PER_WORKER)


class RefereePool:
    """Referee processes that stay for several matches; a context manager. Not for use from two threads at once.

    Args:
        workers: processes, each of about 120 MB.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._processes: list[BaseProcess] = []
        self._pipes: list[Connection] = []

    def __enter__(self) -> Self:
        """Start the processes."""
        # spawn: a fork would copy the caller's threads' locks and open sockets.
        context = multiprocessing.get_context("spawn")
        for number in range(self._workers):
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there,), name=f"referee-{number}", daemon=True)
            process.start()
            there.close()  # so that its end is seen here
            self._processes.append(process)
            self._pipes.append(here)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them all, in the middle of a match too."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(JOIN_S)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()
        self._processes, self._pipes = [], []

    def play(
        self,
        contestants: Sequence[Contestant],
        schedule: Sequence[ScheduledGame],
        conditions: MatchConditions,
        games_at_once: int,
        replay_dir: Path | None,
        on_game: Callable[[GameOutcome], None],
        stop: Callable[[], bool],
        live: LiveGames | None = None,
    ) -> None:
        """Play a schedule as `GamePool.play` does, shared out by pairs.

        Raises:
            OuroborosError: what a worker's `GamePool` raised.
            EvaluationError: a worker failed otherwise, or ended by itself; with its last words.
            Exception: whatever `on_game` or `stop` raises; the pool cannot be used again then.
        """
        shares = self._share_out(contestants, schedule, conditions, games_at_once, replay_dir, live)
        at_work = dict(zip(self._pipes, shares, strict=False))
        for pipe, share in at_work.items():
            pipe.send(share)
        failed: _Failed | None = None
        stopping = False
        while at_work:
            for pipe in cast(list[Connection], wait(list(at_work), STOP_POLL_S)):
                message = self._receive(pipe)
                if isinstance(message, GameOutcome):
                    if not stopping:
                        on_game(message)
                        stopping = self._stop_if(stop, at_work)
                    continue
                del at_work[pipe]
                if isinstance(message, _Failed) and failed is None:
                    failed = message
                    stopping = stopping or self._stop_if(lambda: True, at_work)
            if not stopping:
                stopping = self._stop_if(stop, at_work)
        if failed is not None:
            raise _error(failed)

    def _share_out(
        self,
        contestants: Sequence[Contestant],
        schedule: Sequence[ScheduledGame],
        conditions: MatchConditions,
        games_at_once: int,
        replay_dir: Path | None,
        live: LiveGames | None,
    ) -> list[_Share]:
        """Whole pairs in turn, so that pairs finish about in order; at least one game at once for each worker used."""
        order = {pair: number for number, pair in enumerate(dict.fromkeys(spec.pair for spec in schedule))}
        used = min(len(self._pipes), len(order), games_at_once)
        parts = [tuple(spec for spec in schedule if order[spec.pair] % used == number) for number in range(used)]
        return [
            _Share(
                tuple(contestants),
                part,
                conditions,
                games_at_once // used + (number < games_at_once % used),
                replay_dir,
                live if number == 0 else None,
            )
            for number, part in enumerate(parts)
        ]

    def _receive(self, pipe: Connection) -> GameOutcome | _Failed | _Done:
        try:
            message: GameOutcome | _Failed | _Done = pipe.recv()
        except (EOFError, ConnectionError):
            process = self._processes[self._pipes.index(pipe)]
            process.join(JOIN_S)
            return _Failed(None, f"it ended by itself with exit code {process.exitcode}")
        return message

    def _stop_if(self, stop: Callable[[], bool], at_work: dict[Connection, _Share]) -> bool:
        if not stop():
            return False
        for pipe in at_work:
            with contextlib.suppress(ConnectionError):  # it has just ended: `_receive` will say so
                pipe.send(None)
        return True


def _error(failed: _Failed) -> OuroborosError:
    if failed.kind is not None:
        return failed.kind(failed.what, where=failed.where, remedy=failed.remedy)
    return EvaluationError(
        "a referee process failed", where=failed.what, remedy="Play the match again; report it if it happens again."
    )


def _serve(pipe: Connection) -> None:
    """A worker's whole life: one share after the other, until the pipe ends."""
    # Ctrl+C and TERM reach the whole process group: the parent decides what they mean.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            share = pipe.recv()
            if isinstance(share, _Share):  # else a stop that came just after the end
                pipe.send(_play(share, pipe))


def _play(share: _Share, pipe: Connection) -> _Done | _Failed:
    try:
        games = GamePool(share.contestants, share.conditions, share.games_at_once, share.replay_dir, live=share.live)
        games.play(share.schedule, pipe.send, pipe.poll)
    except ConnectionError:
        raise
    except OuroborosError as error:
        return _Failed(type(error), error.what, error.where, error.remedy)
    except Exception:  # noqa: BLE001 - handed to the parent with its traceback
        return _Failed(None, traceback.format_exc())
    return _Done()
