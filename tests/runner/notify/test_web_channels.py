"""Chat services and the heartbeat URL, against a real HTTP server on this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runner.liveness import ping_heartbeat_url
from runner.notify import messages
from runner.notify.channels import URLS_VARIABLE, AppriseChannel, DeliveryError, channels_from
from schemas.errors import SettingsError


class Listener(ThreadingHTTPServer):
    """Keeps what it was sent; answers `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.drips = False
        self.released = threading.Event()
        self.bodies: list[bytes] = []
        self.paths: list[str] = []

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.do_GET()

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.send_response(self.server.status)
        self.end_headers()
        try:
            while self.server.drips and not self.server.released.wait(0.1):
                self.wfile.write(b"x")
        except OSError:
            pass  # the caller was ended

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def listener():
    server = Listener()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_apprise_urls_come_from_a_file_and_deliver(listener, tmp_path, failed, schedule, settings):
    urls = tmp_path / "urls"
    urls.write_text(f"# chat\njson://{listener.place}/hook\n\n")
    (channel,) = channels_from(urls)
    message = messages.run_ended(failed, schedule, [], settings)
    channel.deliver(message, failed.completed_at)
    body = json.loads(listener.bodies[0])
    assert body["title"] == "[Ouroboros] daily: failed"
    assert "does not build" in body["message"]
    assert body["type"] == "warning"


def test_a_refusing_service_is_tried_again_its_secret_untold(listener, monkeypatch, failed, schedule, settings):
    listener.status = 503
    monkeypatch.setenv(URLS_VARIABLE, f"json://user:secret@{listener.place}/hook")
    (channel,) = channels_from(None)
    message = messages.run_ended(failed, schedule, [], settings)
    with pytest.raises(DeliveryError) as caught:
        channel.deliver(message, failed.completed_at)
    assert not caught.value.permanent
    assert "secret" not in str(caught.value) + channel.name


def test_an_unknown_url_is_named_without_its_secret(monkeypatch, failed, schedule, settings):
    monkeypatch.setenv(URLS_VARIABLE, "nosuchservice://token")
    (channel,) = channels_from(None)
    with pytest.raises(SettingsError, match="channel 1"):
        channel.deliver(messages.run_ended(failed, schedule, [], settings), failed.completed_at)


def test_a_service_that_answers_byte_by_byte_is_left_in_time(listener, failed, schedule, settings):
    listener.drips = True
    channel = AppriseChannel(f"json://user:secret@{listener.place}/hook", 1, limit_s=5.0)
    with pytest.raises(DeliveryError, match="within 5 s") as caught:
        channel.deliver(messages.run_ended(failed, schedule, [], settings), failed.completed_at)
    assert not caught.value.permanent
    assert "secret" not in str(caught.value)


def test_the_heartbeat_url_is_fetched(listener):
    ping_heartbeat_url(f"http://{listener.place}/alive?key=1")
    assert listener.paths == ["/alive?key=1"]


def test_a_heartbeat_url_that_fails_is_told_without_its_query(listener):
    listener.status = 500
    with pytest.raises(DeliveryError) as caught:
        ping_heartbeat_url(f"http://{listener.place}/alive?key=secret")
    assert "secret" not in str(caught.value)


def test_only_web_urls_are_fetched():
    with pytest.raises(DeliveryError, match="neither http nor https"):
        ping_heartbeat_url("file:///etc/passwd")
