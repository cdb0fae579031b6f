"""Real kill -9 of a process that claims trigger files, again and again: none lost, none twice."""

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
FILES = 600
KILLS = 3


def claimed(folder: Path) -> int:
    return sum(1 for _ in (folder / CLAIMED).iterdir()) if (folder / CLAIMED).is_dir() else 0


def test_every_file_survives_kills_at_any_point(tmp_path: Path) -> None:
    folder = tmp_path / "triggers"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number:04}.json").write_text(json.dumps({"note": str(number)}), encoding="utf-8")
    end = time.monotonic() + 120
    for kill in range(1, KILLS + 1):
        process = subprocess.Popen([sys.executable, "-c", CLAIMER, str(folder)])
        while claimed(folder) < kill * FILES // (KILLS + 1) and process.poll() is None:
            assert time.monotonic() < end, "nothing is claimed"
            time.sleep(0.001)
        process.kill()
        process.wait()
    subprocess.run([sys.executable, "-c", CLAIMER, str(folder)], check=True, timeout=120)
    found = unrecorded(folder, set())
    assert sorted(int(file.request.note) for file in found if file.request is not None) == list(range(FILES))
    assert [path for path in folder.iterdir() if path.is_file()] == []
    assert all(file.received_at > datetime.now(UTC) - timedelta(hours=1) for file in found)
