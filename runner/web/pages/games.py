"""Games: kept, imported or from the ladder; a list with filters, and the board player.

The board is SVG: what a browser without scripts sees, and what `board.js` then draws anew turn by turn.
"""

from collections import Counter
from typing import Any
from urllib.parse import urlencode

import msgspec.json
from litestar import Response, get
from litestar.response import Template
from markupsafe import Markup

from runner.web.pages import words
from runner.web.pages.page import AnyRequest, clockwork, missing, page
from runner.web.pages.words import Clockwork
from runner.web.problems import ProblemError
from runner.web.read import board, game_index, ladder, live
from runner.web.read.board import Cell, Death, Piece, ShownBoard
from runner.web.read.game_index import GameFilter, IndexedGame
from runner.web.site import Site
from schemas.errors import StateError
from schemas.game import GameLog, GameLogThought
from schemas.ladder import GameWhy
from schemas.outside_text import NAME_LIMIT, line

SHOWN, SNAKES_LISTED = 50, 300
COLOURS = 8
MOST_CELLS = 4_096
"""Of larger boards the ground is drawn as one: 64 by 64 is more than any map has, and files may hold any number."""
_CAUSES = (
    "wall-collision", "snake-collision", "head-collision", "snake-self-collision", "out-of-health", "hazard",
)  # fmt: skip
_FIELDS = ("snake", "outcome", "cause", "length", "day")
_LENGTHS = {"short": (None, 100), "middle": (101, 300), "long": (301, None)}


@get("/games", sync_to_thread=True)
def games(request: AnyRequest, site: Site) -> Template:
    """All games that are known, newest first."""
    clock = clockwork(request, site)
    given = {name: str(request.query_params.get(name, ""))[:200] for name in _FIELDS}
    wanted = _wanted(given, str(request.query_params.get("before", "")), clock)
    site.games.refresh()
    found = site.games.find(wanted, SHOWN + 1)
    told = live.say_somebody_looks(site.settings.home)
    kept = {key: value for key, value in given.items() if value}
    older = urlencode(kept | {"before": found[SHOWN - 1].row}) if len(found) > SHOWN else ""
    return page(
        request, site, "games.html", "Games", "/games", found=found[:SHOWN], given=given, older=older,
        snakes=site.games.snakes(SNAKES_LISTED), causes=_CAUSES, total=site.games.count(), link=game_link,
        pending=site.games.pending_bytes, newest=urlencode(kept), folders=_folders(site), lengths=_LENGTHS,
        live=_live(site), told=told, clock=clock,
    )  # fmt: skip


def _wanted(given: dict[str, str], before: str, clock: Clockwork) -> GameFilter:
    try:
        since, until = clock.day(given["day"]), clock.day(given["day"], 1)
    except (ValueError, OverflowError) as error:
        raise ProblemError(400, "a day is written as 2026-11-29") from error
    low, high = _LENGTHS.get(given["length"], (None, None))
    return GameFilter(
        snake=given["snake"],
        outcome=given["outcome"],
        cause=given["cause"],
        turns_from=low,
        turns_to=high,
        since=since,
        until=until,
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None,
    )


@get("/game", sync_to_thread=True)
def game(request: AnyRequest, site: Site) -> Template:
    """One game on the board, at one turn."""
    found, log = _loaded(request, site)
    wanted = str(request.query_params.get("turn", ""))
    turn = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 9 else 0
    shown, last_turn = _board_at(log, turn)
    ends, why = board.deaths(log), _why(site, found.game_id)
    names = [line(snake.name, NAME_LIMIT) or f"snake {seat + 1}" for seat, snake in enumerate(log.snakes)]
    return page(
        request, site, "game.html", f"{' against '.join(names[:4])}{' and others' if len(names) > 4 else ''}", "/games",
        game=found, log=log, names=names, board=shown, drawing=draw_board(log, shown, names), last_turn=last_turn,
        rows=_rows(log, shown, ends, names), why=why, thought=_thought(why, shown.turn), link=game_link,
        own=_own_thought(log, shown.turn), score=words.score, thinks=any(frame.k for frame in log.frames),
        data=f"/game/data?{urlencode({'id': found.game_id})}", death_words=death_words, ends=ends,
    )  # fmt: skip


@get("/game/data", sync_to_thread=True)
def game_data(request: AnyRequest, site: Site) -> Response[bytes]:
    """The game for the player in the browser: the log's own frames, deaths and thoughts."""
    found, log = _loaded(request, site)
    why = _why(site, found.game_id)
    names = [line(snake.name, NAME_LIMIT) or f"snake {seat + 1}" for seat, snake in enumerate(log.snakes)]
    tree: dict[str, Any] = {
        "width": log.width,
        "height": log.height,
        "names": names,
        "you": log.you,
        "frames": [frame.model_dump(exclude_none=True) for frame in log.frames],
        "deaths": [
            {"snake": death.snake, "turn": death.turn, "words": death_words(death, names)}
            for death in board.deaths(log)
        ],
        "thoughts": [turn.model_dump(exclude={"other_holding"}) for turn in why.turns] if why else [],
    }
    return Response(msgspec.json.encode(tree), media_type="application/json")


def game_link(game_id: str, turn: int | None = None) -> str:
    """The URL of a game, at a turn."""
    return f"/game?{urlencode({'id': game_id} | ({} if turn is None else {'turn': turn}))}"


def games_link(snake: str, day: str = "") -> str:
    """The URL of a snake's games, of one day (2026-11-29) or of all."""
    return f"/games?{urlencode({'snake': snake} | ({'day': day} if day else {}))}"


def death_words(death: Death, names: list[str]) -> str:
    """`ran into a wall on turn 31`; what is not certain is said so."""
    known = {
        board.STARVED: "starved", board.HAZARD: "died in a hazard", board.WALL: "ran into a wall",
        board.SELF: "ran into itself", board.BODY: "ran into another snake", board.HEADS: "lost a meeting of heads",
    }  # fmt: skip
    told = " or ".join(known.get(cause, cause.replace("-", " ")) for cause in death.causes)
    by = f" ({names[death.by]})" if death.by is not None and death.by != death.snake and death.by < len(names) else ""
    return f"{told or 'died, how is not logged'}{by} on turn {death.turn}"


def _live(site: Site) -> dict[str, Any] | None:
    """The game that is being played, at its last turn: what a browser without scripts sees of it."""
    found = live.newest(site.settings.home)
    if found is None:
        return None
    log, game = found
    names = [name or f"snake {seat + 1}" for seat, name in enumerate(game.names)]
    shown, _ = _board_at(log, log.turns)
    return {"game": game, "turn": shown.turn, "drawing": draw_board(log, shown, names, "live-drawing"),
            "rows": _rows(log, shown, [], names)}  # fmt: skip


def _loaded(request: AnyRequest, site: Site) -> tuple[IndexedGame, GameLog]:
    wanted = str(request.query_params.get("id", ""))
    found = site.games.look_for(wanted)
    log = game_index.load(found) if found is not None else None
    if found is None or log is None:
        raise missing(f"game {line(wanted, 80)} here (yet); /games lists those that are known")
    return found, log


def _board_at(log: GameLog, turn: int) -> tuple[ShownBoard, int]:
    """The board of a turn, or the nearest before it; and the last turn that is shown."""
    shown = None
    last = 0
    for each in board.boards(log):
        if shown is None or each.turn <= turn:
            shown = each
        last = each.turn
    if shown is None:
        raise missing("board in this game")
    return shown, last


def _why(site: Site, game_id: str) -> GameWhy | None:
    try:
        with site.history.snapshot() as rows:
            return ladder.why_lost(rows, game_id)
    except StateError:
        return None


def _thought(why: GameWhy | None, turn: int) -> Any:
    return next((each for each in why.turns if each.turn == turn), None) if why else None


def _own_thought(log: GameLog, turn: int) -> GameLogThought | None:
    """What our snake thought of this board when it answered, where its log tells."""
    return next((frame.k for frame in log.frames if frame.t == turn), None)


def _rows(log: GameLog, shown: ShownBoard, ends: list[Death], names: list[str]) -> list[dict[str, Any]]:
    """What stands beside the board, snake by snake."""
    by_snake = {death.snake: death for death in ends}
    frame = next((each for each in log.frames if each.t == shown.turn), None)
    times = dict(frame.l or []) if frame else {}
    shouts = dict(frame.w or []) if frame else {}
    rows = []
    for seat, name in enumerate(names):
        piece, death = shown.piece(seat), by_snake.get(seat)
        gone = piece is None
        rows.append(
            {
                "seat": seat, "name": name, "you": seat == log.you, "gone": gone,
                "health": piece.health if piece else 0, "length": len(piece.body) if piece else 0,
                "latency": times.get(seat), "shout": shouts.get(seat, ""),
                "end": death_words(death, names) if death and gone else "",
            }
        )  # fmt: skip
    return rows


def _folders(site: Site) -> list[str]:
    return [str(site.settings.games_dir), str(site.settings.replays_dir)]


def draw_board(log: GameLog, board: ShownBoard, names: list[str], name: str = "board") -> Markup:
    """The board of one turn; y grows upward. A body that crosses the edge of a wrapped board is drawn in parts.

    Args:
        name: the element's id.
    """
    parts = _ground(log.width, log.height)
    for cell, layers in Counter(board.hazards).items():
        x, y = _corner(log, cell)
        shade = min(0.75, 0.28 + 0.12 * (layers - 1))
        parts.append(
            Markup('<rect class="hazard" x="{}" y="{}" width="0.94" height="0.94" rx="0.08" opacity="{}"/>').format(
                x + 0.03, y + 0.03, round(shade, 2)
            )
        )
    for cell in board.food:
        x, y = _corner(log, cell)
        parts.append(Markup('<circle class="food" cx="{}" cy="{}" r="0.24"/>').format(x + 0.5, y + 0.5))
    parts += [_snake(log, piece) for piece in board.pieces]
    told = ", ".join(
        f"{names[piece.snake]} at {piece.head[0]}, {piece.head[1]}, length {len(piece.body)}, health {piece.health}"
        for piece in board.pieces
    )
    return Markup('<svg class="board" id="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        name, log.width, log.height, f"Turn {board.turn}: {told or 'no snake lives'}", Markup("").join(parts)
    )


def _ground(width: int, height: int) -> list[Markup]:
    if width * height > MOST_CELLS:
        return [Markup('<rect class="cell" x="0" y="0" width="{}" height="{}"/>').format(width, height)]
    return [
        Markup('<rect class="cell" x="{}" y="{}" width="0.94" height="0.94" rx="0.08"/>').format(x + 0.03, y + 0.03)
        for y in range(height)
        for x in range(width)
    ]


def _corner(log: GameLog, cell: Cell) -> Cell:
    return cell[0], log.height - 1 - cell[1]


def _snake(log: GameLog, piece: Piece) -> Markup:
    path = ""
    before: Cell | None = None
    for cell in piece.body:
        x, y = _corner(log, cell)
        joined = before is not None and abs(before[0] - x) + abs(before[1] - y) <= 1
        path += f"{'L' if joined else 'M'}{x + 0.5} {y + 0.5}"
        if not joined:
            path += "h0.001"
        before = (x, y)
    x, y = _corner(log, piece.head)
    return Markup(
        '<g class="s{}"><path class="body" d="{}" stroke-width="{}"/><circle class="head" cx="{}" cy="{}" r="0.42"/>'
        '<circle class="eye" cx="{}" cy="{}" r="0.12"/></g>'
    ).format(piece.snake % COLOURS, path, 0.6, x + 0.5, y + 0.5, x + 0.5, y + 0.42)
