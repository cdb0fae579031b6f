"""Runs one worker in a folder on a small file system and tells how it ended, as JSON.

`worker_full_disk.py FOLDER REQUEST_FILE [fill]`; with `fill` the disk is full once the request is written.
"""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

from runner.worker.launch import Launcher
from runner.worker.run_folder import RunDir
from schemas.errors import WorkerError
from schemas.execution import RunRequest
from schemas.service import WorkerSettings


def run(folder, request):
    launcher = Launcher(WorkerSettings())
    handle = launcher.launch(request, folder / "run", time.monotonic())
    while not (seen := launcher.observe(handle, time.monotonic())).ended:
        time.sleep(0.02)
    launcher.release(handle)
    result = seen.result and json.loads(seen.result.model_dump_json())
    return {"exit_code": seen.exit_code, "result": result, "problem": seen.result_problem}


def run_full(folder, request):
    run_dir = RunDir(folder / "run")
    run_dir.create()
    run_dir.write_request(request)
    with (folder / "ballast").open("wb", buffering=0) as ballast:
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(bytes(size))
    command = [sys.executable, "-m", "runner.worker.child", str(run_dir.path)]
    told = {"exit_code": subprocess.run(command, check=False).returncode}
    launcher = Launcher(WorkerSettings())
    for name, act in {
        "launch": lambda: launcher.launch(request, folder / "another", time.monotonic()),
        "revoke": lambda: launcher.revoke(run_dir.path),
    }.items():
        try:
            act()
        except WorkerError as error:
            told[name] = str(error)
    told["files"] = sorted(path.name for path in run_dir.path.iterdir())
    return told


folder, request_file, *fill = sys.argv[1:]
request = RunRequest.model_validate_json(Path(request_file).read_bytes())
print(json.dumps((run_full if fill else run)(Path(folder), request)))
