"""`/games/live`: server-sent events of the games that are being played, turn by turn, while a page shows them."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

import msgspec.json
from litestar import get
from litestar.response import ServerSentEvent, ServerSentEventMessage

from runner.web.problems import ProblemError
from runner.web.read.live import Follower, News, say_somebody_looks
from runner.web.site import Site

LOOK_S = 0.2
TOUCH_S = 2.0
KEEP_ALIVE_S = 15.0
MOST_WATCHERS = 20


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
                await asyncio.sleep(LOOK_S)
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
