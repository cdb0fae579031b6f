"""A compiled player behind the official HTTP API, so that the referee can play it against any snake.

`python -m pipeline.environment.serve_player --kind strong --port 8000`; the port may come from $PORT as well.
"""

import hashlib
import os
import signal
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import click
import numpy as np
import orjson

from pipeline.engine import layout
from pipeline.engine.game import Game
from pipeline.engine.players.choose import choose_moves
from pipeline.engine.players.kinds import KINDS, kind_of
from pipeline.engine.players.mind import make_mind
from pipeline.engine.seats import CALLER
from schemas.errors import GameStateError

_IDENTITY: Final = {"apiversion": "1", "author": "ouroboros", "color": "#3e8e41", "head": "default", "tail": "default"}


def seed_of(game_id: str) -> int:
    """Return the seed a player's draws follow in the game of this id."""
    return int.from_bytes(hashlib.blake2b(game_id.encode(), digest_size=8).digest(), "little", signed=True)


def read_request(request: Mapping[str, Any]) -> tuple[Game, int]:
    """Return the game a /move request shows, and the seat of `you`.

    Raises:
        GameStateError: what is shown breaks the rules' invariants, or `you` is not on the board.
        KeyError, TypeError: a field is missing or of another kind.
    """
    board, ruleset = request["board"], request["game"]["ruleset"]
    settings = ruleset.get("settings") or {}
    state = {
        "turn": request["turn"],
        "width": board["width"],
        "height": board["height"],
        "food": [[c["x"], c["y"]] for c in board["food"]],
        "hazards": [[c["x"], c["y"]] for c in board["hazards"]],
        "snakes": [
            {"id": s["id"], "health": s["health"], "body": [[c["x"], c["y"]] for c in s["body"]]}
            for s in board["snakes"]
        ],
    }
    numbers = {
        "damagePerTurn": settings.get("hazardDamagePerTurn", 14),
        "foodSpawnChance": settings.get("foodSpawnChance", 15),
        "minimumFood": settings.get("minimumFood", 1),
        "shrinkEveryNTurns": max((settings.get("royale") or {}).get("shrinkEveryNTurns", 25), 1),
    }
    name = ruleset["name"] if ruleset["name"] in layout.RULESETS else "standard"
    game = Game.from_state(state, name, numbers, seed=seed_of(request["game"]["id"]))
    if request["you"]["id"] not in game.snake_ids:
        raise GameStateError("the snake asked for is not on the board", where="you.id")
    return game, game.snake_ids.index(request["you"]["id"])


def _warming_request() -> dict[str, Any]:
    """Return any valid question with more than one answer."""
    bodies = {name: [{"x": x, "y": y} for y in (3, 2, 1)] for name, x in (("a", 1), ("b", 5))}
    snakes = [{"id": name, "health": 90, "body": body} for name, body in bodies.items()]
    board = {"width": 7, "height": 7, "food": [{"x": 3, "y": 3}], "hazards": [], "snakes": snakes}
    return {"game": {"id": "", "ruleset": {"name": "standard"}}, "turn": 5, "board": board, "you": snakes[0]}


class PlayerServer(ThreadingHTTPServer):
    """Serves one player kind; each connection's thread thinks with a mind of its own."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, kind: int, host: str = "127.0.0.1", port: int = 0) -> None:
        """Bind; port 0 takes a free one, see `url`. Call `serve_forever`, or use `start` and `stop`."""
        super().__init__((host, port), _Handler)
        self.kind = kind
        self.minds = threading.local()

    @property
    def url(self) -> str:
        """Where the player answers."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def start(self) -> None:
        """Serve on a thread of its own until `stop`."""
        threading.Thread(target=self.serve_forever, name=f"player on {self.url}", daemon=True).start()

    def stop(self) -> None:
        """End serving and let go of the port."""
        self.shutdown()
        self.server_close()

    def move(self, request: Mapping[str, Any]) -> str:
        """Return the player's move word for a /move request; raises as `read_request`."""
        game, seat = read_request(request)
        if not hasattr(self.minds, "mind"):
            self.minds.mind = make_mind()
        kinds = np.full(len(game.snake_ids), CALLER, np.uint8)
        kinds[seat] = self.kind
        moves = np.zeros_like(kinds)
        choose_moves(self.minds.mind, game.records.game(0), kinds, moves)
        return layout.MOVE_WORDS[moves[seat]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: PlayerServer

    def do_GET(self) -> None:
        self._answer(200, _IDENTITY)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.path.rstrip("/").endswith("/move"):
            self._answer(200, {})
            return
        try:
            self._answer(200, {"move": self.server.move(orjson.loads(body)), "shout": ""})
        except (GameStateError, KeyError, TypeError, orjson.JSONDecodeError) as error:
            self._answer(400, {"error": f"{type(error).__name__}: {error}"})

    def _answer(self, status: int, content: Mapping[str, Any]) -> None:
        body = orjson.dumps(content)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing per request; what is wrong is in the answer."""


@click.command()
@click.option("--kind", default="strong", show_default=True, type=click.Choice([kind.name for kind in KINDS]))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=lambda: int(os.environ.get("PORT", "8000")), type=int, help="Default: $PORT or 8000.")
def main(kind: str, host: str, port: int) -> None:
    """Serve a compiled player over the official HTTP API until told to stop."""
    server = PlayerServer(kind_of(kind), host, port)
    server.move(_warming_request())  # load, or even compile, before the first question has to be answered in time
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    click.echo(f"{kind} answers on {server.url}")
    server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main()
