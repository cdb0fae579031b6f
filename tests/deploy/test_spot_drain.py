"""deploy/cloud/spot_drain.py against stand-ins for the three clouds' addresses."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy/cloud/spot_drain.py"
DEADLINE_S = 60.0
EVENT = {"Events": [{"EventId": "1", "EventType": "Preempt", "Resources": ["snake"]}]}
REBOOT = {"Events": [{"EventId": "1", "EventType": "Reboot"}]}


class Cloud(ThreadingHTTPServer):
    """Answers each question by the next of `answers`, the last one for ever; keeps what was asked."""

    daemon_threads = True

    def __init__(self, path: str, answers: list[tuple[int, bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.path, self.answers = path, answers
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Cloud

    def do_PUT(self) -> None:
        self.server.asked.append(("PUT", self.path, {}))
        self._send(200, b"secret-token")

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(("GET", self.path, headers))
        if self.path != self.server.path:
            self._send(400, b"no such question")
            return
        answers = self.server.answers
        self._send(*(answers.pop(0) if len(answers) > 1 else answers[0]))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


PATHS = {
    "aws": "/latest/meta-data/spot/instance-action",
    "gcp": "/computeMetadata/v1/instance/preempted",
    "azure": "/metadata/scheduledevents?api-version=2020-07-01",
}
QUIET = {"aws": (404, b""), "gcp": (200, b"FALSE"), "azure": (200, json.dumps(REBOOT).encode())}
NOTICE = {
    "aws": (200, b'{"action": "terminate", "time": "2026-11-29T21:00:00Z"}'),
    "gcp": (200, b"TRUE\n"),
    "azure": (200, json.dumps(EVENT).encode()),
}
HEADER = {"aws": "x-aws-ec2-metadata-token", "gcp": "metadata-flavor", "azure": "metadata"}


@pytest.fixture
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    name, answers = request.param
    server = Cloud(PATHS[name], answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def drain(name: str, url: str, command: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, SCRIPT, name, "--url", url, "--every", "0.01", "--command", command]
    return subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


@pytest.mark.parametrize(
    ("name", "cloud"), [(name, (name, [QUIET[name]] * 3 + [NOTICE[name]])) for name in PATHS], indirect=["cloud"]
)
def test_the_command_runs_once_the_machine_is_taken_back(name: str, cloud: Cloud, tmp_path: Path) -> None:
    mark = tmp_path / "stopped"
    done = drain(name, cloud.url, f"touch {mark}")
    assert (done.returncode, mark.exists()) == (0, True), done.stderr
    questions = [headers for method, path, headers in cloud.asked if method == "GET" and path == PATHS[name]]
    assert len(questions) == 4
    assert all(HEADER[name] in headers for headers in questions)
    assert questions[0].get("x-aws-ec2-metadata-token", "secret-token") == "secret-token"


@pytest.mark.parametrize(
    ("name", "cloud"),
    [(name, (name, [(500, b""), (500, b""), NOTICE[name]])) for name in PATHS]
    + [("azure", ("azure", [(200, b"[1]"), (200, b"\xff{"), (200, b'{"Events": [3]}'), NOTICE["azure"]]))],
    indirect=["cloud"],
)
def test_odd_answers_are_told_and_asked_again(name: str, cloud: Cloud) -> None:
    done = drain(name, cloud.url, "true")
    assert done.returncode == 0
    assert "asking again" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("cloud", [("gcp", [NOTICE["gcp"]])], indirect=True)
def test_the_command_s_code_is_the_script_s_and_a_missing_one_is_told(cloud: Cloud) -> None:
    assert drain("gcp", cloud.url, "false").returncode == 1
    assert len(cloud.asked) == 1


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-command-here stop", "no program 'no-such-command-here'"),
        ("systemctl stop 'ouroboros", "cannot be split into words"),
        ("", "no program ''"),
    ],
)
@pytest.mark.parametrize("cloud", [("gcp", [NOTICE["gcp"]])], indirect=True)
def test_a_command_that_cannot_run_is_refused_before_the_notice(cloud: Cloud, command: str, said: str) -> None:
    """It was found out when the machine was taken back: by a traceback, or after nothing was saved."""
    done = drain("gcp", cloud.url, command)
    assert (done.returncode, "Traceback" in done.stderr, cloud.asked) == (2, False, [])
    assert said in done.stderr


def test_what_is_no_address_or_no_time_is_refused() -> None:
    for words in (["--every", "inf"], ["--every", "0"], ["--url", "169.254.169.254"]):
        done = subprocess.run(
            [sys.executable, SCRIPT, "gcp", "--command", "true", *words],
            capture_output=True, text=True, timeout=DEADLINE_S, check=False,
        )  # fmt: skip
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr


@pytest.mark.parametrize("reply", [b"hello there\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nFAL"])
def test_what_is_no_http_is_told_and_asked_again(reply: bytes) -> None:
    """It ended in a traceback, and the notice found nobody."""
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nTRUE"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE_S)

        def answer() -> None:
            for words in (reply, whole):
                with server.accept()[0] as client:
                    client.recv(4096)
                    client.sendall(words)

        thread = threading.Thread(target=answer)
        thread.start()
        done = drain("gcp", f"http://127.0.0.1:{server.getsockname()[1]}", "true")
        thread.join()
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize("cloud", [("gcp", [NOTICE["gcp"]])], indirect=True)
def test_no_proxy_is_asked(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert drain("gcp", cloud.url, "true").returncode == 0
