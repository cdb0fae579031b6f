"""The win rate so far as a PNG, drawn by a short-lived process.

Matplotlib costs 60 MB of resident memory; the daemon must stay under 90 MB for weeks, so it never imports it.
Run as `python -m runner.notify.plot`: JSON list of `WinRatePoint` on standard input, PNG on standard output.
"""

import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from schemas.errors import WorkerError
from schemas.message import WinRatePoint

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NARROWEST = timedelta(hours=6)
_POINTS = TypeAdapter(list[WinRatePoint])
TIME_LIMIT_S = 60


def draw_win_rates(points: Sequence[WinRatePoint]) -> bytes:
    """A PNG of 640 x 320 pixels: win rate with its interval over time.

    Raises:
        WorkerError: the drawing process failed or took longer than a minute.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "runner.notify.plot"],
            input=_POINTS.dump_json(list(points)),
            capture_output=True,
            timeout=TIME_LIMIT_S,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise WorkerError(f"drawing the win rates took over {TIME_LIMIT_S} s") from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines() or ["no output"]
        raise WorkerError(f"the win rates could not be drawn: {lines[-1]}") from error
    return done.stdout


def time_axis(points: Sequence[WinRatePoint]) -> tuple[datetime, datetime]:
    """Where the time axis begins and ends: a little beyond the runs, and six hours wide at least, so that one run, or
    some of one morning, stand among hours."""
    first, last = min(point.completed_at for point in points), max(point.completed_at for point in points)
    room = max((last - first) * 0.05, (NARROWEST - (last - first)) / 2)
    return first - room, last + room


def figure(points: Sequence[WinRatePoint]) -> "Figure":
    """The plot. Imports matplotlib: for the drawing process and tests."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import dates, pyplot

    drawn, axes = pyplot.subplots(figsize=(6.4, 3.2), dpi=100, layout="constrained")
    times = dates.date2num([point.completed_at for point in points])  # type: ignore[no-untyped-call]
    rates = [100 * point.win_rate for point in points]
    low = [100 * (point.win_rate - (point.low if point.low is not None else point.win_rate)) for point in points]
    high = [100 * ((point.high if point.high is not None else point.win_rate) - point.win_rate) for point in points]
    axes.errorbar(times, rates, yerr=[low, high], marker="o", color="#1f6f43", ecolor="#9cc7ae", capsize=2)
    axes.axhline(50, color="#999999", linewidth=0.8, linestyle=":")
    axes.set_ylabel("best win rate, %")
    axes.set_title("Best win rate after each run (95 % interval), times in UTC", fontsize=10)
    axes.set_xlim(*dates.date2num(time_axis(points)))  # type: ignore[no-untyped-call]
    locator = dates.AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.grid(alpha=0.25)
    return drawn


if __name__ == "__main__":
    figure(_POINTS.validate_json(sys.stdin.buffer.read())).savefig(sys.stdout.buffer, format="png")
