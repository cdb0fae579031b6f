"""500 times kill -9 at a random moment over a simulated fortnight: nothing lost, nothing doubled, nothing left."""

from pathlib import Path

import pytest
from test_daemon_random_kills import lives


@pytest.mark.timeout(7200)
def test_five_hundred_kills_over_a_fortnight(tmp_path: Path) -> None:
    counted = lives(tmp_path / "home", 500, 14, 7000)
    print(counted)
    assert counted["kills"] == 500
    assert counted["occurrences"] >= 14 * 9 - 1
