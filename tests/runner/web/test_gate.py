"""The gate: attacks by name, origin, forged tokens, scope and size, each refused before a handler is reached."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.store.states import TokenScope
from runner.web.security import HEADERS, MOST_BODY_BYTES, Gate, Principal, is_own_csrf_token, new_csrf_token
from schemas.service import WebSettings

SECRET = b"s" * 32
HOST = "127.0.0.1:8817"
TOKENS = {"reads": Principal("token r", TokenScope.READ), "steers": Principal("token s", TokenScope.STEER)}
STEERING = {"method": "POST", "path": "/api/v1/pause"}


def asked(
    *, method: str = "GET", path: str = "/api/v1/status", peer: str = "127.0.0.1", body: bytes = b"",
    settings: WebSettings | None = None, chunks: int = 1, **headers: str,
) -> tuple[int, dict[str, str], Any]:  # fmt: skip
    """Status, headers and principal (None: refused) of a request at the gate."""
    seen: list[Any] = []
    sent: list[dict[str, Any]] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        data = b""
        more = True
        while more:
            message = await receive()
            data, more = data + message.get("body", b""), message.get("more_body", False)
        seen.append((scope["state"]["principal"], data))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    parts = [{"type": "http.request", "body": body, "more_body": number + 1 < chunks} for number in range(chunks)]

    async def receive() -> dict[str, Any]:
        return parts.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    named = {"host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "http", "method": method, "path": path, "client": (peer, 9), "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in named.items() if value],
    }  # fmt: skip
    gate = Gate(inner, settings or WebSettings(), SECRET, TOKENS.get)
    asyncio.run(gate(scope, receive, send))
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, seen[0] if seen else None


@pytest.mark.parametrize("host", [HOST, "localhost:8817", "LOCALHOST:8817", "[::1]:8817", "localhost"])
def test_our_own_names_are_let_in(host: str) -> None:
    assert asked(host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8817", "127.0.0.1:80", "127.0.0.1.evil.example:8817", "localhost:8817.evil.example",
     "localhost@evil.example", "[::1", "127.0.0.1:8817, evil.example", "0x7f.1:8817"],
)  # fmt: skip
def test_a_page_whose_name_leads_here_is_refused(host: str) -> None:
    assert asked(host=host)[0] == 421


@pytest.mark.parametrize(
    ("host", "status"),
    [("10.1.2.3:8817", 401), ("10.1.2.3", 401), ("[fd00::1]:8817", 401), ("10.1.2.3:80", 421), ("10.1.2:8817", 421),
     ("10.1.2.3.evil.example:8817", 421), ("0x7f.1:8817", 421), ("fd00::1", 421)],
)  # fmt: skip
def test_listening_on_every_address_any_of_them_in_digits_is_ours(host: str, status: int) -> None:
    everywhere = WebSettings(host="0.0.0.0")
    assert asked(host=host, settings=everywhere, peer="10.9.9.9")[0] == status
    assert asked(host=host)[0] == 421


@given(st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=1, max_size=40))
def test_no_other_name_is_let_in(host: str) -> None:
    own = {"localhost", "127.0.0.1", "[::1]"}
    name, _, port = host.lower().rpartition(":") if not host.endswith("]") else (host.lower(), "", "")
    if host.lower() in own or (name in own and port in {"", "8817"}):
        return
    assert asked(host=host)[0] == 421


def test_a_request_without_a_host_is_refused() -> None:
    assert asked(host="")[0] == 400


def test_a_name_of_the_settings_is_let_in_with_a_token_only() -> None:
    settings = WebSettings(allowed_hosts=["snake.example.com"])
    assert asked(settings=settings, host="snake.example.com")[0] == 401
    assert asked(settings=settings, host="snake.example.com:443", authorization="Bearer reads")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://[bad"},
        {"origin": "//"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": f"http://{HOST}"},
        {"cookie": "ouroboros_csrf=x", "x_csrf_token": "x"},
        {"referer": "http://evil.example/page"},
    ],
)
def test_another_page_cannot_steer(method: str, headers: dict[str, str]) -> None:
    status, _, reached = asked(method=method, path="/api/v1/pause", **headers)
    assert (status, reached) == (403, None)


def test_our_own_page_steers_with_what_it_was_given() -> None:
    token = new_csrf_token(SECRET)
    own = {"origin": f"http://{HOST}", "sec_fetch_site": "same-origin", "cookie": f"a=b; ouroboros_csrf={token}"}
    assert asked(**STEERING, **own, x_csrf_token=token)[0] == 200
    form = f"note=x&csrf_token={token}".encode()
    kind = "application/x-www-form-urlencoded"
    status, _, reached = asked(**STEERING, **own, content_type=kind, body=form)
    assert status == 200
    assert reached[1] == form, "the handler reads the same body"
    assert asked(**STEERING, **own, content_type=kind, body=b"note=x&csrf_token=")[0] == 403
    foreign = new_csrf_token(b"t" * 32)
    assert asked(**STEERING, **{**own, "cookie": f"ouroboros_csrf={foreign}"}, x_csrf_token=foreign)[0] == 403


@given(st.text(max_size=60))
def test_no_token_but_a_signed_one_is_ours(text: str) -> None:
    assert not is_own_csrf_token(SECRET, text)
    assert is_own_csrf_token(SECRET, new_csrf_token(SECRET))


def test_a_program_on_this_machine_steers_without_ceremony() -> None:
    status, _, reached = asked(**STEERING, peer="127.0.0.1")
    assert status == 200
    assert reached[0] == Principal("dashboard from 127.0.0.1", TokenScope.STEER)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"authorization": "Bearer nobody"}, 401), ({"authorization": "Basic cmVhZHM="}, 401),
     ({"authorization": "Bearer reads"}, 200), ({"cookie": "ouroboros_token=reads"}, 200)],
)  # fmt: skip
@pytest.mark.parametrize("peer", ["192.0.2.7", "2001:db8::7", "", "not an address"])
def test_whoever_asks_from_elsewhere_names_a_token(headers: dict[str, str], status: int, peer: str) -> None:
    assert asked(settings=WebSettings(host="0.0.0.0"), peer=peer, **headers)[0] == status


@pytest.mark.parametrize("handed_on", [{"x_forwarded_for": "192.0.2.7"}, {"forwarded": "for=192.0.2.7"}])
def test_what_a_proxy_hands_on_is_not_of_this_machine(handed_on: dict[str, str]) -> None:
    assert asked(**handed_on)[0] == 401
    assert asked(**handed_on, authorization="Bearer reads")[0] == 200


def test_a_token_can_be_asked_for_on_this_machine_too() -> None:
    assert asked(settings=WebSettings(token_always=True))[0] == 401
    assert asked(settings=WebSettings(token_always=True), path="/healthz")[0] == 200


def test_scopes() -> None:
    assert asked(**STEERING, authorization="Bearer reads")[0] == 403
    status, _, reached = asked(**STEERING, authorization="Bearer steers", peer="192.0.2.7")
    assert status == 200
    assert reached[0].name == "token s from 192.0.2.7"


def test_a_browser_with_a_token_in_its_cookie_still_proves_its_page() -> None:
    assert asked(**STEERING, cookie="ouroboros_token=steers", origin=f"http://{HOST}")[0] == 403


@pytest.mark.parametrize("chunks", [1, 3])
def test_sizes_are_limited(chunks: int) -> None:
    token = new_csrf_token(SECRET)
    headers = {"cookie": f"ouroboros_csrf={token}", "content_type": "application/x-www-form-urlencoded"}
    status, _, reached = asked(**STEERING, **headers, body=b"x" * MOST_BODY_BYTES, chunks=chunks)
    assert (status, reached) == (413 if chunks > 1 else 403, None)
    assert asked(**STEERING, content_length=str(MOST_BODY_BYTES + 1))[0] == 413
    assert asked(**STEERING, content_length="-1")[0] == 413


@pytest.mark.parametrize("headers", [{}, {"host": "evil.example"}])
def test_every_answer_has_the_headers(headers: dict[str, str]) -> None:
    _, told, _ = asked(**headers)
    assert {name: told[name] for name in HEADERS} == HEADERS
    assert told["cache-control"] == "no-store"


def test_a_refusal_does_not_repeat_what_was_sent_as_markup() -> None:
    status, told, _ = asked(host="<script>alert(1)</script>", accept="text/html", path="/")
    assert status == 421
    assert told["content-type"].startswith("text/plain")
    assert told["x-content-type-options"] == "nosniff"
    assert json.dumps(told).count("script>") == 0
