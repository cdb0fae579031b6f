"""100 times kill -9 at a random moment of short pipeline runs: gone on with every time, no file torn, no game twice."""

from pathlib import Path

import pytest
from test_pipeline_kills import lives


@pytest.mark.timeout(7200)
def test_a_hundred_kills(tmp_path: Path) -> None:
    counted = lives(tmp_path, 100, 12, 1000, export=True)
    print(counted)
    assert counted["kills"] == 100
