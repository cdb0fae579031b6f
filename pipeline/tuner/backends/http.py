"""The backend for any snake: processes that answer the official API, played by the referee's games on an event loop.

Three threads: the caller's, one that builds and starts snakes (which takes long), and one for the event loop, where a
stream of games of all jobs goes on without a gap.

One process referees, on however many cores: the snakes are processes of their own and take most of the time. Measured
on two cores, interleaved, 240 games each (bundled snake, Unix sockets): a move costs 140 us of the snakes and 31 us of
the referee with one process, 148 and 45 us with two, so two free cores play 28.2 games a second against 25.1.
"""

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import uvloop

from pipeline.live_games import ToldGames
from pipeline.referee.connection import SnakeConnection
from pipeline.referee.endpoint import Endpoint, parse_endpoint
from pipeline.referee.game import Recording, RunningGame, SeatedSnake
from pipeline.referee.game_board import rehearse
from pipeline.referee.introduction import INDEX_TIMEOUT_S, ask_identity
from pipeline.referee.live_spectator import LiveSpectator
from pipeline.referee.match import default_games_at_once
from pipeline.referee.outcome import GameOutcome
from pipeline.referee.protocol import Identity
from pipeline.referee.schedule import ScheduledGame
from pipeline.snake_builder import Cancelled
from pipeline.tuner.backends import GameOrder, PlayedGame
from pipeline.tuner.backends.running_snakes import RunningSnake, SnakePool
from pipeline.tuner.backends.shown import about, names
from pipeline.tuner.jobs import GameResult, JobFailure
from schemas.errors import MachineError, OuroborosError
from schemas.tuning import TunerSettings


@dataclass(eq=False)
class _Order:
    """A game on its way."""

    order: GameOrder
    dropped: bool = False
    snakes: list[RunningSnake] = field(default_factory=list)
    lines: list[SnakeConnection] = field(default_factory=list)


class HttpBackend:
    """See the module's text.

    Args:
        source, run_command: see `SnakePool`.
        folder: an existing folder for scratch copies.
        why: why games go over HTTP, for the notice.
        live: where a game is told while it is played; None: nowhere.
    """

    name = "http"

    def __init__(
        self,
        source: Path,
        folder: Path,
        settings: TunerSettings,
        run_command: str,
        why: str = "",
        live: ToldGames | None = None,
    ) -> None:
        self._live = live
        self.capacity = settings.parallel_games or default_games_at_once()
        self.notice = f"Games are played over HTTP, {self.capacity} at once{f': {why}' if why else ''}."
        self._closing = False
        self._players = SnakePool(source, folder, settings, run_command, lambda: self._closing)
        self._ended: SimpleQueue[PlayedGame | BaseException] = SimpleQueue()
        self._to_start: SimpleQueue[_Order | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._orders: dict[str, set[_Order]] = {}
        """By job, the games that were begun and have not ended."""
        self._refused: set[str] = set()
        """Jobs told as failures: nothing more of them is told."""
        self._free_lines: dict[tuple[str, int], list[SnakeConnection]] = {}
        self._known: dict[str, tuple[Endpoint, Identity]] = {}
        self._rehearsed = False
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._loop.set_exception_handler(self._fail)
        self._threads = [
            threading.Thread(target=self._loop.run_forever, name="tuner-games", daemon=True),
            threading.Thread(target=self._start_snakes, name="tuner-snakes", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def begin(self, orders: Sequence[GameOrder]) -> None:
        """See `Backend.begin`."""
        for order in orders:
            entry = _Order(order)
            with self._lock:
                self._orders.setdefault(order.job.id, set()).add(entry)
                self._refused.discard(order.job.id)
            self._to_start.put(entry)

    def finished(self, timeout_s: float) -> list[PlayedGame]:
        """See `Backend.finished`."""
        found: list[PlayedGame] = []
        with contextlib.suppress(Empty):
            found.append(self._unless_failed(self._ended.get(timeout=timeout_s)))
            while True:
                found.append(self._unless_failed(self._ended.get_nowait()))
        return found

    def drop(self, job_id: str) -> None:
        """See `Backend.drop`."""
        with self._lock:
            entries = self._orders.pop(job_id, set())
            for entry in entries:
                entry.dropped = True
        self._loop.call_soon_threadsafe(self._hang_up, entries)

    def close(self) -> None:
        """See `Backend.close`."""
        if self._closing:
            return
        self._closing = True
        self._to_start.put(None)
        self._threads[1].join()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._threads[0].join()
        self._close_loop()
        self._players.close()

    def _unless_failed(self, ended: PlayedGame | BaseException) -> PlayedGame:
        if isinstance(ended, BaseException):
            raise ended
        return ended

    # On the thread that starts snakes

    def _start_snakes(self) -> None:
        while (entry := self._to_start.get()) is not None:
            if entry.dropped or self._closing:
                continue
            try:
                self._ready(entry)
            except Cancelled:
                continue
            except MachineError as error:
                self._ended.put(error)
            except OuroborosError as error:
                self._refuse(entry, error)
            except Exception as error:  # noqa: BLE001 - handed to the caller of `finished`
                self._ended.put(error)

    def _ready(self, entry: _Order) -> None:
        job = entry.order.job
        if not self._rehearsed:  # compiled code is loaded before any clock runs
            rehearse(_spec(entry.order), job.conditions.referee)
            self._rehearsed = True
        snakes = []
        for who in job.participants:
            snake = self._players.running(who, job.conditions)
            if snake.url not in self._known:
                endpoint = parse_endpoint(snake.url)
                asking = asyncio.run_coroutine_threadsafe(
                    ask_identity(SnakeConnection(self._loop, endpoint, INDEX_TIMEOUT_S)), self._loop
                )
                self._known[snake.url] = endpoint, asking.result()
            with self._lock:
                snake.users += 1
                entry.snakes.append(snake)
            snakes.append(snake)
        known = [self._known[snake.url] for snake in snakes]
        self._loop.call_soon_threadsafe(self._play, entry, known)
        self._players.stop_idle()
        self._forget_gone()

    def _forget_gone(self) -> None:
        """What is known of snakes that have ended: a campaign starts thousands, each on an address of its own."""
        gone = self._known.keys() - self._players.urls
        for url in gone:
            del self._known[url]
        if gone:
            self._loop.call_soon_threadsafe(self._close_lines, gone)

    def _refuse(self, entry: _Order, error: OuroborosError) -> None:
        job_id = entry.order.job.id
        with self._lock:
            told = job_id in self._refused or entry.dropped
            self._refused.add(job_id)
            entries = self._orders.pop(job_id, set())
            for each in entries:
                each.dropped = True
        self._loop.call_soon_threadsafe(self._hang_up, entries)
        if not told:
            failure = JobFailure(job_id, error.what, error.where, error.remedy)
            self._ended.put(PlayedGame(job_id, entry.order.number, failure))

    # On the event loop's thread

    def _close_lines(self, urls: set[str]) -> None:
        for key in [key for key in self._free_lines if key[0] in urls]:
            for line in self._free_lines.pop(key):
                line.close()

    def _play(self, entry: _Order, known: Sequence[tuple[Endpoint, Identity]]) -> None:
        if entry.dropped:
            self._hang_up([entry])
            return
        job, spec = entry.order.job, _spec(entry.order)
        timeout_s = job.conditions.referee.timeout_ms / 1000
        players = []
        for who in spec.seats:
            endpoint, identity = known[who]
            free = self._free_lines.setdefault((endpoint.url, job.conditions.referee.timeout_ms), [])
            line = free.pop() if free else SnakeConnection(self._loop, endpoint, timeout_s)
            entry.lines.append(line)
            players.append(SeatedSnake(who, f"snake {who}", identity, line))

        def done(outcome: GameOutcome, _recording: Recording | None) -> None:
            for line in entry.lines:
                self._free_lines.setdefault((line.endpoint.url, job.conditions.referee.timeout_ms), []).append(line)
            entry.lines.clear()
            self._released(entry)
            if not entry.dropped:
                self._ended.put(PlayedGame(job.id, entry.order.number, result_of_outcome(outcome)))

        spectator = self._spectator(entry.order)
        RunningGame(spec, job.conditions.referee, players, done, record=False, spectator=spectator).begin()

    def _spectator(self, order: GameOrder) -> LiveSpectator | None:
        if self._live is None or not self._live.wanted():
            return None
        return LiveSpectator(self._live, about(order), names(order))

    def _hang_up(self, entries: Sequence[_Order] | set[_Order]) -> None:
        for entry in entries:
            for line in entry.lines:
                line.close()
            entry.lines.clear()
            self._released(entry)

    def _released(self, entry: _Order) -> None:
        with self._lock:
            for snake in entry.snakes:
                snake.users -= 1
            entry.snakes.clear()
            self._orders.get(entry.order.job.id, set()).discard(entry)

    def _fail(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._ended.put(context.get("exception") or RuntimeError(context["message"]))

    def _close_loop(self) -> None:
        for line in [line for lines in self._free_lines.values() for line in lines]:
            line.close()
        for entries in self._orders.values():
            for entry in entries:
                for line in entry.lines:
                    line.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(_settle(tasks))
        self._loop.close()


async def _settle(tasks: set[asyncio.Task[Any]]) -> None:
    """Let cancelled connects and aborted transports finish."""
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)


def _spec(order: GameOrder) -> ScheduledGame:
    seed, rotation = order.job.games[order.number]
    return ScheduledGame(order.number // len(order.job.rotations), seed, rotation)


def result_of_outcome(outcome: GameOutcome) -> GameResult:
    """The referee's outcome in the tuner's words."""
    died_on = tuple(snake.died_on_turn or 0 for snake in outcome.snakes)
    alive = [seat for seat, turn in enumerate(died_on) if turn == 0]
    last = alive or [seat for seat, turn in enumerate(died_on) if turn == max(died_on)]
    return GameResult(
        seed=outcome.spec.seed,
        rotation=outcome.spec.seats,
        scores=tuple(1 / len(last) if seat in last else 0.0 for seat in range(len(died_on))),
        turns=outcome.turns,
        lengths=tuple(snake.length for snake in outcome.snakes),
        died_on=died_on,
        causes=tuple(snake.cause for snake in outcome.snakes),
        failures=tuple(next(iter(snake.failures), "") for snake in outcome.snakes),
        move_ms=tuple(
            sum(snake.latencies_ms) / len(snake.latencies_ms) if snake.latencies_ms else nan for snake in outcome.snakes
        ),
        transcript=outcome.transcript,
    )
