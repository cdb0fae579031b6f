"""Races for a run's claim, as JSON on stdout. `worker_races.py children|revoke FOLDER REQUEST_FILE ROUNDS`

The contenders are forked from this process, so that a hundred rounds cost seconds and not minutes; each runs the
worker's real `main`. It forks only while it has one thread.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from runner.worker import child
from runner.worker.identity import own_identity
from runner.worker.run_folder import ClaimRole, RunDir
from schemas.execution import RunRequest

REVOKED = 99


def _contender(work):
    """A forked process that does `work` once the gate opens; its exit code is the work's."""
    ready_read, ready_write = os.pipe()
    gate_read, gate_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(gate_write)
        os.write(ready_write, b"r")
        os.read(gate_read, 1)
        os._exit(work())
    os.close(gate_read)
    os.read(ready_read, 1)
    os.close(ready_read)
    os.close(ready_write)
    return pid, gate_write


def _run(folder, request, works):
    shutil.rmtree(folder, ignore_errors=True)
    run_dir = RunDir(folder)
    run_dir.create()
    run_dir.write_request(request)
    contenders = [_contender(work(folder)) for work in works]
    for _, gate in contenders:  # a byte, not a close: the later contender holds a copy of the earlier one's gate
        os.write(gate, b"g")
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid, _ in contenders]
    for _, gate in contenders:
        os.close(gate)
    worked = folder / "worked"
    return codes, worked.read_text().count("worked") if worked.exists() else 0


def _child(folder):
    return lambda: child.main([str(folder)])


def _revoker(delay):
    def work(folder):
        def revoke():
            for _ in range(delay):
                pass
            return REVOKED if RunDir(folder).take_claim(ClaimRole.REVOKED, own_identity()) else 0

        return revoke

    return work


def main(kind, folder, request_file, rounds):
    request = RunRequest.model_validate_json(Path(request_file).read_bytes())
    quiet = os.open(os.devnull, os.O_WRONLY)
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    told = []
    for number in range(int(rounds)):
        works = [_child, _child] if kind == "children" else [_child, _revoker((number % 20) ** 2 * 2000)]
        codes, worked = _run(Path(folder) / f"run-{number}", request, works)
        told.append({"codes": codes, "worked": worked})
    answer.write(json.dumps(told))
    answer.flush()


main(*sys.argv[1:])
