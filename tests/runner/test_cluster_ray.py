"""What is said when Ray does not start: a reason that somebody can do something about."""

import os
from pathlib import Path

import psutil
import pytest

from runner.cluster_ray import RayProcesses, _living
from schemas.cluster import NodeRequest, NodeRole, cluster_dir
from schemas.settings import Settings


@pytest.mark.parametrize(
    ("role", "said", "words"),
    [
        (NodeRole.WORKER, "RuntimeError: Timed out waiting for the GCS", "one of the two speaks TLS and the other"),
        (NodeRole.MASTER, "RuntimeError: Timed out waiting for a file", "this machine is too busy"),
        (NodeRole.WORKER, "Unauthenticated: InvalidAuthToken", "the token is another one than the head's"),
        (NodeRole.MASTER, "something\nnobody foresaw\n", "Ray does not start: nobody foresaw"),
        (NodeRole.WORKER, "", "Ray does not start: it says nothing"),
    ],
)
def test_the_reason_is_in_words(tmp_path: Path, role: NodeRole, said: str, words: str) -> None:
    request = NodeRequest(role=role, head="192.168.1.100:6380", host="192.168.1.101", name="desk")
    cluster_dir(tmp_path).mkdir()
    (cluster_dir(tmp_path) / "ray.log").write_text(said)
    assert words in RayProcesses(Settings(home=tmp_path), request, 1)._why()


def test_a_process_that_ends_while_it_is_looked_at_ends_no_node(monkeypatch: pytest.MonkeyPatch) -> None:
    class Going:
        def status(self) -> str:
            return psutil.STATUS_SLEEPING

        def name(self) -> str:
            raise psutil.NoSuchProcess(1)

    class Staying(Going):
        def name(self) -> str:
            return "raylet"

    monkeypatch.setattr(psutil.Process, "children", lambda self: [Going(), Staying()])
    assert _living(os.getpid()) == ["raylet"]
