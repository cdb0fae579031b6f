"""HTTP as game servers speak it, over real sockets."""

import asyncio
import json

import pytest

from pipeline.serve.http import MOST_BYTES, Connections, HttpReply, error_reply


def post(path, body, *headers):
    head = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def answers(reader, count):
    found = []
    for _ in range(count):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length:")[2].split()[0])
        found.append((int(head.split()[1]), json.loads(await reader.readexactly(length)), head))
    return found


def converse(handler, talk, complaints=None):
    """Serve with `handler` while `talk(reader, writer, connections)` runs."""

    async def run():
        connections = Connections(handler, (complaints if complaints is not None else []).append)
        server = await asyncio.get_running_loop().create_server(connections.protocol, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            return await asyncio.wait_for(talk(reader, writer, connections), 30)
        finally:
            writer.close()
            server.close()
            await connections.finish(1)

    return asyncio.run(run())


async def echo(call):
    return HttpReply(200, json.dumps([call.method, call.path, len(call.body)]).encode())


def test_requests_of_one_connection_are_answered_in_order():
    async def talk(reader, writer, _):
        writer.write(post("/a", b"xy") + post("/b/?q=1", b"") + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return [body for _, body, _ in await answers(reader, 3)]

    assert converse(echo, talk) == [["POST", "/a", 2], ["POST", "/b", 0], ["GET", "/", 0]]


def test_a_request_in_pieces_is_one_request():
    async def talk(reader, writer, _):
        for byte in post("/slow", b"0123456789", "Expect: 100-continue"):
            writer.write(bytes([byte]))
            await writer.drain()
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        return (await answers(reader, 1))[0][1]

    assert converse(echo, talk) == ["POST", "/slow", 10]


def test_a_client_that_wants_to_close_is_closed():
    async def talk(reader, writer, _):
        writer.write(post("/a", b"", "Connection: close"))
        status, _, head = (await answers(reader, 1))[0]
        return status, "Connection: close" in head, await reader.read()

    assert converse(echo, talk) == (200, True, b"")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"not HTTP at all\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MOST_BYTES + 1) + b"x" * (MOST_BYTES + 1), 413),
    ],
)
def test_what_cannot_be_read_is_refused_and_the_connection_closed(sent, status):
    async def talk(reader, writer, _):
        writer.write(sent)
        found = (await answers(reader, 1))[0]
        return found[0], await reader.read()

    assert converse(echo, talk) == (status, b"")


def test_a_fault_of_ours_is_told_and_does_not_end_the_connection():
    async def faulty(call):
        if call.path == "/bad":
            raise RuntimeError("a bug")
        return error_reply(404, "no")

    async def talk(reader, writer, _):
        writer.write(post("/bad", b"") + post("/good", b""))
        return [status for status, _, _ in await answers(reader, 2)]

    complaints = []
    assert converse(faulty, talk, complaints) == [500, 404]
    assert complaints == ["POST /bad failed: RuntimeError: a bug"]


def test_what_fails_after_an_answer_keeps_no_other_request_waiting():
    def fail():
        raise ValueError("no such frame")

    async def handler(_):
        return HttpReply(200, b"1", fail)

    async def talk(reader, writer, _):
        writer.write(post("/a", b"") + post("/b", b""))
        return [status for status, _, _ in await answers(reader, 2)]

    complaints = []
    assert converse(handler, talk, complaints) == [200, 200]
    assert complaints == ["what follows an answer failed: ValueError: no such frame"] * 2


def test_the_end_waits_for_the_request_under_way_and_closes_idle_connections():
    async def talk(reader, writer, connections):
        begun, release = asyncio.Event(), asyncio.Event()

        async def slow(call):
            begun.set()
            await release.wait()
            return HttpReply(200, b'"late"')

        connections.handler = slow
        idle = await asyncio.open_connection(*writer.get_extra_info("peername"))
        writer.write(post("/move", b""))
        await begun.wait()
        finishing = asyncio.create_task(connections.finish(30))
        assert await idle[0].read() == b"", "idle: closed at once"
        idle[1].close()
        assert not finishing.done()
        release.set()
        answer = (await answers(reader, 1))[0]
        await finishing
        return answer[1], "Connection: close" in answer[2]

    assert converse(echo, talk) == ("late", True)


def test_a_client_that_went_away_is_no_fault():
    async def talk(reader, writer, connections):
        begun, release = asyncio.Event(), asyncio.Event()

        async def slow(call):
            begun.set()
            await release.wait()
            return HttpReply(200, b"{}")

        connections.handler = slow
        writer.write(post("/move", b""))
        await begun.wait()
        writer.transport.abort()
        while connections.open:
            await asyncio.sleep(0)
        release.set()
        await connections.finish(30)

    complaints = []
    converse(echo, talk, complaints)
    assert complaints == []
