"""Work of one step shared among threads that change what belongs to the run."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def run_all(workers: ThreadPoolExecutor, work: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    """What `work` returns for each item, computed side by side.

    Raises whatever the first item that failed raised, but only once every other one has ended too: `Executor.map` hands
    an error on while the rest still works, and a caller that then goes back to a state kept before would have it
    changed under its hands.
    """
    begun = [workers.submit(work, item) for item in items]
    wait(begun)
    return [each.result() for each in begun]
