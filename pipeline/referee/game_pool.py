"""One process's share of a match: many games at once on one event loop, until the schedule or the caller ends it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvloop

from pipeline.live_games import LiveGames
from pipeline.referee.connection import SnakeConnection
from pipeline.referee.endpoint import Endpoint, parse_endpoint
from pipeline.referee.game import Recording, RunningGame, SeatedSnake
from pipeline.referee.introduction import INDEX_TIMEOUT_S, ask_identity
from pipeline.referee.live_spectator import LiveSpectator
from pipeline.referee.outcome import GameOutcome
from pipeline.referee.protocol import Identity
from pipeline.referee.replay import write_replay
from pipeline.referee.schedule import MatchConditions, ScheduledGame

STOP_POLL_S = 0.1
Show = Callable[[bytes, Sequence[str]], None]
"""Takes a turn to be looked at, as `Spectator.shown` does."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A snake in a match."""

    name: str
    """Sent to the snakes and shown in replays."""
    url: str


class GamePool:
    """Plays a schedule; use once.

    Args:
        contestants: the snakes, by the indices that the schedule's seats name.
        conditions: of every game.
        games_at_once: games under way at any time.
        replay_dir: an existing folder for one replay file per game, or None.
        show: gets every turn of one game after the other, as `Spectator.shown` does; None: nobody watches.
        turn_delay_s: so long each turn of a watched game stays.
        live: shows a game to whoever looks at the pages; None: none is shown.
    """

    def __init__(
        self,
        contestants: Sequence[Contestant],
        conditions: MatchConditions,
        games_at_once: int,
        replay_dir: Path | None,
        show: Show | None = None,
        turn_delay_s: float = 0.0,
        live: LiveGames | None = None,
    ) -> None:
        self._contestants = tuple(contestants)
        self._endpoints = [parse_endpoint(contestant.url) for contestant in contestants]
        self._conditions = conditions
        self._games_at_once = games_at_once
        self._replay_dir = replay_dir
        self._show = show
        self._turn_delay_s = turn_delay_s
        self._live = live
        self._on_pages: LiveSpectator | None = None
        self._watched: RunningGame | None = None
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._identities: list[Identity] = []
        self._lines: list[SnakeConnection] = []
        self._under_way = 0
        self._writing: set[asyncio.Task[None]] = set()

    def play(
        self, schedule: Sequence[ScheduledGame], on_game: Callable[[GameOutcome], None], stop: Callable[[], bool]
    ) -> None:
        """Play until the schedule is done or `stop` says so (asked every 0.1 s and after each game).

        `on_game` gets every finished game, in the order they finish. Games under way at a stop are dropped.

        Raises:
            SnakeError: a snake does not answer `GET /`, or its answer is no JSON object.
            GameStateError: the conditions cannot be played.
            Exception: whatever `on_game` or `stop` raises.
        """
        try:
            self._loop.run_until_complete(self._play(iter(schedule), on_game, stop))
        finally:
            self._close()

    async def _play(
        self, schedule: Iterator[ScheduledGame], on_game: Callable[[GameOutcome], None], stop: Callable[[], bool]
    ) -> None:
        self._specs, self._on_game, self._stop = schedule, on_game, stop
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._loop.set_exception_handler(self._fail)
        self._watch_stop()
        self._opening = self._loop.create_task(self._open())
        await self._ended

    async def _open(self) -> None:
        try:
            self._identities = [
                await ask_identity(self._line(endpoint, INDEX_TIMEOUT_S)) for endpoint in self._endpoints
            ]
            for _ in range(self._games_at_once):
                self._start_next({})
            self._end_if_idle()
        except Exception as error:  # noqa: BLE001 - handed to the caller of `play`
            self._end(error)

    def _line(self, endpoint: Endpoint, timeout_s: float) -> SnakeConnection:
        line = SnakeConnection(self._loop, endpoint, timeout_s)
        self._lines.append(line)
        return line

    def _start_next(self, lines: dict[tuple[int, int], SnakeConnection]) -> None:
        """Begin the next game; `lines` are those of this table, by contestant and how many seats it has had."""
        spec = next(self._specs, None)
        if spec is None:
            return
        players = []
        for seat, contestant in enumerate(spec.seats):
            key = contestant, spec.seats[:seat].count(contestant)
            if key not in lines:
                lines[key] = self._line(self._endpoints[contestant], self._conditions.timeout_ms / 1000)
            name = self._contestants[contestant].name
            players.append(SeatedSnake(contestant, name, self._identities[contestant], lines[key]))

        def done(outcome: GameOutcome, recording: Recording | None) -> None:
            if self._watched is game:
                self._watched = None
            if recording is None:
                self._finished(outcome, lines)
            else:
                task = self._loop.create_task(self._keep(outcome, recording, lines))
                self._writing.add(task)
                task.add_done_callback(self._writing.discard)

        spectator = self if self._watched is None and self._is_watched() else None
        keep = self._replay_dir is not None
        game = RunningGame(spec, self._conditions, players, done, record=keep, spectator=spectator)
        self._watched = game if spectator is not None else self._watched
        self._under_way += 1
        game.begin()

    def _is_watched(self) -> bool:
        """Whether anybody wants to see the game that begins now."""
        wanted = self._live is not None and self._live.wanted()
        self._on_pages = LiveSpectator(self._live, "ouroboros play") if self._live is not None and wanted else None
        return wanted or self._show is not None

    def shown(self, body: bytes, causes: Sequence[str], go_on: Callable[[], None]) -> None:
        """See `Spectator`."""
        if self._show is not None:
            self._show(body, causes)
        if self._on_pages is not None:
            self._on_pages.show(body, causes)
        if self._turn_delay_s:
            self._loop.call_later(self._turn_delay_s, go_on)
        else:
            go_on()

    async def _keep(
        self, outcome: GameOutcome, recording: Recording, lines: dict[tuple[int, int], SnakeConnection]
    ) -> None:
        """Write the replay in a thread: compressing and fsync would make every snake look slow."""
        assert self._replay_dir is not None
        names = tuple(self._contestants[snake.contestant].name for snake in outcome.snakes)
        try:
            path = await self._loop.run_in_executor(None, write_replay, self._replay_dir, outcome, recording, names)
            self._finished(replace(outcome, replay=path), lines)
        except Exception as error:  # noqa: BLE001 - handed to the caller of `play`
            self._end(error)

    def _finished(self, outcome: GameOutcome, lines: dict[tuple[int, int], SnakeConnection]) -> None:
        if self._ended.done():
            return
        self._under_way -= 1
        self._on_game(outcome)
        if self._stop():
            self._end(None)
            return
        self._start_next(lines)
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self._under_way == 0:
            self._end(None)

    def _watch_stop(self) -> None:
        if self._stop():
            self._end(None)
        elif not self._ended.done():
            self._loop.call_later(STOP_POLL_S, self._watch_stop)

    def _fail(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error in any callback ends the match: without it the game it belonged to would wait for ever."""
        self._end(context.get("exception") or RuntimeError(context["message"]))

    def _end(self, error: BaseException | None) -> None:
        if self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)

    def _close(self) -> None:
        for line in self._lines:
            line.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(_settle(tasks))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


async def _settle(tasks: set[asyncio.Task[Any]]) -> None:
    """Let cancelled connects and aborted transports finish."""
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
