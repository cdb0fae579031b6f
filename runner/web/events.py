"""`/events`: server-sent events. Two looks a second at the databases' change counters serve every open page."""

import asyncio
from collections.abc import AsyncGenerator

from litestar import get
from litestar.concurrency import sync_to_thread
from litestar.response import ServerSentEvent, ServerSentEventMessage

from runner.heap import trim_heap
from runner.web.problems import ProblemError
from runner.web.site import Site
from schemas.errors import StateError

LOOK_S = 0.5
KEEP_ALIVE_S = 15.0
MOST_LISTENERS = 100
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
