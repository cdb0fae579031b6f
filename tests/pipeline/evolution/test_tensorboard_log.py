"""TensorBoard's files, read back by TensorBoard; and the time left."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline.evolution.tensorboard_log import Eta, TensorboardLog


def read(folder: Path, tag: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_what_is_written_is_shown_at_once(tmp_path: Path) -> None:
    diary = TensorboardLog(tmp_path / "diary")
    diary.write(1, {"loss": 0.5, "rate": 2.0})
    diary.write(3, {"loss": 0.25})
    assert read(diary.folder, "loss") == [(1, 0.5), (3, 0.25)]
    assert read(diary.folder, "rate") == [(1, 2.0)]
    diary.close()
    diary.close()


def test_a_resumed_run_doubles_no_step(tmp_path: Path) -> None:
    killed = TensorboardLog(tmp_path)
    for step in range(6):
        killed.write(step, {"loss": float(step)})
    resumed = TensorboardLog(tmp_path)
    resumed.begin(4)
    for step in range(4, 8):
        resumed.write(step, {"loss": float(step)})
    resumed.close()
    assert read(tmp_path, "loss") == [(step, float(step)) for step in range(8)]
    killed.close()


def test_the_time_left_follows_the_speed_of_late() -> None:
    eta = Eta(memory_s=10)
    assert eta.left_s(0.0, 100) is None
    assert eta.left_s(0.1, 110) == pytest.approx(90)
    for second in range(1, 21):  # twice as fast from here on
        left = eta.left_s(0.1 + 0.02 * second, 110 + second)
    assert left == pytest.approx(25)
    assert eta.left_s(1.0, 140) == 0


def test_going_back_forgets_the_speed() -> None:
    eta = Eta()
    eta.left_s(0.2, 0)
    eta.left_s(0.4, 1)
    assert eta.left_s(0.2, 2) is None
    assert eta.left_s(0.3, 3) == pytest.approx(7)


def test_no_progress_is_no_time_known() -> None:
    eta = Eta()
    eta.left_s(0.2, 0)
    assert eta.left_s(0.2, 5) is None
