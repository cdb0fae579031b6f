"""Snakes of the tuner as processes: how they are started, and what is left of those that have ended."""

import sys
from pathlib import Path

import pytest

from pipeline.tuner.backends import running_snakes
from pipeline.tuner.backends.running_snakes import SnakePool
from pipeline.tuner.jobs import Participant, PlayConditions, SourceKind
from schemas.tuning import TunerSettings

SERVER = """
import http.server, os, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"author": "%d"}' % len(sys.argv)
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): print("asked")
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), H).serve_forever()
"""


@pytest.fixture
def snake(tmp_path: Path) -> Path:
    folder = tmp_path / "snake"
    folder.mkdir()
    (folder / "main.py").write_text(f"#!{sys.executable}\n{SERVER}")
    (folder / "config.yaml").write_text("a: 1\n")
    return folder


def test_another_folders_snake_gets_no_flags_of_ours_and_ended_ones_leave_nothing(
    snake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_snakes, "IDLE_KEPT", 0)
    rival = tmp_path / "rival"
    rival.mkdir()
    (rival / "main.py").write_text((snake / "main.py").read_text())  # and no config.yaml
    build = 'sh -c \'cp main.py "$0"; chmod +x "$0"\' {output}'
    pool = SnakePool(
        snake, tmp_path, TunerSettings(build_command=build), "{binary} -config {config}", lambda: False
    )  # fmt: skip
    try:
        ours = pool.running(Participant(SourceKind.WEIGHTS, "a: 2\n"), PlayConditions())
        other = pool.running(Participant(SourceKind.FOLDER, str(rival)), PlayConditions())
        assert ours.process is not None and other.process is not None
        words = [process.pids() for process in (ours.process, other.process)]
        lines = [Path(f"/proc/{pids[0]}/cmdline").read_bytes().split(b"\0") for pids in words]
        assert [b"-config" in line for line in lines] == [True, False]
        assert pool.urls == {ours.url, other.url}
        logs = [ours.process.log, other.process.log]
        assert all(log.exists() for log in logs)
        pool.stop_idle()
        assert pool.urls == set() and not any(log.exists() for log in logs)
    finally:
        pool.close()
