"""The Arena's API by name: typed answers, patience with a server that is busy, one sentence for each refusal.

The API as recorded from the open-source server (BattlesnakeOfficial/arena); `answers` holds what is read of it.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote

import orjson
from pydantic import TypeAdapter, ValidationError

from pipeline.ladder.answers import (
    ArenaAnswer,
    CreatedGame,
    FramesPage,
    GameStatus,
    Leaderboard,
    ListedGame,
    OwnSnake,
    RankingEntry,
    Rankings,
)
from pipeline.ladder.connection import AnswerCache, ArenaConnection, ArenaReply, Cut, TooLarge, Unreached
from schemas.errors import ArenaAwayError, ArenaError
from schemas.outside_text import line
from schemas.settings import describe

PAGE_FRAMES: Final = 100
MOST_LISTED: Final = 10_000
_MOST_PAGES: Final = 200
_TRIES: Final = 4
_LIST_BYTES: Final = 16 << 20
_GAME_BYTES: Final = 32 << 20
_ODD_TOLD: Final = 20
_SAID: Final = 300
"""Characters of the server's own words in a message."""
_Model = TypeVar("_Model", bound=ArenaAnswer)


class TokenRefused(ArenaError):
    """The Arena does not know the token (any more)."""


class Busy(ArenaAwayError):
    """The Arena asks for a pause; what was asked for was not done."""


@dataclass(frozen=True, slots=True)
class ListOfGames:
    """A list, as far as it can be read."""

    games: list[ListedGame]
    """Newest first."""
    length: int
    """As the server gave it: of the items that were passed over too."""


@dataclass(slots=True)
class ArenaClient:
    """What can be asked of the Arena. One for a command; not for several threads.

    Args:
        until_s: of the connection's clock; no pause is begun that would end later.
        remembered: answers that the server may confirm instead of sending them again.
    """

    connection: ArenaConnection
    until_s: float
    remembered: AnswerCache
    odd: list[str] = field(default_factory=list)
    """Items of lists that are not what they should be, in words, the first twenty; they are passed over."""
    odd_untold: int = 0
    """How many more there were."""

    def snakes(self) -> list[OwnSnake]:
        """Return our snakes.

        Raises:
            TokenRefused: so all the calls below.
            ArenaAwayError: no use can be made of the answer now. So all the calls below.
        """
        return self._each(OwnSnake, self._get("/api/snakes", "our snakes", again=True), "our snakes")

    def leaderboards(self) -> list[Leaderboard]:
        """Return the ladders."""
        return self._each(Leaderboard, self._get("/api/leaderboards", "the ladders", again=True), "the ladders")

    def rankings(self, leaderboard_id: str) -> Rankings:
        """Return a ladder's table."""
        path, what = f"/api/leaderboards/{quote(leaderboard_id, safe='')}/rankings", "the ladder's table"
        tree = self._object(self._get(path, what, again=True), what)
        parts = {name: self._each(RankingEntry, tree.get(name, []), what) for name in ("ranked", "placement")}
        return self._model(Rankings, tree | parts, what)

    def games(self, snake_id: str, limit: int) -> ListOfGames:
        """Return the newest games of a snake; the server may give fewer than `limit`."""
        path, what = f"/api/games?snake_id={quote(snake_id, safe='')}&limit={limit}", "the list of games"
        tree = self._get(path, what, again=True)
        return ListOfGames(self._each(ListedGame, tree, what), len(tree))

    def statuses(self, game_ids: Sequence[str]) -> list[GameStatus]:
        """Return how far these games are; a game that the Arena does not know is left out."""
        body = {"game_ids": list(game_ids)}
        tree = self._post("/api/games/status", body, "the state of games", repeatable=True)
        return self._each(GameStatus, tree, "the state of games")

    def game(self, game_id: str) -> dict[str, Any]:
        """Return a game with all its frames, as its details have them: in one answer, or, where that is too large or
        does not come whole, its frames page by page.

        Raises:
            ArenaError: there is no such game.
        """
        path = f"/api/games/{quote(game_id, safe='')}/details"
        try:
            tree = self._get(path, f"game {game_id}", most_bytes=_GAME_BYTES)
        except (Cut, TooLarge):
            return {"frames": self.frames(game_id)}
        if not isinstance(self._object(tree, f"game {game_id}").get("frames"), list):
            raise ArenaError("the Arena's answer holds no list of frames", where=f"game {game_id}")
        return self._object(tree, f"game {game_id}")

    def frames(self, game_id: str) -> list[dict[str, object]]:
        """Return all frames of a game, page by page; a page that fails is asked for again alone.

        Raises:
            ArenaAwayError: pages that do not fit together, or do not end.
            ArenaError: there is no such game.
        """
        frames: list[dict[str, object]] = []
        for _ in range(_MOST_PAGES):
            path = f"/api/games/{quote(game_id, safe='')}/frames?offset={len(frames)}&limit={PAGE_FRAMES}"
            what = f"frames {len(frames)} and on of game {game_id}"
            page = self._model(FramesPage, self._get(path, what, most_bytes=_GAME_BYTES), what)
            if page.count != len(page.frames):
                raise ArenaAwayError(f"{what}: {page.count} are announced, {len(page.frames)} are there")
            if frames and page.frames and page.frames[0] == frames[0]:
                raise ArenaAwayError(f"{what}: the first page came again")
            frames += page.frames
            if len(page.frames) < PAGE_FRAMES:
                return frames
        raise ArenaAwayError(f"game {game_id} has more than {_MOST_PAGES * PAGE_FRAMES:,} frames")

    def create_game(self, snake_ids: Sequence[str], board: str, game_type: str) -> CreatedGame:
        """Ask for a game.

        Raises:
            ArenaError: refused, with the server's words; no game was made.
            Busy: too many were asked for; no game was made.
            Unreached: nothing was sent; no game was made.
            ArenaAwayError: no answer; whether a game was made is not known.
        """
        body = {"snakes": list(snake_ids), "board": board, "game_type": game_type}
        return self._model(CreatedGame, self._post("/api/games", body, "a new game", repeatable=False), "a new game")

    def _get(self, path: str, what: str, *, most_bytes: int = _LIST_BYTES, again: bool = False) -> Any:
        """Ask for JSON; `again`: it will be asked for again, so that the server may say that nothing is new."""
        extra = self.remembered.validators(path) if again else {}
        reply = self._patiently("GET", path, b"", extra, most_bytes, repeatable=True)
        if reply.status == 304 and again:
            return self._tree(self.remembered.body(path), what)
        self._refuse(reply, what)
        if again:
            self.remembered.keep(path, reply)
        return self._tree(reply.body, what)

    def _post(self, path: str, body: Mapping[str, object], what: str, *, repeatable: bool) -> Any:
        reply = self._patiently("POST", path, json.dumps(body).encode(), {}, _LIST_BYTES, repeatable=repeatable)
        self._refuse(reply, what)
        return self._tree(reply.body, what)

    def _patiently(
        self, method: str, path: str, body: bytes, extra: Mapping[str, str], most_bytes: int, *, repeatable: bool
    ) -> ArenaReply:
        """Ask, and ask again where that may help: 429 and 5xx, answers that were cut, no connection."""
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            try:
                reply = self.connection.call(method, path, body, extra, most_bytes=most_bytes)
            except (Cut, Unreached) as error:
                if last or not (repeatable or isinstance(error, Unreached)) or not self._rest(2.0**attempt):
                    raise
                continue
            if reply.status != 429 and reply.status < 500:
                return reply
            again = repeatable or reply.status == 429  # a request that was counted out created nothing
            if last or not again or not self._rest(_pause_s(reply, 2.0**attempt)):
                return reply
        raise AssertionError("the last try returns or raises")

    @property
    def time_is_up(self) -> bool:
        """Nothing more should be begun."""
        return self.connection.monotonic_s() >= self.until_s

    def _rest(self, pause_s: float) -> bool:
        """Wait; False where the time would be over by then."""
        if self.connection.monotonic_s() + pause_s > self.until_s:
            return False
        self.connection.pause(pause_s)
        return True

    def _refuse(self, reply: ArenaReply, what: str) -> None:
        if reply.status in {200, 201}:
            return
        said = _words(reply)
        if reply.status == 401:
            raise TokenRefused(
                f"the Arena refuses the token{said}",
                where=what,
                remedy="Make a new one on its settings page, and `ouroboros arena login`.",
            )
        if reply.status == 429:
            pause_s = _pause_s(reply, 60)
            raise Busy(
                f"the Arena asks for a pause{said}", where=what, remedy=f"Try again in {pause_s / 60:.0f} minutes."
            )
        if reply.status >= 500:
            raise ArenaAwayError(
                f"the Arena is in trouble ({reply.status}){said}", where=what, remedy="Try again later."
            )
        if reply.status in {400, 403, 404, 409, 410, 422}:
            owner = "Is the token that of its owner? `ouroboros arena login` takes another."
            remedy = owner if reply.status == 403 else ""
            raise ArenaError(f"the Arena refuses ({reply.status}){said}", where=what, remedy=remedy)
        raise ArenaAwayError(f"the Arena answers {reply.status}{said}", where=what, remedy="Is arena.base_url right?")

    def _tree(self, body: bytes, what: str) -> Any:
        if body.lstrip()[:1] == b"<":
            raise ArenaAwayError(
                "the Arena answers a web page where data is due", where=what, remedy="Is arena.base_url right?"
            )
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ArenaAwayError(f"the Arena answers no JSON: {line(str(error), _SAID)}", where=what) from error

    def _object(self, tree: Any, what: str) -> dict[str, Any]:
        if not isinstance(tree, dict):
            raise ArenaAwayError("the Arena's answer is no object", where=what)
        return tree

    def _model(self, model: type[_Model], tree: Any, what: str) -> _Model:
        try:
            return model.model_validate(tree)
        except ValidationError as error:
            told = line(describe(error), _SAID)
            raise ArenaAwayError(f"the Arena's answer is not what we know: {told}", where=what) from error

    def _each(self, model: type[_Model], tree: Any, what: str) -> list[_Model]:
        """The items that are what they should be; the others are told of in `odd`."""
        if not isinstance(tree, list) or len(tree) > MOST_LISTED:
            raise ArenaAwayError("the Arena's answer is no list, or one without an end", where=what)
        good: list[_Model] = []
        adapter = TypeAdapter(model)
        for number, item in enumerate(tree, start=1):
            try:
                good.append(adapter.validate_python(item))
            except ValidationError as error:
                self._pass_over(line(f"{what}, item {number}: {describe(error)}", _SAID))
        return good

    def _pass_over(self, told: str) -> None:
        """Lists are asked for again, and a server that has changed its mind has thousands of odd items."""
        if told in self.odd:
            return
        if len(self.odd) < _ODD_TOLD:
            self.odd.append(told)
        else:
            self.odd_untold += 1


def _pause_s(reply: ArenaReply, otherwise: float) -> float:
    """What `Retry-After` asks for: seconds, or a moment of the server's own clock."""
    asked = reply.headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return max(float(asked[:9]), otherwise if reply.status >= 500 else 0.0)
    try:
        gap = parsedate_to_datetime(asked) - parsedate_to_datetime(reply.headers.get("date", ""))
    except (TypeError, ValueError):
        return otherwise
    return max(gap.total_seconds(), 0.0)


def _words(reply: ArenaReply) -> str:
    """What the server says in plain text; a web page is not repeated."""
    text = reply.body.strip()
    return "" if not text or text[:1] == b"<" else f": {line(text[: 4 * _SAID], _SAID)}"


def until(limit_s: float) -> float:
    """Return the moment, of the connection's clock, when so many seconds from now are over."""
    return time.monotonic() + limit_s
