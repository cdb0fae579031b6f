"""Real kill -9 of a process that claims drops, again and again: none lost, none twice."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runner.triggers.trigger_files import CLAIMED, unrecorded

CLAIMER = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from runner.triggers.trigger_files import scan
while scan(Path(sys.argv[1]), datetime.now(UTC) + timedelta(minutes=5), 7).more:
    pass
"""
DROPS = 600
KILLS = 3


def claimed(folder: Path) -> int:
    return sum(1 for _ in (folder / CLAIMED).iterdir()) if (folder / CLAIMED).is_dir() else 0


def test_every_drop_survives_kills_at_any_point(tmp_path: Path) -> None:
    folder = tmp_path / "triggers"
    folder.mkdir()
    for number in range(DROPS):
        (folder / f"{number:04}.json").write_text(json.dumps({"note": str(number)}), encoding="utf-8")
    end = time.monotonic() + 120
    for kill in range(1, KILLS + 1):
        process = subprocess.Popen([sys.executable, "-c", CLAIMER, str(folder)])
        while claimed(folder) < kill * DROPS // (KILLS + 1) and process.poll() is None:
            assert time.monotonic() < end, "nothing is claimed"
            time.sleep(0.001)
        process.kill()
        process.wait()
    subprocess.run([sys.executable, "-c", CLAIMER, str(folder)], check=True, timeout=120)
    found = unrecorded(folder, set())
    assert sorted(int(drop.request.note) for drop in found if drop.request is not None) == list(range(DROPS))
    assert [path for path in folder.iterdir() if path.is_file()] == []
    assert all(drop.received_at > datetime.now(UTC) - timedelta(hours=1) for drop in found)
