"""Writes the golden fire times from the slow definition in `tests/runner/schedule/conftest.py`, not from our own code.

Run it only to add a zone or a line (`python tests/golden/fire_times/make.py`), and read the difference: every change of
clocks in the files was looked at by a person.
"""

import importlib.util
import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

HERE = Path(__file__).parent
LINES = ["0 0 * * *", "30 1 * * *", "0 2 * * *", "15 2 * * 0", "30 2 * * *", "0 3 L * *", "0 * * * *", "*/30 * * * *",
         "0 */2 * * *", "0 */6 * * *", "30 0 1 JAN,JUL *"]  # fmt: skip
SPANS = {
    "new_york": ("America/New_York", 2026, 2029),
    "london": ("Europe/London", 2026, 2029),
    "lord_howe": ("Australia/Lord_Howe", 2026, 2029),
    "sao_paulo": ("America/Sao_Paulo", 2026, 2029),
    "sao_paulo_with_summer_time": ("America/Sao_Paulo", 2016, 2019),
    "kolkata": ("Asia/Kolkata", 2026, 2029),
    "utc": ("UTC", 2026, 2029),
}


def runs(fires: list[datetime]) -> list[str]:
    """Fires as runs of equal spacing: `2026-03-09T06:30Z every 86400s x 238`."""
    steps = [int((later - earlier).total_seconds()) for earlier, later in pairwise(fires)]
    told, start = [], 0
    while start < len(fires):
        step = steps[start] if start < len(steps) else 0
        count = 1
        while start + count - 1 < len(steps) and steps[start + count - 1] == step:
            count += 1
        told.append(f"{fires[start]:%Y-%m-%dT%H:%M}Z every {step}s x {count}")
        start += count
    return told


def main() -> None:
    spec = importlib.util.spec_from_file_location("definition", HERE.parents[1] / "runner/schedule/conftest.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, (zone, first, last) in SPANS.items():
        start, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last, 1, 1, tzinfo=UTC)
        lines = {line: runs(module.fires_by_definition(line, zone, start, end)) for line in LINES}
        golden = {"zone": zone, "after": start.isoformat(), "until": end.isoformat(), "lines": lines}
        (HERE / f"{name}.json").write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
