"""The operations guide's cluster, as far as it goes without Ray; its snippets run in tests/process/test_cluster.py."""

import fcntl
import os
import signal
import stat
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from pipeline.cluster.node import the_node
from runner import DistributedTrainingRunner, cli
from runner.cluster import keep_token
from runner.cluster_node import LOCK_NAME
from runner.cluster_ray import route_to
from runner.commands.cluster import _stay
from schemas.cluster import NodeNote, NodeRole, process_began, token_path
from schemas.errors import BadInputError, MachineError, OuroborosError, StateError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path / "automation"))
    monkeypatch.delenv("OUROBOROS_CLUSTER_TOKEN", raising=False)
    return tmp_path / "automation"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["join", "thing"], "a worker needs its master's address (thing)"),
        (["join", "192.168.1.100:99999"], "a worker needs its master's address"),
        (["join", "192.168.1.100:١٢"], "a worker needs its master's address"),
        (["join", "192.168.1.100:" + "9" * 5000], "a worker needs its master's address"),
        (["join", "127.0.0.2:6380"], "there is no token to join with"),
        (["join", "127.0.0.2:6380", "--token-file", "nowhere"], "the token cannot be read: No such file"),
        (["join", "127.0.0.2:6380", "--cores", "0"], "cores: "),
        (["join", "127.0.0.2:6380", "--name", "a desk"], "name: "),
        (["start", "--address", "127.0.0.1"], "no other machine reaches this one at that address (127.0.0.1)"),
        (["start", "--address", "0.0.0.0"], "no other machine reaches this one at that address (0.0.0.0)"),
        (["start", "--address", "my network"], "is no address such as 192.168.1.100"),
        (["start", "--port", "80"], "port: "),
        (["status"], "this state folder is in no cluster"),
        (["drain", "desk"], "this state folder is in no cluster"),
        (["stop"], "this state folder is in no cluster"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(capfd, home: Path, words: list[str], said: str) -> None:
    assert cli.run(["cluster", *words]) == 2
    told = capfd.readouterr()
    assert said in told.err
    assert told.err.count("\n") == 1
    assert not (home / "cluster" / "token").exists()


def test_without_ray_one_line_says_what_to_install(capfd, monkeypatch: pytest.MonkeyPatch) -> None:
    class Absent:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "ray":
                raise ModuleNotFoundError("No module named 'ray'", name="ray")

    for loaded in [name for name in sys.modules if name.partition(".")[0] == "ray"]:
        monkeypatch.delitem(sys.modules, loaded)  # by another test: it would start a head in earnest
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    assert cli.run(["cluster", "start", "--address", "127.0.0.2"]) == 2
    assert "Install it: pip install 'ouroboros[cluster]'." in capfd.readouterr().err
    with pytest.raises((MachineError, ModuleNotFoundError)):
        DistributedTrainingRunner("master").start_cluster()


def test_the_two_types_keep_to_their_part() -> None:
    with pytest.raises(BadInputError, match="no such type of node"):
        DistributedTrainingRunner("boss")
    with pytest.raises(BadInputError, match="a worker needs its master's address"):
        DistributedTrainingRunner(node_type="worker")
    with pytest.raises(BadInputError, match="a worker starts no cluster"):
        DistributedTrainingRunner("worker", "10.0.0.1:5000").start_cluster()
    with pytest.raises(BadInputError, match="a master joins nobody"):
        DistributedTrainingRunner("master").join_cluster()


def test_the_token_is_its_owners_alone(home: Path) -> None:
    keep_token(home, "a" * 64 + "\n")
    assert stat.S_IMODE(token_path(home).stat().st_mode) == 0o600
    assert token_path(home).read_text() == "a" * 64
    for bad in ("", "short", "a" * 20 + "\n" + "b" * 20, "ß" * 64):
        with pytest.raises(BadInputError, match="that is no token"):
            keep_token(home, bad)


def test_a_folder_that_cannot_be_made_is_told(home: Path) -> None:
    home.write_text("a file stands where the folder should be")
    with pytest.raises(StateError, match="cannot make the cluster's folder"):
        DistributedTrainingRunner("worker", "127.0.0.2:5000").join_cluster()


@pytest.mark.parametrize("given", ["file", "environment"])
def test_a_join_that_is_refused_leaves_the_token_of_the_cluster_it_is_in(
    home: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """It took the other one first: a head's own runs and nodes were then shut out of its cluster."""
    keep_token(home, "a" * 64)
    (home / "other").write_text("b" * 64)
    if given == "environment":
        monkeypatch.setenv("OUROBOROS_CLUSTER_TOKEN", "b" * 64)
    words = ["--token-file", str(home / "other")] if given == "file" else []
    with (home / "cluster" / LOCK_NAME).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert cli.run(["cluster", "join", "192.168.1.100:6380", *words]) == 2
    assert token_path(home).read_text() == "a" * 64


def test_a_name_that_none_can_be_is_told() -> None:
    with pytest.raises(MachineError, match="there is no way to it"):
        route_to("ü" * 70)


@pytest.mark.parametrize(("how", "said"), [(signal.SIGKILL, "signal 9"), (signal.SIGTERM, "")])
def test_a_service_manager_sees_how_the_node_ended(monkeypatch: pytest.MonkeyPatch, how: int, said: str) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the handlers are this process's
    script = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(0)); print(flush=True); signal.pause()"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
    facts = {"pid": process.pid, "began": process_began(process.pid), "ray_folder": "", "host": "", "head": ""}
    os.kill(process.pid, how)
    note = NodeNote(role=NodeRole.WORKER, **facts)
    with pytest.raises(OuroborosError, match=said) if said else nullcontext():
        _stay(note, foreground=True)
    process.wait()


def test_of_machines_that_are_called_alike_the_address_says_which() -> None:
    """It was the last one listed that had to leave, perhaps the head."""
    nodes = [
        {"NodeID": address, "NodeName": "debian", "NodeManagerAddress": address} for address in ("10.0.0.1", "10.0.0.2")
    ]
    with pytest.raises(BadInputError, match=r"2 nodes have that name \(debian\). .*10.0.0.1, 10.0.0.2"):
        the_node(nodes, "debian")
    assert the_node(nodes, "10.0.0.2") is nodes[1]
    assert the_node([nodes[0]], "debian") is nodes[0]
    with pytest.raises(BadInputError, match="There are: debian, debian"):
        the_node(nodes, "desk")
