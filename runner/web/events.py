"""Server-sent events: `/events` says that something changed, `/games/live` tells the games that are being played.

Two looks a second at the databases' change counters serve every open page; games are told turn by turn, while a page
shows them.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

import msgspec.json
from litestar import get
from litestar.concurrency import sync_to_thread
from litestar.response import ServerSentEvent, ServerSentEventMessage

from runner.heap import trim_heap
from runner.web.problems import ProblemError
from runner.web.read.live import Follower, News, say_somebody_looks
from runner.web.site import Site
from schemas.errors import StateError

LOOK_S = 0.5
LIVE_LOOK_S = 0.2
TOUCH_S = 2.0
KEEP_ALIVE_S = 15.0
MOST_LISTENERS = 100
MOST_WATCHERS = 20
_LOOKS_TO_A_TRIM = 60
"""Memory that pages took for a moment goes back twice a minute."""
CHANGED = "changed"


class Changes:
    """Wakes every listener when somebody has committed to the history or to the tuner's ledger."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._listeners: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None
        self.count = 0
        """Changes seen since the process began."""

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """End, and let every listener go."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def listen(self) -> AsyncGenerator[ServerSentEventMessage, None]:
        """`changed` at once, and after each change; a comment in between, so that a dead connection is noticed."""
        woken = asyncio.Event()
        self._listeners.add(woken)
        try:
            yield ServerSentEventMessage(event=CHANGED, data=str(self.count), retry=2000)
            while True:
                try:
                    await asyncio.wait_for(woken.wait(), KEEP_ALIVE_S)
                except TimeoutError:
                    yield ServerSentEventMessage(comment="still here")
                    continue
                woken.clear()
                yield ServerSentEventMessage(event=CHANGED, data=str(self.count))
        finally:
            self._listeners.discard(woken)

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    async def _watch(self) -> None:
        """The daemon's life counts as well: a page says so when it is killed."""
        seen: tuple[object, ...] | None = None
        looks = 0
        while True:
            if looks % _LOOKS_TO_A_TRIM == 0:  # also what the start took for a moment: 3 MB
                trim_heap()
            looks += 1
            now = await sync_to_thread(self._look)
            if now != seen and seen is not None:
                self.count += 1
                for woken in self._listeners:
                    woken.set()
            seen = now
            await asyncio.sleep(LOOK_S)

    def _look(self) -> tuple[object, ...]:
        try:
            lives: object = self._site.daemon_lives()
        except StateError as error:  # a server that is away: the pages say so, once
            lives = error.what
        site = self._site
        is_behind = site.digests.is_reading, site.games.pending_bytes > 0  # what ends shows the rest
        return site.history.version(), site.ledger.version(), lives, is_behind


@get("/events", include_in_schema=False)
async def events(changes: Changes) -> ServerSentEvent:
    """A stream of `changed` events."""
    if changes.listeners >= MOST_LISTENERS:
        raise ProblemError(503, f"{MOST_LISTENERS} pages listen already")
    return ServerSentEvent(changes.listen())


class Watchers:
    """Who looks at games now."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.count = 0

    async def watch(self) -> AsyncGenerator[ServerSentEventMessage, None]:
        """Each game that begins, its turns and its end; one that is under way from its start."""
        follower, home = Follower(self._site.settings.home), self._site.settings.home
        touched_s = said_s = float("-inf")
        self.count += 1
        try:
            while True:
                now_s = time.monotonic()
                if now_s - touched_s >= TOUCH_S:
                    say_somebody_looks(home)
                    touched_s = now_s
                for news in follower.news(time.time()):
                    yield ServerSentEventMessage(event="live", data=self._told(news))
                    said_s = now_s
                if now_s - said_s >= KEEP_ALIVE_S:
                    yield ServerSentEventMessage(comment="still here")
                    said_s = now_s
                await asyncio.sleep(LIVE_LOOK_S)
        finally:
            self.count -= 1

    def _told(self, news: News) -> str:
        tree: dict[str, Any] = {
            "source": news.source.value,
            "frames": [frame.model_dump(exclude_none=True) for frame in news.frames],
        }
        if news.game is not None:
            tree["game"] = news.game.model_dump(mode="json", exclude={"format", "source", "began_at"})
            tree["age_s"] = (self._site.clock() - news.game.began_at).total_seconds()
        if news.end is not None:
            tree["causes"] = news.end.causes
        return msgspec.json.encode(tree).decode()


@get("/games/live", include_in_schema=False)
async def live_games(watchers: Watchers) -> ServerSentEvent:
    """A stream of `live` events."""
    if watchers.count >= MOST_WATCHERS:
        raise ProblemError(503, f"{MOST_WATCHERS} pages watch games already")
    return ServerSentEvent(watchers.watch())
