"""What lets a sleeping loop be woken, by other threads and by signal handlers."""

from queue import Empty, SimpleQueue


class Wake:
    """Like `threading.Event`, but `set` may be called in a signal handler.

    `Event.set` takes a lock, which the very code that the signal interrupted may hold: the handler would wait for ever.
    `SimpleQueue.put` is documented as reentrant.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Wake the sleeper, or the next one who would go to sleep. Never waits."""
        self._calls.put(None)

    def sleep(self, timeout_s: float) -> None:
        """Until `set` is called, or was called since the last sleep; at most `timeout_s`."""
        try:
            self._calls.get(timeout=max(0.0, timeout_s))
            while True:
                self._calls.get_nowait()
        except Empty:
            return
