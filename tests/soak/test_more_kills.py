"""Kills of the pipeline and its learner that `make test` tries a few of: more of them, in `make checked`."""

from pathlib import Path

import pytest
from test_pipeline_kills import lives

from tests.pipeline.phases.test_continuous import killed_as_undisturbed


@pytest.mark.timeout(1500)
def test_killed_at_random_moments_a_run_goes_on_to_its_end(tmp_path: Path) -> None:
    counted = lives(tmp_path, 12, 6, 1, export=False)
    assert counted["kills"] == 12
    assert counted["resumed"] >= 2


@pytest.mark.timeout(1500)
def test_ten_cycles_in_two_runs_killed_again_and_again_come_to_what_they_come_to_undisturbed(tmp_path: Path) -> None:
    killed_as_undisturbed(tmp_path, 5, 8)
