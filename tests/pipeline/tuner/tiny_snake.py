"""A whole snake in one file: `python tiny_snake.py CONFIG`, port from PORT. For tests of everything around games.

`clever` below 1 always goes up; from 1 on it goes wherever neither wall nor body is. `crash_at_turn` ends the process.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STEPS = {"up": (0, 1), "left": (-1, 0), "down": (0, -1), "right": (1, 0)}


def read(path):
    values = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        key, _, rest = line.partition(":")
        if rest.strip():
            values[key.strip()] = float(rest.split("#")[0])
    return values


WEIGHTS = read(sys.argv[1])


def choose(request):
    board, head = request["board"], request["you"]["head"]
    if WEIGHTS.get("clever", 0) < 1:
        return "up"
    taken = {(part["x"], part["y"]) for snake in board["snakes"] for part in snake["body"]}
    for move, (right, upward) in STEPS.items():
        x, y = head["x"] + right, head["y"] + upward
        if 0 <= x < board["width"] and 0 <= y < board["height"] and (x, y) not in taken:
            return move
    return "up"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.answer({"apiversion": "1"})

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/move" and request["turn"] >= WEIGHTS.get("crash_at_turn", 10**9):
            os._exit(3)
        self.answer({"move": choose(request)} if self.path == "/move" else {})

    def answer(self, content):
        body = json.dumps(content).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
