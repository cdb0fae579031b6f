"""What one line to a snake makes of every kind of server, well-behaved or not."""

import asyncio
import socket
import ssl
import threading
from time import perf_counter

import pytest
import trustme
import uvloop
from scripted_snake import Close, Hang, Wait, http, move

from pipeline.referee.connection import MAX_ANSWER_BYTES, Answer, SnakeConnection
from pipeline.referee.endpoint import Endpoint, parse_endpoint
from pipeline.referee.outcome import Failure
from schemas.errors import SnakeError

LONG_S = 60.0
SHORT_S = 0.3


def request_to(endpoint: Endpoint) -> bytes:
    return endpoint.move_head + b"2\r\n\r\n{}"


async def ask(line: SnakeConnection) -> Answer:
    answered = asyncio.get_running_loop().create_future()
    line.ask(request_to(line.endpoint), answered.set_result)
    return await answered


def ask_in_turn(url: str, times: int, timeout_s: float = LONG_S) -> tuple[list[Answer], SnakeConnection]:
    """Ask so often on one line, one after the other."""

    async def run() -> tuple[list[Answer], SnakeConnection]:
        line = SnakeConnection(asyncio.get_running_loop(), parse_endpoint(url), timeout_s)
        answers = [await ask(line) for _ in range(times)]
        line.close()
        await asyncio.sleep(0)
        return answers, line

    return uvloop.run(run())


def only(answers: list[Answer]) -> Answer:
    assert len(answers) == 1
    return answers[0]


def test_a_connection_is_kept_alive(scripted):
    snake = scripted(lambda _: [move("left")])
    answers, line = ask_in_turn(snake.url, 5)
    assert [(a.failure, a.status, a.body) for a in answers] == [(None, 200, b'{"move": "left"}')] * 5
    assert snake.connections == 1
    assert line.reconnects == 0


UP = b'{"move":"up"}'
CHUNKED = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"mo\r\n9\r\nve":"up"}\r\n0\r\n\r\n'
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n" + UP


@pytest.mark.parametrize(
    ("raw", "reusable"),
    [
        pytest.param(CHUNKED, True, id="chunked"),
        pytest.param(PLAIN, True, id="lower-case header"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN, True, id="100"),
        pytest.param(PLAIN.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"), False, id="close"),
        pytest.param(PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"), False, id="HTTP/1.0"),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_forms_of_a_good_answer(scripted, raw, reusable, piece):
    snake = scripted(lambda _: [raw[at : at + piece] for at in range(0, len(raw), piece)])
    answers, line = ask_in_turn(snake.url, 3)
    assert [(a.failure, a.status, a.body) for a in answers] == [(None, 200, b'{"move":"up"}')] * 3
    assert snake.connections == (1 if reusable else 3)
    assert line.reconnects == 0


def test_an_answer_that_lasts_until_the_connection_closes(scripted):
    snake = scripted(lambda _: [b'HTTP/1.1 200 OK\r\n\r\n{"move":', b'"up"}', Close])
    answers, _ = ask_in_turn(snake.url, 2)
    assert [(a.failure, a.body) for a in answers] == [(None, b'{"move":"up"}')] * 2
    assert snake.connections == 2


def test_a_status_is_handed_on_unjudged(scripted):
    snake = scripted(lambda _: [http("broken", "500 Internal Server Error")])
    answer = only(ask_in_turn(snake.url, 1)[0])
    assert (answer.failure, answer.status, answer.body) == (None, 500, b"broken")


@pytest.mark.parametrize(
    ("actions", "failure"),
    [
        ([b"certainly not HTTP\r\n\r\n", Hang], Failure.BAD_HTTP),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n", Hang], Failure.BAD_HTTP),
        ([b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", Hang], Failure.BAD_HTTP),
        ([Close], Failure.CONNECTION),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", Close], Failure.CONNECTION),
        ([b"HTTP/1.1 200 OK\r\nContent-Le", Close], Failure.CONNECTION),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"mo\r\n", Close], Failure.CONNECTION),
        ([http(b"x" * (MAX_ANSWER_BYTES + 1)), Hang], Failure.BAD_HTTP),
        ([b"HTTP/1.1 200 OK\r\n" + b"X-Padding: yes\r\n" * 80_000, Hang], Failure.BAD_HTTP),
    ],
)  # fmt: skip
def test_broken_answers(scripted, actions, failure):
    snake = scripted(lambda _: actions)
    answers, line = ask_in_turn(snake.url, 2)
    assert [answer.failure for answer in answers] == [failure] * 2
    assert snake.connections == 2, "a spoilt connection is not used again"
    assert line.reconnects == 0


@pytest.mark.parametrize(
    "actions",
    [[Hang], [b"HTTP/1.1 200 OK\r\n", Hang], [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", Hang]],
)
def test_the_time_out_covers_waiting_and_reading(scripted, actions):
    snake = scripted(lambda _: actions)
    answers, _ = ask_in_turn(snake.url, 2, SHORT_S)
    assert [answer.failure for answer in answers] == [Failure.TIMEOUT] * 2
    assert all(answer.elapsed_s >= SHORT_S for answer in answers)


def test_the_time_out_covers_a_body_that_never_ends(scripted):
    stop = threading.Event()

    def drip(_):
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while not stop.wait(0.01):
            yield b"1\r\n \r\n"

    snake = scripted(drip)
    assert only(ask_in_turn(snake.url, 1, SHORT_S)[0]).failure is Failure.TIMEOUT
    stop.set()


def test_the_time_out_covers_connecting():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        address = deaf.getsockname()
        fillers = []
        for _ in range(8):  # once the queue is full the kernel drops further attempts, which then hang
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        answer = only(ask_in_turn(f"http://127.0.0.1:{address[1]}", 1, SHORT_S)[0])
        assert answer.failure is Failure.TIMEOUT
        for filler in fillers:
            filler.close()


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    answers, _ = ask_in_turn(f"http://127.0.0.1:{port}", 2)
    assert [answer.failure for answer in answers] == [Failure.CONNECTION] * 2


def test_https_with_a_certificate_that_is_trusted_and_one_that_is_not(scripted, tmp_path, monkeypatch):
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    snake = scripted(lambda _: [move("left")], tls=context)
    stranger, _ = ask_in_turn(snake.url, 1)
    assert only(stranger).failure is Failure.CONNECTION
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    answers, line = ask_in_turn(snake.url, 3)
    assert [(a.failure, a.body) for a in answers] == [(None, b'{"move": "left"}')] * 3
    assert len({request.connection for request in snake.requests}) == 1
    assert line.reconnects == 0


def test_a_host_without_address():
    answer = only(ask_in_turn("http://no-such-host.invalid:80", 1)[0])
    assert answer.failure is Failure.CONNECTION


def test_a_late_answer_is_not_taken_for_the_next_request(scripted):
    late = threading.Event()
    snake = scripted(lambda request: [Wait(late), move("left")] if request.connection == 1 else [move("right")])

    async def run():
        line = SnakeConnection(asyncio.get_running_loop(), parse_endpoint(snake.url), SHORT_S)
        first = await ask(line)
        late.set()
        second = await ask(line)
        line.close()
        return first, second

    first, second = uvloop.run(run())
    assert first.failure is Failure.TIMEOUT
    assert (second.failure, second.body) == (None, b'{"move": "right"}')


def test_an_answer_with_rubbish_behind_it_counts_and_its_connection_does_not(scripted):
    # The server announced fewer bytes than it sent.
    snake = scripted(lambda _: [b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"move":"up"}and more'])
    answers, line = ask_in_turn(snake.url, 3)
    assert [(a.failure, a.body) for a in answers] == [(None, b'{"move":"up"}')] * 3
    assert snake.connections == 3
    assert line.reconnects == 0


def test_a_keep_alive_connection_closed_by_the_server_is_replaced_once(scripted):
    def script(request):
        return [move("up")] if len(snake.requests) != 2 else [Close]

    snake = scripted(script)
    answers, line = ask_in_turn(snake.url, 3)
    assert [answer.failure for answer in answers] == [None] * 3
    assert snake.connections == 2
    assert len(snake.requests) == 4
    assert line.reconnects == 1


def test_a_server_that_always_closes_is_a_failure_each_time(scripted):
    snake = scripted(lambda _: [move("up")] if len(snake.requests) == 1 else [Close])
    answers, line = ask_in_turn(snake.url, 3)
    assert [answer.failure for answer in answers] == [None, Failure.CONNECTION, Failure.CONNECTION]
    assert line.reconnects == 1


def test_an_answer_that_had_come_in_time_counts_though_we_were_late_to_read_it(scripted):
    sent = threading.Event()

    def script(_):
        yield move("up")
        sent.set()

    snake = scripted(script)

    async def run():
        line = SnakeConnection(asyncio.get_running_loop(), parse_endpoint(snake.url), SHORT_S)
        await ask(line)
        sent.clear()
        answered = asyncio.ensure_future(ask(line))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        started = perf_counter()
        # The loop is blocked, as by a long turn of another game, until the deadline is well past.
        assert sent.wait(LONG_S)
        while perf_counter() < started + 2 * SHORT_S:
            pass
        answer = await answered
        line.close()
        return answer

    assert uvloop.run(run()).failure is None


def test_one_request_at_a_time(scripted):
    snake = scripted(lambda _: [Hang])

    async def run():
        line = SnakeConnection(asyncio.get_running_loop(), parse_endpoint(snake.url), LONG_S)
        line.ask(request_to(line.endpoint), lambda _: None)
        with pytest.raises(RuntimeError, match="second request"):
            line.ask(request_to(line.endpoint), lambda _: None)
        line.close()
        await asyncio.sleep(0)

    uvloop.run(run())


@pytest.mark.parametrize(
    ("url", "move_line", "host"),
    [
        ("http://127.0.0.1:8000", b"POST /move HTTP/1.1", b"Host: 127.0.0.1:8000"),
        ("http://127.0.0.1:8000/", b"POST /move HTTP/1.1", b"Host: 127.0.0.1:8000"),
        ("http://snakes.example/mine/v2/", b"POST /mine/v2/move HTTP/1.1", b"Host: snakes.example"),
        ("https://snakes.example/a?key=b", b"POST /a/move?key=b HTTP/1.1", b"Host: snakes.example"),
        ("http://[::1]:8000", b"POST /move HTTP/1.1", b"Host: [::1]:8000"),
    ],
)
def test_urls(url, move_line, host):
    endpoint = parse_endpoint(url)
    assert endpoint.move_head.split(b"\r\n")[:2] == [move_line, host]
    assert (endpoint.tls is not None) == url.startswith("https")
    assert endpoint.port == (8000 if ":8000" in url else 443 if endpoint.tls else 80)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000", "ftp://a", "http://", "http://a:99999", "http://a/ü", "http://a/b c"]
)
def test_urls_that_cannot_be_used(url):
    with pytest.raises(SnakeError, match="URL cannot be used"):
        parse_endpoint(url)
