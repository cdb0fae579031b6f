"""The Battlesnake server: the official API over a model file, games logged, a challenger in the shadow."""

import asyncio
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson
import uvloop

from pipeline.engine.layout import MOVE_WORDS
from pipeline.serve.game_log import GamesInHand
from pipeline.serve.http import Call, Connections, HttpReply, error_reply
from pipeline.serve.onnx_model import OnnxModel
from pipeline.serve.policy import MARGIN_MS, PolicyWithFallback, thought_of, warming_request
from pipeline.serve.shadow import Shadow
from schemas.errors import MachineError
from schemas.game import GameLog

GRACE_S: Final = 0.8
"""For requests under way at the end; the referee kills a second after its TERM."""
_ACCEPTED: Final = HttpReply(200, b"{}")
_LOOK: Final = {"color": "#2a5d8f", "head": "smart-caterpillar", "tail": "curled"}


class SnakeServer:
    """Answers games by a model until told to stop."""

    def __init__(
        self,
        model: OnnxModel,
        *,
        games: GamesInHand,
        now: Callable[[], datetime],
        complain: Callable[[str], None],
        challenger: OnnxModel | None = None,
        shadow_folder: Path | None = None,
        margin_ms: int = MARGIN_MS,
    ) -> None:
        """Get everything warm. `complain` is told, in words, what went wrong while serving.

        Raises:
            OSError: a folder cannot be made.
        """
        self._decider: Final = PolicyWithFallback(model, margin_ms)
        self._decider.warm_up(warming_request())
        self._games: Final = games
        self._complain: Final = complain
        self._writer: Final = ThreadPoolExecutor(1, thread_name_prefix="games")
        self._connections: Final = Connections(self._handle, complain)
        self._about: Final = HttpReply(200, orjson.dumps(_identity(model)))
        self._moves: Final = [orjson.dumps({"move": word}) for word in MOVE_WORDS]
        self._shadow = None
        if challenger is not None and shadow_folder is not None:
            champion_id = model.contract.model_id
            self._shadow = Shadow(challenger, shadow_folder, champion_id=champion_id, now=now, complain=complain)

    async def serve(self, host: str, port: int, ready: Callable[[str, int], None]) -> None:
        """Serve until SIGTERM or SIGINT; `ready` is told the address once the port is open.

        Raises:
            MachineError: the port cannot be had.
        """
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        try:
            server = await loop.create_server(self._connections.protocol, host, port, backlog=128)
        except OSError as error:
            raise MachineError(
                f"cannot listen: {error.strerror or error}",
                where=f"{host}:{port}",
                remedy="Choose another port by --port or PORT.",
            ) from error
        ready(host, server.sockets[0].getsockname()[1])
        await stop.wait()
        server.close()
        await self._connections.finish(GRACE_S)
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._decider.close()
        self._writer.shutdown()
        if self._shadow is not None:
            self._complain(self._shadow.close(GRACE_S / 2))

    async def _handle(self, call: Call) -> HttpReply:
        if call.method == "GET" and call.path == "/":
            return self._about
        act = {"/move": self._move, "/start": self._start, "/end": self._end}.get(call.path)
        if call.method != "POST" or act is None:
            return error_reply(404, "the API has GET / and POST /start, /move and /end")
        try:
            return await act(orjson.loads(call.body), call.arrived_s)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            return error_reply(400, f"no request of the API: {type(error).__name__}: {error}")

    async def _start(self, request: dict[str, Any], _: float) -> HttpReply:
        self._games.find(request)
        return _ACCEPTED

    async def _move(self, request: dict[str, Any], arrived_s: float) -> HttpReply:
        seats = self._games.find(request).seats
        decision = await self._decider.decide(request, seats, arrived_s)
        took_s = asyncio.get_running_loop().time() - arrived_s

        def afterwards() -> None:
            if decision.broken:
                self._complain(f"game {decision.asked.game_id if decision.asked else ''}: {decision.why_not}")
            self._games.add(request, thought_of(decision, took_s))
            if self._shadow is not None:
                self._shadow.offer(decision)

        return HttpReply(200, self._moves[decision.move], afterwards)

    async def _end(self, request: dict[str, Any], _: float) -> HttpReply:
        log = self._games.end(request)
        if log is not None:
            self._writer.submit(self._write, log)
        return _ACCEPTED

    def _write(self, log: GameLog) -> None:
        try:
            self._games.write(log)
        except OSError as error:
            self._complain(f"game {log.game_id} was not recorded: {error}")


def _identity(model: OnnxModel) -> dict[str, Any]:
    about = model.contract
    return {"apiversion": "1", "author": "ouroboros", **_LOOK, "version": f"{about.model_id} {about.version}".strip()}


def run_server(make: Callable[[], SnakeServer], host: str, port: int, ready: Callable[[str, int], None]) -> None:
    """Run a server on uvloop; returns once it was told to stop.

    Raises:
        MachineError: the port cannot be had.
    """
    uvloop.run(make().serve(host, port, ready))


def games_folder(given: str | None, default: Path) -> Path | None:
    """Return where games are logged: as given, else $OUROBOROS_GAMES_DIR, else `default`; empty keeps none."""
    chosen = given if given is not None else os.environ.get("OUROBOROS_GAMES_DIR")
    if chosen is None:
        return default
    return Path(chosen) if chosen else None
