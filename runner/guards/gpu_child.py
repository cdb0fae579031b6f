"""`python -m runner.guards.gpu_child`: looks at the GPUs whenever a line on standard input asks for it.

The driver is asked on a thread of its own, so that the end of the input (the daemon has died) ends this process even
while the driver hangs. Answers go to standard output, a line each; what the driver's library prints does not.
"""

import os
import queue
import sys
import threading

from runner.guards.gpu import NvmlProbe
from schemas.base import Frozen
from schemas.machine import GpuState, GpuUse


class GpuRequest(Frozen):
    """What the daemon wants to know."""

    number: int
    """Comes back with the answer."""
    use_of: frozenset[int] | None = None
    """Process numbers whose use of the GPUs is asked; None: the state of the GPUs."""
    own_pids: frozenset[int] = frozenset()
    """Processes that do not make a GPU busy."""


class GpuReply(Frozen):
    """What the driver told."""

    number: int
    state: GpuState | None = None
    use: GpuUse | None = None


def main() -> None:
    """GpuReply until the input ends."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    questions: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_answer_all, args=(questions, answer_to), daemon=True).start()
    for line in sys.stdin.buffer:
        questions.put(line)
    os._exit(0)


def _answer_all(questions: "queue.SimpleQueue[bytes]", answer_to: int) -> None:
    probe = NvmlProbe()
    try:
        while True:
            question = GpuRequest.model_validate_json(questions.get())
            os.write(answer_to, _answer(probe, question).model_dump_json().encode() + b"\n")
    finally:
        os._exit(1)  # without answers this process is of no use; the daemon begins anew


def _answer(probe: NvmlProbe, question: GpuRequest) -> GpuReply:
    if question.use_of is None:
        return GpuReply(number=question.number, state=probe.look(question.own_pids))
    return GpuReply(number=question.number, use=probe.use_of(set(question.use_of)))


if __name__ == "__main__":
    main()
