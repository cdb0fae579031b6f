"""Stands for a daemon: launches one worker, says so, and waits to be killed. `worker_daemon.py RUN_DIR REQUEST_FILE`"""

import sys
import time
from pathlib import Path

from runner.worker.launch import Launcher
from schemas.execution import RunRequest
from schemas.service import WorkerSettings

request = RunRequest.model_validate_json(Path(sys.argv[2]).read_bytes())
handle = Launcher(WorkerSettings()).launch(request, Path(sys.argv[1]), time.monotonic())
print(handle.identity.pid, flush=True)
time.sleep(600)
