"""Short runs of the pipeline, killed again and again: `python pipeline_lives.py FOLDER KILLS MOST_PER_RUN SEED EXPORT`.

The pipeline is imported once and forked for every life, which is killed with SIGKILL: either after a random amount of
its processor time (so that a slow machine makes no difference), or at a random one of its file operations, at which
most of what can be torn is torn. After every kill what stands on disk is looked at. A run that was killed MOST_PER_RUN
times is left to end; then another one begins, in a folder of its own, until KILLS are done. The last line printed is a
summary as JSON.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import psutil
from tiny_pipeline import settings_for

from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.orchestrator.pipeline import SelfPlayTrainingPipeline
from pipeline.orchestrator.run_record import RunRecord, load_run
from schemas.model import PipelineState
from schemas.training import Device, TrainingConfiguration

LONGEST_S = 4.0
"""Of processor time, before a kill; a whole run takes about twice as much."""
MOST_STEPS = 120
"""File operations before a kill; a whole run has a few hundred."""
LOOK_S = 0.002
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def asked(*, export: bool) -> TrainingConfiguration:
    phases = ["bootstrap", "hybrid", "self_play", "continuous"]
    return TrainingConfiguration(target_phases=phases, device=Device.CPU, export_onnx=export)


def _die_at_step(step: int) -> Callable[[str, tuple[object, ...]], None]:
    """An audit hook that kills this process at its `step`-th operation on files."""
    left = step

    def hook(event: str, args: tuple[object, ...]) -> None:
        nonlocal left
        writes = event == "open" and isinstance(args[2], int) and args[2] & _WRITING
        if writes or event in {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "sqlite3.connect"}:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


def _live(home: Path, seed: int, step: int | None, *, export: bool) -> None:
    """Go on with the run, in a process that ends here; what it says goes to `log.txt`."""
    code = 1
    try:
        with (home / "log.txt").open("a", buffering=1) as log:
            if step is not None:
                sys.addaudithook(_die_at_step(step))
            pipeline = SelfPlayTrainingPipeline(
                settings_for(home), seed=seed, echo=lambda line: print(line, file=log, flush=True)
            )
            code = 0 if pipeline.run_complete_pipeline(asked(export=export)) else 3
    except BaseException:  # noqa: BLE001 - nothing may come back out of a forked child
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _one_life(home: Path, seed: int, chance: random.Random | None, *, export: bool) -> bool:
    """Fork a life and, with `chance`, kill it; return whether it was killed (else the run has ended)."""
    step = chance.randint(1, MOST_STEPS) if chance is not None and chance.random() < 0.5 else None
    moment_s = chance.uniform(0, LONGEST_S) if chance is not None and step is None else None
    pid = os.fork()
    if pid == 0:
        _live(home, seed, step, export=export)
    status = _wait(pid, moment_s)
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) != signal.SIGKILL:
            raise SystemExit(f"{home}: a life ended by signal {os.WTERMSIG(status)}")
        return True
    if os.WEXITSTATUS(status) != 0:
        raise SystemExit(f"{home}: a life ended with exit code {os.WEXITSTATUS(status)}")
    return False


def _wait(pid: int, moment_s: float | None) -> int:
    if moment_s is None:
        return os.waitpid(pid, 0)[1]
    process = psutil.Process(pid)
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        used = process.cpu_times()
        if used.user + used.system >= moment_s:
            os.kill(pid, signal.SIGKILL)
            return os.waitpid(pid, 0)[1]
        time.sleep(LOOK_S)


def _look(home: Path, before: RunRecord | None) -> RunRecord | None:
    """What a kill left: files that can be read, and a record that only ever moves forward."""
    folder = settings_for(home).pipeline_dir
    record = load_run(folder)
    if (folder / "state.json").exists():
        PipelineState.model_validate_json((folder / "state.json").read_bytes())
    torn: list[str] = []
    for path in folder.rglob("checkpoints"):
        CheckpointFolder(path, 3, torn.append).latest()
    if torn:
        raise SystemExit(f"{home}: {torn}")
    if before is not None:
        if record is None or record.run_id != before.run_id:
            raise SystemExit(f"{home}: run {before.run_id} was forgotten")
        for old, new in zip(before.phases, record.phases, strict=True):
            if (old.done and new.model_copy(update={"spent_s": old.spent_s}) != old) or old.spent_s > new.spent_s:
                raise SystemExit(f"{home}: {old} became {new}")
            if old.model_id not in (None, new.model_id):
                raise SystemExit(f"{home}: {old.model_id} became {new.model_id}")
    return record


def one_run(home: Path, kills: int, seed: int, *, export: bool) -> dict[str, int]:
    """Kill a run so often, at the most, then let it end; return what was counted."""
    home.mkdir(parents=True)
    chance = random.Random(seed)
    killed = resumable = 0
    record: RunRecord | None = None
    while _one_life(home, seed, chance if killed < kills else None, export=export):
        killed += 1
        record = _look(home, record)
        resumable += record is not None
    record = _look(home, record)
    if record is None or not record.finished:
        raise SystemExit(f"{home}: the run has not ended: {record}")
    told = (home / "log.txt").read_text().splitlines()
    resumed = sum("Resumed run" in line for line in told)
    begun = sum(": bootstrap, hybrid, self_play, continuous from nothing" in line for line in told)
    return {"kills": killed, "resumed": resumed, "begun": begun, "left_a_run": resumable}


def main(folder: str, kills: str, most_per_run: str, seed: str, export: str) -> None:
    total = {"runs": 0, "kills": 0, "resumed": 0, "begun": 0, "left_a_run": 0}
    while total["kills"] < int(kills):
        most = min(int(most_per_run), int(kills) - total["kills"])
        home = Path(folder) / f"run-{total['runs']}"
        counted = one_run(home, most, int(seed) + total["runs"], export=export == "export")
        total = {name: total[name] + counted.get(name, 1) for name in total}
        print(json.dumps(total | {"home": home.name}), flush=True)
    print(json.dumps(total), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
