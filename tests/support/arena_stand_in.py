"""A stand-in for the Arena: a real HTTP server on loopback that gives the answers recorded from the real one.

Games are the recorded ones under ids of their own. Faults are put in front of chosen answers: each is used up once.
"""

import gzip
import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

RECORDED = Path(__file__).parents[1] / "golden" / "arena"
TOKEN = "a-token-of-alice"
OURS, RIVAL, THIRD = (
    "a2823cad-7142-4f6f-8ca1-4348a4a6fb2a",
    "11f90416-70c8-46fa-8b7e-011c27c9db26",
    "8f4c5ecb-9ed8-41af-87ff-d1b65393e8ac",
)
START = datetime(2026, 11, 27, 4, tzinfo=UTC)
MOST_LISTED = 100
"""As the real server clamps."""


def recorded(name: str) -> Any:
    """The body of a recorded answer."""
    return json.loads((RECORDED / f"{name}.json").read_text())["body"]


def recorded_game(name: str) -> dict[str, Any]:
    """Details of a recorded game: duel, royale, constrictor (all won by Ouroboros), or `lost`: constrictor with the two
    snakes' names exchanged."""
    data = gzip.decompress((RECORDED / f"{'constrictor' if name == 'lost' else name}.details.json.gz").read_bytes())
    if name == "lost":
        for one, other in ((b'"Ouroboros"', b'"Rival"'), (b'"alice"', b'"bob"'), (OURS.encode(), RIVAL.encode())):
            data = data.replace(one, b"\0").replace(other, one).replace(b"\0", other)
    tree: dict[str, Any] = json.loads(data)
    return tree


@dataclass
class Fault:
    """What happens to the next request whose path begins so. `act` may answer itself; True: it did."""

    prefix: str
    act: "Callable[[Handler], bool]"


@dataclass
class World:
    """What the Arena holds."""

    games: list[dict[str, Any]] = field(default_factory=list)
    """Entries of lists, the oldest first; `_of`: the recorded game that their details are."""
    rating: float = 0.0
    games_played: int = 0
    etags: bool = False
    faults: deque[Fault] = field(default_factory=deque)
    asked: list[str] = field(default_factory=list)
    """Method and path of every request."""
    tokens: set[str] = field(default_factory=set)
    """Every Authorization that came."""
    bodies: dict[str, bytes] = field(default_factory=dict)

    def add(self, of: str = "lost", status: str = "finished", **changes: Any) -> str:
        """A game more, of a recorded kind; its id."""
        number = len(self.games)
        game = {key: value for key, value in recorded_game(of).items() if key != "frames"}
        at = (START + timedelta(minutes=number)).isoformat().replace("+00:00", "Z")
        game |= {"id": f"00000000-0000-4000-8000-{number:012d}", "status": status, "updated_at": at, "created_at": at}
        game |= {"enqueued_at": at, "_of": of} | changes
        self.games.append(game)
        return str(game["id"])

    def game(self, game_id: str) -> dict[str, Any] | None:
        """The entry."""
        return next((game for game in self.games if game["id"] == game_id), None)

    def fail(self, prefix: str, act: "Callable[[Handler], bool]", times: int = 1) -> None:
        """Put a fault before the next requests whose path begins so."""
        self.faults.extend(Fault(prefix, act) for _ in range(times))

    def details(self, game: dict[str, Any]) -> bytes:
        """The body of a game's details; kept, since ten thousand of them are asked for."""
        if game["_of"] not in self.bodies:
            body = json.dumps(recorded_game(game["_of"])["frames"]).encode()
            self.bodies[game["_of"]] = body
        head = json.dumps({key: value for key, value in game.items() if not key.startswith("_")}).encode()
        return head[:-1] + b', "frames": ' + self.bodies[game["_of"]] + b"}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: "StandIn"

    def do_GET(self) -> None:
        """As recorded."""
        self._handle(b"")

    def do_POST(self) -> None:
        """As recorded."""
        self._handle(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""

    def text(self, status: int, words: str, **headers: str) -> bool:
        """Answer in plain text, as the Arena's refusals."""
        return self.reply(status, words.encode(), "text/plain; charset=utf-8", **headers)

    def reply(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> bool:
        """Answer."""
        self.send_response_only(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return True

    def _handle(self, body: bytes) -> None:
        world = self.server.world
        with self.server.lock:
            world.asked.append(f"{self.command} {self.path}")
            world.tokens.add(self.headers.get("Authorization", ""))
            fault = next((found for found in world.faults if self.path.startswith(found.prefix)), None)
            if fault is not None:
                world.faults.remove(fault)
        try:
            if fault is None or not fault.act(self):
                self._route(world, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _route(self, world: World, body: bytes) -> bool:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        words = parts.path.strip("/").split("/")
        public = words[1:2] == ["leaderboards"] or words[-1] == "frames"
        if self.headers.get("Authorization") != f"Bearer {TOKEN}" and not public:
            return self.text(401, recorded("unauthorized"))
        match self.command, words:
            case "GET", ["api", "snakes"]:
                return self._tree(recorded("snakes"))
            case "GET", ["api", "leaderboards"]:
                return self._tree(recorded("leaderboards"))
            case "GET", ["api", "leaderboards", _, "rankings"]:
                return self._tree(_rankings(world))
            case "GET", ["api", "games"]:
                limit = min(int(query.get("limit", 20)), MOST_LISTED)
                mine = [game for game in world.games if query["snake_id"] in {snake["id"] for snake in game["snakes"]}]
                newest = sorted(mine, key=lambda game: str(game["created_at"]), reverse=True)[:limit]
                return self._tree([_shown(game) for game in newest])
            case "POST", ["api", "games", "status"]:
                ids = json.loads(body)["game_ids"]
                found = [game for game in world.games if game["id"] in ids]
                names = ("id", "status", "updated_at", "enqueued_at", "created_at")
                return self._tree([{name: game[name] for name in names} for game in found])
            case "POST", ["api", "games"]:
                return self._create(world, json.loads(body))
            case "GET", ["api", "games", game_id, "details" | "frames"]:
                game = world.game(game_id)
                if game is None:
                    return self.text(404, recorded("missing"))
                if words[-1] == "details":
                    return self.reply(200, world.details(game))
                frames = recorded_game(game["_of"])["frames"]
                offset, limit = int(query.get("offset", 0)), min(int(query.get("limit", 100)), 100)
                page = frames[offset : offset + limit]
                return self._tree({"count": len(page), "frames": page})
        return self.text(404, "not found")

    def _create(self, world: World, wanted: dict[str, Any]) -> bool:
        names = {OURS: "Ouroboros", RIVAL: "Rival", THIRD: "Third"}
        if unknown := [snake for snake in wanted["snakes"] if snake not in names]:
            return self.text(400, f"Snake {unknown[0]} not found or not accessible")
        if wanted["board"] not in {"7x7", "11x11", "19x19"}:
            return self.text(400, recorded("game_bad"))
        snakes = [{"id": snake, "name": names[snake]} for snake in wanted["snakes"]]
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        game_id = world.add(
            "constrictor", "waiting", snakes=snakes, board=wanted["board"], created_at=at, updated_at=at
        )
        return self.reply(201, json.dumps({"id": game_id, "status": "waiting"}).encode())

    def _tree(self, tree: Any) -> bool:
        body = json.dumps(tree).encode()
        if not self.server.world.etags:
            return self.reply(200, body)
        mark = f'"{hash(body):x}"'
        if self.headers.get("If-None-Match") == mark:
            return self.reply(304, b"", ETag=mark)
        return self.reply(200, body, ETag=mark)


def _shown(game: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in game.items() if not key.startswith("_")}


def _rankings(world: World) -> dict[str, Any]:
    """As recorded, with our rating, and Rival's at 12.5 once games were played."""
    tree: dict[str, Any] = recorded("rankings")
    if world.games_played:
        ranked = tree["placement"][:2]
        ranked[0] |= {"rank": 1, "display_score": world.rating, "games_played": world.games_played}
        ranked[1] |= {"rank": 2, "display_score": 12.5, "games_played": 40}
        tree |= {"ranked": ranked, "placement": tree["placement"][2:]}
    return tree


class StandIn(ThreadingHTTPServer):
    """The server; a context manager that serves while it is held."""

    daemon_threads = True

    def __init__(self, world: World, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.world = world
        self.lock = threading.Lock()
        self.released = threading.Event()
        """Set at the end: what a fault holds back is let go."""
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that was killed is no error of ours."""

    def __enter__(self) -> "StandIn":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.shutdown()
        self.server_close()


def status(code: int, words: str, **headers: str) -> Callable[[Handler], bool]:
    """A refusal in plain text."""
    return lambda handler: handler.text(code, words, **headers)


def page(handler: Handler) -> bool:
    """A web page where data is due."""
    return handler.reply(200, b"<!doctype html><title>Sign in</title>", "text/html")


def no_json(handler: Handler) -> bool:
    """Bytes that are no JSON."""
    return handler.reply(200, b'{"frames": [1, 2')


def cut(handler: Handler) -> bool:
    """A body that ends before its announced end."""
    handler.send_response_only(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b'{"frames": [')
    handler.close_connection = True
    return True


def drip(handler: Handler) -> bool:
    """A byte now and then, for ever: no read ever times out."""
    handler.send_response_only(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.server.released.wait(0.02):
        handler.wfile.write(b" ")
        handler.wfile.flush()
    handler.close_connection = True
    return True


def flood(handler: Handler) -> bool:
    """More than anybody takes, packed small."""
    body = gzip.compress(b"[" + b" " * (80 << 20) + b"]", 1)
    return handler.reply(200, body, Content_Encoding="gzip")


def sends_to(where: str) -> Callable[[Handler], bool]:
    """A redirect."""
    return lambda handler: handler.reply(302, b"", Location=where)
