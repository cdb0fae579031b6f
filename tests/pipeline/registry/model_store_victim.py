"""A process that kills itself while it registers and promotes: `python model_store_victim.py HOME POINT VISIT DRAFT`.

It puts model `old`, promotes it, puts `new`, promotes that, rolls back. POINT is one of the model store's named points,
`before rename` (the weights lie in a temporary file) or `never`; it ends by SIGKILL when it passes it for the VISIT-th
time.
"""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pipeline.registry.model_store import ModelStore
from schemas.model import ByHand, ModelDraft, ModelEventKind
from schemas.settings import Settings


def main(home: str, point: str, visit: str, draft: str) -> None:
    visits = int(visit)

    def passing(name: str) -> None:
        nonlocal visits
        if name == point:
            visits -= 1
            if visits == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    rename = Path.replace

    def replace(path: Path, target: Path) -> Path:
        passing("before rename")
        return rename(path, target)

    Path.replace = replace  # type: ignore[method-assign]
    model_store = ModelStore(Settings(home=Path(home)), passing=passing)
    told = ModelDraft.model_validate_json(draft)
    ids = []
    for number, name in enumerate(("old", "new")):
        ids.append(model_store.put(told.model_copy(update={"name": name}), {"layer": np.full(1000, number)}).id)
        if ids[-1] not in {event.model_id for event in model_store.events() if event.kind is ModelEventKind.PROMOTED}:
            model_store.promote(ids[-1], ByHand(asked_by="victim"), datetime.now(UTC))
    if not any(event.kind is ModelEventKind.ROLLED_BACK for event in model_store.events()):
        model_store.roll_back(datetime.now(UTC))


if __name__ == "__main__":
    main(*sys.argv[1:])
