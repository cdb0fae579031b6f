"""A worker on a disk that fills up: a small tmpfs in a mount name space of its own."""

import json
import shlex
import subprocess
import sys

import pytest
from left_out import OWN_MOUNTS, own_mounts

from runner.worker.run_folder import WorkerExit


@pytest.fixture
def on_small_disk(request_for, environment, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=1m tmpfs {shlex.quote(str(disk))}"
    own_mounts(mount)

    def run(job, *extra):
        request_file = tmp_path / "request-to-send.json"
        request_file.write_text(request_for(f"worker_jobs:{job}").model_dump_json())
        script = environment["PYTHONPATH"] + "/worker_full_disk.py"
        command = shlex.join([sys.executable, script, str(disk), str(request_file), *extra])
        inside = [*OWN_MOUNTS, "sh", "-c", f"{mount} && exec {command}"]
        done = subprocess.run(inside, env=environment, stdout=subprocess.PIPE, check=True, timeout=120)
        return json.loads(done.stdout)

    return run


def test_a_disk_that_fills_up_costs_neither_heartbeat_nor_result(on_small_disk):
    told = on_small_disk("fill_the_disk")
    assert (told["exit_code"], told["problem"]) == (WorkerExit.SUCCEEDED, "")
    assert told["result"]["outcome"] == "succeeded"
    assert told["result"]["state"]["iteration"] == 9


def test_on_a_full_disk_nothing_begins_and_everybody_says_so(on_small_disk):
    told = on_small_disk("start_on_a_full_disk", "fill")
    assert told["exit_code"] == WorkerExit.NO_CLAIM
    assert "No space left" in told["launch"]
    assert "No space left" in told["revoke"]
    assert told["files"] == ["request.json"]
