"""Snakes as real child processes: started, refused, stopped, and never left behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest
from living_processes import lives

from pipeline.referee import SnakeCommand, SnakeProcess, running_snakes
from pipeline.referee.endpoint import parse_endpoint
from pipeline.referee.introduction import introduce
from pipeline.referee.port_in_file import PortInFile, ports_in_use
from pipeline.referee.protocol import Identity
from pipeline.referee.snake_process import _is_free
from schemas.errors import SnakeError

SERVER = """
import http.server, os, signal, socket, subprocess, sys
class Snake(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ.get("ANSWER", "{}").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
if "--stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "--child" in sys.argv:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
if "--socket" in sys.argv:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.environ["OUROBOROS_SOCKET"])
    listener.listen()
if "--file" in sys.argv:
    text = open(sys.argv[-1]).read()
    os.environ["OWN"] = text.split("port:")[1].split()[0]
port = int(sys.argv[1] if sys.argv[1].isdigit() else os.environ[sys.argv[1]])
try:
    server = http.server.HTTPServer(("127.0.0.1", port), Snake)
except OSError as error:
    if "--file" not in sys.argv:
        raise
    sys.exit("listen tcp 127.0.0.1:%d: bind: %s" % (port, os.strerror(error.errno)))  # as Go says it
server.serve_forever()
"""


@pytest.fixture
def log(tmp_path):
    return tmp_path / "snake.log"


@pytest.fixture
def no_more_children():
    """Whether this process has no more children than before the test (other tests may have left helpers)."""
    before = set(psutil.Process().children(recursive=True))
    return lambda: set(psutil.Process().children(recursive=True)) <= before


def command(*arguments, **environment):
    return SnakeCommand((sys.executable, "-c", SERVER, *(arguments or ("PORT",))), environment=environment)


def program(code):
    return SnakeCommand((sys.executable, "-c", code))


def said_by(snake):
    with urllib.request.urlopen(snake.url, timeout=100) as answer:
        return json.loads(answer.read())


def wait_until_gone(pids, deadline_s=30.0):
    deadline = monotonic() + deadline_s
    while alive := [pid for pid in pids if lives(pid)]:
        assert monotonic() < deadline, f"still alive: {alive}"
        sleep(0.01)


def test_games_of_a_match_are_no_production_games(log, monkeypatch):
    monkeypatch.setenv("OUROBOROS_GAMES_DIR", "production")
    monkeypatch.setenv("OUROBOROS_HOME", "state")
    code = "import json, os; os.environ['ANSWER'] = json.dumps({n: os.environ.get(n) for n in sys.argv[2:]})"
    names = ("OUROBOROS_GAMES_DIR", "OUROBOROS_HOME")
    plain = SnakeCommand((sys.executable, "-c", f"import sys; {code}\n{SERVER}", "PORT", *names))
    with SnakeProcess("py", plain, log) as snake:
        assert said_by(snake) == {"OUROBOROS_GAMES_DIR": "", "OUROBOROS_HOME": "state"}


def test_a_snake_is_started_and_stopped(log):
    with SnakeProcess("py", command(), log) as snake:
        pids = snake.pids()
        assert len(pids) == 1
        assert snake.url == f"http://127.0.0.1:{snake.port}"
        snake.require_running()
        assert not _is_free(snake.port)
    wait_until_gone(pids)
    assert _is_free(snake.port)
    snake.stop()


def test_the_port_may_come_as_an_argument_or_in_another_variable(log):
    with SnakeProcess("flag", command("{port}"), log) as snake:
        assert snake.pids()
    other = SnakeCommand((sys.executable, "-c", SERVER, "MY_PORT"), port_variable="MY_PORT")
    with SnakeProcess("variable", other, log) as snake:
        assert snake.pids()


@pytest.mark.parametrize("arguments", [("PORT", "--stubborn"), ("PORT", "--child"), ("PORT", "--stubborn", "--child")])
def test_stopping_ends_stubborn_snakes_and_all_they_started(log, arguments):
    with SnakeProcess("py", command(*arguments), log) as snake:
        pids = snake.pids()
        assert len(pids) == 1 + ("--child" in arguments)
    wait_until_gone(pids)


def test_no_snake_outlives_a_killed_parent(log, tmp_path):
    pid_file = tmp_path / "pids"
    parent = f"""
import os, sys, signal
from pathlib import Path
from pipeline.referee import SnakeCommand, SnakeProcess
snake = SnakeProcess("py", SnakeCommand({command("PORT", "--stubborn", "--child").argv!r}), Path({str(log)!r}))
snake.start()
print(*snake.pids(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    run = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    pids = [int(pid) for pid in run.stdout.split()]
    assert len(pids) == 2
    wait_until_gone(pids)
    assert not pid_file.exists()


def test_a_killed_supervisor_takes_the_snake_with_it(log):
    with SnakeProcess("py", command("PORT", "--stubborn"), log) as snake:
        pids = snake.pids()
        os.kill(psutil.Process(pids[0]).ppid(), signal.SIGKILL)
        wait_until_gone(pids)
        with pytest.raises(SnakeError, match="exit code -9"):
            snake.require_running()


def test_a_snake_that_ends_later_is_told_with_its_last_words(log):
    with SnakeProcess("py", command(), log) as snake:
        pid = snake.pids()[0]
        supervisor = psutil.Process(pid).ppid()
        os.kill(pid, signal.SIGSEGV)
        wait_until_gone([pid, supervisor])
        deadline = monotonic() + 90
        with pytest.raises(SnakeError, match=r"py ended by itself with exit code 139 \(log .*snake\.log\)"):
            while monotonic() < deadline:
                snake.require_running()
                sleep(0.01)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (SnakeCommand(("/no/such/snake",)), r"exit code 127.*cannot start /no/such/snake: No such file"),
        (program("import sys; print('bad weights in line 3'); sys.exit(2)"), r"exit code 2.*bad weights in line 3"),
        (program("pass"), r"ended at once with exit code 0.*wrote nothing"),
        (program("import time; print('thinking', flush=True); time.sleep(99)"), r"did not listen .*thinking"),
        (command(ANSWER="<html>"), r"answers GET / with b'<html>'"),
        (command(ANSWER="[1]"), r"answers GET / with b'\[1\]'"),
    ],
)
def test_snakes_that_do_not_start(log, what, message, no_more_children):
    log.write_text("what an earlier run wrote\n")
    deadline_s = 1.5 if "thinking" in message else 30
    snake = SnakeProcess("bad", what, log, start_deadline_s=deadline_s)
    with pytest.raises(SnakeError, match=rf"(?s)snake bad .*{message}") as caught:
        snake.start()
    assert "earlier run" not in str(caught.value)
    assert snake.pids() == []
    assert no_more_children()


def test_a_snake_that_listens_but_hangs(log, no_more_children):
    deaf = program(
        "import os, socket, time; s = socket.create_server(('127.0.0.1', int(os.environ['PORT']))); time.sleep(99)"
    )
    with pytest.raises(SnakeError, match=r"does not answer GET / \(timed out\)"):
        SnakeProcess("deaf", deaf, log, start_deadline_s=1.5).start()
    assert no_more_children()


def test_a_port_taken_in_between_is_replaced(log, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as thief:
        taken = thief.getsockname()[1]
        free = iter([taken, taken, None])
        from pipeline.referee import snake_process

        real = snake_process._free_port
        monkeypatch.setattr(snake_process, "_free_port", lambda chance: next(free) or real(chance))
        with SnakeProcess("py", command(), log) as snake:
            assert snake.port != taken
            assert len(snake.pids()) == 1


def test_another_server_on_the_port_is_not_taken_for_the_snake(log, monkeypatch, scripted):
    stranger = scripted(lambda _: [])
    from pipeline.referee import snake_process

    monkeypatch.setattr(snake_process, "_free_port", lambda _: stranger.port)
    snake = SnakeProcess("mute", program("import time; time.sleep(99)"), log, start_deadline_s=1.0)
    with pytest.raises(SnakeError, match=f"did not listen on port {stranger.port}"):
        snake.start()
    assert stranger.requests == []


def test_waiting_for_a_start_can_be_called_off(log, no_more_children):
    snake = SnakeProcess("slow", program("import time; time.sleep(99)"), log, start_deadline_s=3600, stop=lambda: True)
    with pytest.raises(SnakeError, match="a stop was asked for"):
        snake.start()
    assert no_more_children()


def test_several_snakes_are_started_and_all_stopped_when_one_fails(tmp_path, no_more_children):
    snakes = [SnakeProcess(name, command(), tmp_path / f"{name}.log") for name in "ab"]
    with running_snakes(snakes):
        assert snakes[0].port != snakes[1].port
        pids = snakes[0].pids() + snakes[1].pids()
    wait_until_gone(pids)
    bad = SnakeProcess("bad", program("raise SystemExit(3)"), tmp_path / "bad.log")
    with pytest.raises(SnakeError, match="bad"), running_snakes([snakes[0], bad]):
        pytest.fail("must not start")
    assert no_more_children()


def test_a_log_folder_that_does_not_exist(tmp_path):
    snake = SnakeProcess("py", command(), Path(tmp_path) / "none" / "snake.log")
    with pytest.raises(SnakeError, match="cannot be started: No such file"):
        snake.start()


def test_a_snake_that_listens_on_its_socket_is_asked_there(log):
    with SnakeProcess("socket", command("PORT", "--socket", "--stubborn"), log) as snake:
        endpoint = parse_endpoint(snake.quickest_url)
        assert Path(endpoint.socket).is_socket()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(endpoint.socket)
    assert not Path(endpoint.socket).exists()  # though it had to be killed


def test_a_snake_without_a_socket_is_asked_at_its_port(log):
    with SnakeProcess("plain", command(), log) as snake:
        assert snake.quickest_url == snake.url


def test_a_socket_whose_path_would_be_too_long_is_not_asked_for(log, tmp_path, monkeypatch):
    far = tmp_path / ("x" * 100)
    far.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(far))
    with SnakeProcess("far", command("PORT"), log) as snake:
        environment = psutil.Process(snake.pids()[0]).environ()
    assert "OUROBOROS_SOCKET" not in environment


@pytest.mark.parametrize("mode", ["redirected", "packed"])
def test_a_snake_that_answers_in_ways_that_the_referee_follows_has_started(log, mode):
    """Whoever plays asks it again, and follows redirects and unpacks answers."""
    serve = (
        "import gzip, http.server, os, sys\n"
        "class H(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        there = sys.argv[1] == 'redirected' and self.path == '/'\n"
        "        body = gzip.compress(b'{}') if sys.argv[1] == 'packed' else b'{}'\n"
        "        self.send_response(308 if there else 200)\n"
        "        self.send_header('Location', '/info') if there else None\n"
        "        self.send_header('Content-Encoding', 'gzip') if sys.argv[1] == 'packed' else None\n"
        "        self.send_header('Content-Length', str(0 if there else len(body)))\n"
        "        self.end_headers()\n"
        "        self.wfile.write(b'' if there else body)\n"
        "http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), H).serve_forever()\n"
    )
    with SnakeProcess("odd", SnakeCommand((sys.executable, "-c", serve, mode)), log) as snake:
        assert introduce([snake.url]) == [Identity()]


def test_a_settings_file_of_any_bytes_gets_its_port_changed(tmp_path):
    settings = tmp_path / "settings.yaml"
    settings.write_bytes(b"# \xe9\xe9\xe9\nport: 8080\n")
    place = PortInFile(settings)
    assert place.found(8080)
    place.put(9123)
    assert settings.read_bytes() == b"# \xe9\xe9\xe9\nport: 9123\n"
    settings.write_text("port: 1\n")  # the snake wrote it anew
    place.put(9124)
    assert settings.read_text() == "port: 1\n"


def own_port(settings, port):
    settings.write_text(
        f"# port 1, and {port} in a comment\nserver:\n  port: {port}  # {port}\nweights: {{a: 1{port}}}\n"
    )
    argv = (sys.executable, "-c", SERVER, "OWN", "--file", str(settings))
    return SnakeCommand(argv, settings_file=settings)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("taken", [False, True])
def test_a_port_that_stands_in_the_snakes_settings_is_changed_there(tmp_path, taken):
    """Two copies of one snake run at once, even while its own port is in use (by the one in production, maybe)."""
    port = free_port()
    with contextlib.ExitStack() as stack:
        if taken:
            production = stack.enter_context(socket.create_server(("127.0.0.1", port)))
            assert production.getsockname()[1] == port
        snakes = []
        for name in ("a", "b"):
            command = own_port(tmp_path / f"{name}.yaml", port)
            snakes.append(stack.enter_context(SnakeProcess(name, command, tmp_path / f"{name}.log")))
        assert len({port, *(snake.port for snake in snakes)}) == 3
        for snake, name in zip(snakes, ("a", "b"), strict=True):
            assert said_by(snake) == {}
            text = (tmp_path / f"{name}.yaml").read_text()
            assert text == (
                f"# port 1, and {port} in a comment\nserver:\n  port: {snake.port}  # {port}\nweights: {{a: 1{port}}}\n"
            )


def test_a_fixed_port_that_stands_nowhere_is_taken_as_it_is(tmp_path):
    port = free_port()
    settings = tmp_path / "settings.yaml"
    settings.write_text("weights: 1\n")
    fixed = SnakeCommand((sys.executable, "-c", SERVER, str(port)), settings_file=settings)
    with SnakeProcess("fixed", fixed, tmp_path / "log") as snake:
        assert snake.port == port
        assert said_by(snake) == {}
    assert settings.read_text() == "weights: 1\n"


@pytest.mark.parametrize(
    ("words", "ports"),
    [
        ("panic: listen tcp :8080: bind: address already in use", {8080}),
        ("2026/01/02 03:04:05 listen tcp 127.0.0.1:8127: bind: address already in use", {8127}),
        ("OSError: [Errno 98] Address already in use", {98}),
        ("listen tcp :80800: no such host", set()),
    ],
)
def test_the_port_that_a_snake_could_not_have_is_read_from_its_words(words, ports):
    assert ports <= ports_in_use(words)
    assert bool(ports) == bool(ports_in_use(words))
