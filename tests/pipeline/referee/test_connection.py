"""What one line to a snake makes of every kind of server, well-behaved or not."""

import asyncio
import contextlib
import gzip
import socket
import ssl
import threading
from time import perf_counter

import pytest
import trustme
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from odd_answers import PLAYED
from scripted_snake import Close, Hang, Wait, http, move

from pipeline.referee.answer_reader import MAX_ANSWER_BYTES, MAX_HEAD_BYTES, AnswerReader
from pipeline.referee.connection import SnakeAnswer, SnakeConnection
from pipeline.referee.endpoint import Endpoint, parse_endpoint
from pipeline.referee.outcome import Failure
from schemas.errors import SnakeError

LONG_S = 60.0
SHORT_S = 0.3


def request_to(endpoint: Endpoint) -> bytes:
    return endpoint.move_head + b"2\r\n\r\n{}"


async def ask(line: SnakeConnection) -> SnakeAnswer:
    answered = asyncio.get_running_loop().create_future()
    line.ask(request_to(line.endpoint), answered.set_result)
    return await answered


def ask_in_turn(url: str, times: int, timeout_s: float = LONG_S) -> tuple[list[SnakeAnswer], SnakeConnection]:
    """Ask so often on one line, one after the other."""

    async def run() -> tuple[list[SnakeAnswer], SnakeConnection]:
        line = SnakeConnection(asyncio.get_running_loop(), parse_endpoint(url), timeout_s)
        answers = [await ask(line) for _ in range(times)]
        line.close()
        await asyncio.sleep(0)
        return answers, line

    return uvloop.run(run())


def only(answers: list[SnakeAnswer]) -> SnakeAnswer:
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
        ([b"HTTP/1.1 200 OK\r\nX-Padding: " + b"y" * MAX_HEAD_BYTES, Hang], Failure.BAD_HTTP),
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
        ("http://snakes.example/ü b", b"POST /%C3%BC%20b/move HTTP/1.1", b"Host: snakes.example"),
        ("http://snakes.example/a%20b", b"POST /a%20b/move HTTP/1.1", b"Host: snakes.example"),
        ("http://snakes.example//a/./../b/", b"POST /b/move HTTP/1.1", b"Host: snakes.example"),
        ("http://snakes.example/#f", b"POST /%23f/move HTTP/1.1", b"Host: snakes.example"),
        ("HTTP://Snakes.Example:8000?a=ü", b"POST /move?a=%C3%BC HTTP/1.1", b"Host: Snakes.Example:8000"),
        ("http://:8000", b"POST /move HTTP/1.1", b"Host: :8000"),
    ],
)
def test_urls(url, move_line, host):
    endpoint = parse_endpoint(url)
    assert endpoint.move_head.split(b"\r\n")[:2] == [move_line, host]
    assert (endpoint.tls is not None) == url.startswith("https")
    assert endpoint.port == (8000 if ":8000" in url else 443 if endpoint.tls else 80)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000", "ftp://a", "http://", "http://a:99999", "http://[::1", "http://a:b"]
)
def test_urls_that_cannot_be_used(url):
    with pytest.raises(SnakeError, match="URL cannot be used"):
        parse_endpoint(url)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("keeps_alive", [True, False])
def test_redirects_are_followed_as_go_follows_them(scripted, status, keeps_alive):
    closing = "" if keeps_alive else "Connection: close\r\n"

    def script(request):
        if request.path == "/move":
            return [http(b"", status, f"Location: /real/move?x=1\r\n{closing}"), *([] if keeps_alive else [Close])]
        return [move("left")]

    snake = scripted(script, everything=True)
    answers, line = ask_in_turn(snake.url, 2)
    assert [(a.failure, a.status, a.body) for a in answers] == [(None, 200, b'{"move": "left"}')] * 2
    repeated = [request.raw for request in snake.requests if request.path == "/real/move?x=1"]
    assert repeated == [b"{}" if status[:3] in ("307", "308") else b""] * 2
    assert snake.connections == (1 if keeps_alive else 3)
    assert line.reconnects == 0


def test_redirects_to_another_server_and_in_a_circle(scripted):
    other = scripted(lambda _: [move("right")], everything=True)
    snake = scripted(lambda _: [http(b"", "307 T", f"Location: {other.url}/else\r\n")], everything=True)
    answers, _ = ask_in_turn(snake.url, 3)
    assert [(a.failure, a.body) for a in answers] == [(None, b'{"move": "right"}')] * 3
    assert other.connections == 1
    circle = scripted(lambda _: [http(b"", "308 P", "Location: /move\r\n")], everything=True)
    answer = only(ask_in_turn(circle.url, 1)[0])
    assert answer.failure is Failure.BAD_STATUS
    assert answer.detail == "status 308 with Location /move: stopped after 10 redirects"
    assert len(circle.requests) == 11


def test_a_redirect_whose_end_never_answers_times_out_and_one_that_leads_nowhere_is_told(scripted):
    hanging = scripted(lambda _: [Hang], everything=True)
    snake = scripted(lambda _: [http(b"", "307 T", f"Location: {hanging.url}/\r\n")], everything=True)
    answers, _ = ask_in_turn(snake.url, 2, SHORT_S)
    assert [answer.failure for answer in answers] == [Failure.TIMEOUT] * 2
    nowhere = scripted(lambda _: [http(b"", "307 T", "Location: ftp://a/b\r\n")], everything=True)
    answer = only(ask_in_turn(nowhere.url, 1)[0])
    assert answer.failure is Failure.BAD_STATUS
    assert "status 307 with Location ftp://a/b: " in answer.detail
    without = scripted(lambda _: [http(b"", "307 T")], everything=True)
    assert only(ask_in_turn(without.url, 1)[0]).status == 307


def test_the_user_of_the_url_is_sent_and_never_shown(scripted):
    seen = []

    def script(request):
        seen.append(request.head)
        return [http(b"", "308 P", "Location: /there\r\n")] if request.path == "/move" else [move("up")]

    snake = scripted(script, everything=True)
    url = snake.url.replace("http://", "http://me%40home:s3cret@")
    answers, line = ask_in_turn(url, 1)
    assert only(answers).failure is None
    assert [b"Authorization: Basic bWVAaG9tZTpzM2NyZXQ=\r\n" in head for head in seen] == [True, True]
    assert "s3cret" not in repr(line.endpoint) + line.endpoint.shown
    assert line.endpoint.shown == snake.url.replace("http://", "http://***@")
    for bad in ("ftp://me:s3cret@host", "http://me:s3cret@host:port", "http://me:s3cret@[1", "me:s3cret@host"):
        with pytest.raises(SnakeError) as refused:
            parse_endpoint(bad)
        assert "s3cret" not in str(refused.value)


PACKED = gzip.compress(UP, mtime=0)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(PLAIN.replace(b"\r\n", b"\n"), id="bare line feeds"),
        pytest.param(PLAIN.replace(b"OK\r\n", b"OK\r\nX-Long: a\r\n  b\r\n\tc\r\n"), id="folded header"),
        pytest.param(PLAIN.replace(b"OK\r\n", b"OK\r\nContent-Length: 13\r\n"), id="Content-Length twice"),
        pytest.param(b"HTTP/1.1 100 Go on\n\n" + PLAIN.replace(b"\r\n", b"\n"), id="100 with bare line feeds"),
        pytest.param(http(PACKED, headers="Content-Encoding: GZip\r\n"), id="gzip"),
        pytest.param(http(PACKED, headers="Content-Encoding: gzip\r\n").replace(b"\r\n", b"\n", 1), id="gzip, one LF"),
    ],
)
@pytest.mark.parametrize("piece", [1, 1000])
def test_sloppy_answers_that_the_official_command_takes(scripted, answer, piece):
    snake = scripted(lambda _: [answer[at : at + piece] for at in range(0, len(answer), piece)])
    answers, line = ask_in_turn(snake.url, 3)
    assert [(a.failure, a.status, a.body) for a in answers] == [(None, 200, UP)] * 3
    assert snake.connections == 1
    assert line.reconnects == 0


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (PLAIN.replace(b"OK\r\n", b"OK\r\nContent-Length: 14\r\n"), "two different Content-Lengths"),
        (http(b"no gzip", headers="Content-Encoding: gzip\r\n"), "its gzip body is damaged"),
        (http(PACKED[:-9], headers="Content-Encoding: gzip\r\n"), "its gzip body is cut"),
        (http(gzip.compress(b"") * 1001, headers="Content-Encoding: gzip\r\n"), "more than 1000 members"),
        (http(gzip.compress(bytes(MAX_ANSWER_BYTES + 1)), headers="Content-Encoding: gzip\r\n"), "larger than"),
        (b"HTTP/1.1 200 OK\n no: header\n\n", "begins with a blank"),
    ],
)
def test_answers_that_nobody_takes_say_why(scripted, answer, says):
    snake = scripted(lambda _: [answer, Hang])
    found = only(ask_in_turn(snake.url, 1)[0])
    assert found.failure is Failure.BAD_HTTP
    assert says in found.detail


@given(st.lists(st.binary(max_size=30), max_size=4))
def test_any_answer_is_read_or_waited_for_or_refused_in_words(pieces):
    reader = AnswerReader()
    with contextlib.suppress(ValueError):
        for piece in [b"HTTP/1.1 200 OK\n", *pieces]:
            if (found := reader.feed(piece)) is not None:
                assert found.status == 200
                return
        found = reader.closed()
        assert found is None or not found.reusable


@given(st.binary(max_size=200), st.lists(st.integers(1, 40), max_size=20), st.sampled_from(sorted(PLAYED)))
def test_an_answer_split_anywhere_is_the_same_answer(behind, sizes, name):
    answer = PLAYED[name] if isinstance(PLAYED[name], bytes) else PLAYED[name][0]
    whole = AnswerReader().feed(answer)
    reader, at = AnswerReader(), 0
    for size in sizes:
        if at + size >= len(answer):
            break
        assert reader.feed(answer[at : at + size]) is None
        at += size
    assert reader.feed(answer[at:]) == whole
    if whole is not None and behind:
        more = AnswerReader().feed(answer + behind)
        assert (more.status, more.body, more.reusable) == (whole.status, whole.body, False)


@given(st.lists(st.binary(max_size=30), max_size=4), st.integers(0, 40))
def test_chunks_come_back_whole_and_no_part_of_them_is_an_answer(chunks, cut):
    sent = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent += b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk) + b"0\r\n\r\n"
    found = AnswerReader().feed(sent)
    assert found is not None
    assert (found.body, found.reusable) == (b"".join(chunks), True)
    assert AnswerReader().feed(sent[: max(0, len(sent) - 1 - cut)]) is None


def test_an_answer_remembered_from_before_spoils_the_connection_where_more_comes_behind_it(scripted):
    snake = scripted(lambda _: [move("up") * (1 if len(snake.requests) < 3 else 2)])
    answers, line = ask_in_turn(snake.url, 5)
    assert [(a.failure, a.body) for a in answers] == [(None, b'{"move": "up"}')] * 5
    assert (snake.connections, line.reconnects) == (3, 0)


@pytest.mark.parametrize(("host", "listens"), [("[::1]", "::1"), ("localhost", "127.0.0.1")])
def test_addresses_of_either_kind_and_names_with_several(scripted, host, listens):
    """`localhost` may stand for both: the one that is closed is passed over."""
    snake = scripted(lambda _: [move("left")], host=listens)
    answers, _ = ask_in_turn(f"http://{host}:{snake.port}", 2)
    assert [(a.failure, a.body) for a in answers] == [(None, b'{"move": "left"}')] * 2


def test_a_host_without_an_address_is_named():
    answer = only(ask_in_turn("http://no-such-host.invalid:80", 1)[0])
    assert answer.detail.startswith("no-such-host.invalid: ")
