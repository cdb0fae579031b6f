"""What two readings of the clocks say, in words and numbers."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from runner.clock import SHORTEST_SLEEP_S, SMALLEST_STEP_S, ClockReading, SystemClock, change, read

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SECONDS = st.floats(0, 1e6)


@given(passed_s=SECONDS, step_s=st.floats(-1e8, 1e8), slept_s=SECONDS)
def test_a_step_is_what_the_wall_moved_beyond_the_time_that_passed(passed_s, step_s, slept_s):
    before = ClockReading(NOW, 1000.0, 5.0)
    elapsed_s = passed_s + slept_s
    wall = NOW + timedelta(seconds=elapsed_s + step_s)
    seen = change(before, ClockReading(wall, 1000.0 + elapsed_s, 5.0 + slept_s))
    found_step_s, found_sleep_s = (seen.step_s, seen.slept_s) if seen else (0.0, 0.0)
    assert abs(found_step_s - step_s) < 1e-3 or (found_step_s == 0.0 and abs(step_s) < SMALLEST_STEP_S + 1e-3)
    assert abs(found_sleep_s - slept_s) < 1e-3 or (found_sleep_s == 0.0 and slept_s < SHORTEST_SLEEP_S + 1e-3)


def test_the_machines_own_clocks_show_no_step_while_nobody_sets_them():
    clock = SystemClock()
    first = read(clock)
    assert change(first, read(clock)) is None


def test_a_process_that_was_stopped_between_two_clocks_reads_again():
    class Stopped(SystemClock):
        """Stopped for an hour after its first look at the wall."""

        looks = 0

        def now(self) -> datetime:
            self.looks += 1
            return NOW if self.looks == 1 else NOW + timedelta(hours=1)

        def elapsed_s(self) -> float:
            return 0.0 if self.looks == 0 else 3600.0

        def slept_s(self) -> float:
            return 0.0

    reading = read(Stopped())
    assert (reading.wall, reading.elapsed_s) == (NOW + timedelta(hours=1), 3600.0)
