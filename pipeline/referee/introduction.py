"""Who a snake says it is, and what came instead where it does not say."""

import asyncio
from collections.abc import Sequence

import uvloop

from pipeline.referee.connection import SnakeAnswer, SnakeConnection
from pipeline.referee.endpoint import parse_endpoint
from pipeline.referee.protocol import Identity, read_identity
from schemas.errors import SnakeError
from schemas.outside_text import line as line_of

INDEX_TIMEOUT_S = 10.0
"""How long a snake may take to answer the first `GET /`: it may have to wake up."""


def introduce(urls: Sequence[str]) -> list[Identity]:
    """Ask running snakes who they are, one after the other.

    Raises:
        SnakeError: as `ask_identity`, or a URL cannot be used.
    """

    async def ask_all() -> list[Identity]:
        loop = asyncio.get_running_loop()
        return [await ask_identity(SnakeConnection(loop, parse_endpoint(url), INDEX_TIMEOUT_S)) for url in urls]

    return uvloop.run(ask_all())


async def ask_identity(line: SnakeConnection) -> Identity:
    """Ask a snake who it is (`GET /`), and close the line.

    Raises:
        SnakeError: it does not answer, or with something that is no JSON object; says what came instead.
    """
    answered: asyncio.Future[SnakeAnswer] = asyncio.get_running_loop().create_future()
    line.ask(line.endpoint.index_request, answered.set_result)
    answer = await answered
    line.close()
    identity = None if answer.failure else read_identity(answer.body)
    if identity is None:
        why = ": ".join(filter(None, (answer.failure, answer.detail)))
        told = f"status {answer.status}, {line_of(answer.body[:80], 120) or 'empty'}"
        raise SnakeError(
            f"the snake does not answer GET / ({why})"
            if answer.failure
            else f"the snake does not answer GET / with JSON ({told})",
            where=line.endpoint.shown,
            remedy='Start it, or check the URL; the API wants an object like {"apiversion": "1"}.',
        )
    return identity
