"""What a training writes down as it goes: TensorBoard's event files, and when it will be done."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

Report = Callable[[float, str, Mapping[str, float]], None]
"""Told how much is done (0..1), what is being done, and numbers worth a curve."""
_QUEUE: Final = 64
_FLUSH_S: Final = 30


class TensorboardLog:
    """Numbers by step in a folder that TensorBoard shows; one log per training, one writer at a time."""

    def __init__(self, folder: Path) -> None:
        """Write into `folder`, which is made when something is written."""
        self.folder: Final = folder
        self._writer: EventFileWriter | None = None

    def begin(self, step: int) -> None:
        """Go on from `step`: what an earlier run wrote of this step or later counts no more, for it comes again."""
        self.close()
        self._writer = EventFileWriter(str(self.folder), _QUEUE, _FLUSH_S)
        started = Event(wall_time=time.time(), step=step, session_log=SessionLog(status=SessionLog.START))
        self._writer.add_event(started)

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write down numbers as they are at this step, and have them on the disk when the call returns."""
        if self._writer is None:
            self.begin(step)
        assert self._writer is not None
        values = [Summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
        self._writer.flush()

    def close(self) -> None:
        """Close the file; writing again begins another."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class Eta:
    """How long the rest of some work will take, from how fast its share done grew of late.

    The speed is that of about the last `memory_s` seconds, so that a slower stretch (validation, a busy machine) shows
    and is forgotten again.
    """

    def __init__(self, memory_s: float = 120.0) -> None:
        self._memory_s: Final = memory_s
        self._points: list[tuple[float, float]] = []

    def left_s(self, done: float, now_s: float) -> float | None:
        """Seconds left, given the share done (0..1) at `now_s` on a monotonic clock; None while that is unknown."""
        points = self._points
        if points and done < points[-1][1]:  # went back
            points.clear()
        points.append((now_s, done))
        while len(points) > 2 and points[1][0] <= now_s - self._memory_s:
            points.pop(0)
        (first_s, first), (last_s, last) = points[0], points[-1]
        if last >= 1:
            return 0.0
        if last <= first or last_s <= first_s:
            return None
        return (1 - last) * (last_s - first_s) / (last - first)
