"""Looking at conditions outside the daemon's loop, each under its time limit.

Every look has a thread of its own, at most one per trigger and `MAX_AT_ONCE` in all. A built-in condition is bounded in
what it reads; should its thread be late all the same (a file system that hangs), it is told of as an error, its trigger
is not looked at again before the thread has ended, and the loop goes on. A condition of the user's own runs in a
process that is killed at the limit. While nothing is looked at, there is no thread.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from runner.triggers.condition_process import ChildRequest, run_condition, snapshot
from runner.triggers.conditions import BUILT_INS, dotted_name
from runner.triggers.context import ConditionContext, ConditionVerdict
from schemas.automation import TriggerCondition
from schemas.outside_text import error_line

MAX_AT_ONCE = 8
_CHILD_START_S = 5.0
"""A user's condition is ended by its own process's limit; its thread may take this much longer."""


@dataclass(frozen=True, slots=True)
class TriggerEvaluation:
    """What came of one look."""

    trigger: TriggerCondition
    verdict: ConditionVerdict | None
    """None: `error` says why there is none; the cursor stays."""
    error: str = ""


@dataclass(slots=True)
class _Look:
    trigger: TriggerCondition
    deadline_s: float
    result: TriggerEvaluation | None = None
    told: bool = False
    thread: threading.Thread = field(default_factory=threading.Thread)


class Evaluator:
    """Starts looks, and hands their results to the loop.

    Args:
        wake: called, from a look's thread, when a result is there to collect.
        monotonic_s: the clock of the time limits.
    """

    def __init__(self, wake: Callable[[], None], monotonic_s: Callable[[], float]) -> None:
        self._wake = wake
        self._monotonic_s = monotonic_s
        self._looks: dict[str, _Look] = {}

    def start(self, trigger: TriggerCondition, context: ConditionContext) -> bool:
        """Begin a look; False if this trigger's last one still goes on, or too many do. Never waits."""
        if trigger.name in self._looks or len(self._looks) >= MAX_AT_ONCE:
            return False
        slack_s = 0.0 if trigger.condition_function in BUILT_INS else _CHILD_START_S
        look = _Look(trigger, self._monotonic_s() + trigger.time_limit_s + slack_s)
        look.thread = threading.Thread(
            target=self._run, args=(look, context), name=f"condition {trigger.name}", daemon=True
        )
        try:
            look.thread.start()
        except RuntimeError:
            return False  # no thread to be had now; the next turn tries again
        self._looks[trigger.name] = look
        return True

    def collect(self) -> list[TriggerEvaluation]:
        """What has ended or run out of time since the last call. Never waits."""
        found: list[TriggerEvaluation] = []
        for name, look in list(self._looks.items()):
            if look.result is not None:
                del self._looks[name]
                if not look.told:
                    found.append(look.result)
            elif not look.told and self._monotonic_s() > look.deadline_s:
                look.told = True
                limit = look.trigger.time_limit_s
                error = f"took longer than its time limit of {limit:g} s; not looked at again until it has ended"
                found.append(TriggerEvaluation(look.trigger, None, error))
        return found

    def close(self, patience_s: float = 2.0) -> None:
        """Wait a moment for looks that go on; their threads do not keep the process alive."""
        for look in list(self._looks.values()):
            look.thread.join(patience_s)

    def _run(self, look: _Look, context: ConditionContext) -> None:
        look.result = evaluate(look.trigger, context)
        self._wake()


def evaluate(trigger: TriggerCondition, context: ConditionContext) -> TriggerEvaluation:
    """Look at one condition here and now; whatever it raises becomes the evaluation's error."""
    try:
        known = BUILT_INS.get(trigger.condition_function)
        if known is not None:
            return TriggerEvaluation(trigger, known.function(context))
        return _by_child(trigger, context)
    except Exception as error:  # noqa: BLE001 - it costs a row and an alert, never the loop
        return TriggerEvaluation(trigger, None, error_line(error))


def _by_child(trigger: TriggerCondition, context: ConditionContext) -> TriggerEvaluation:
    request = ChildRequest(
        target=dotted_name(trigger.condition_function),
        trigger_name=trigger.name,
        now=context.now,
        parameters=dict(context.parameters),
        cursor=context.cursor,
        settings=context.settings,
        working_dir=context.working_dir,
        view=snapshot(context.view, context.now),
    )
    answer = run_condition(request, trigger.time_limit_s)
    if answer.error:
        return TriggerEvaluation(trigger, None, f"{request.target}: {answer.error}")
    return TriggerEvaluation(trigger, ConditionVerdict(answer.fired, answer.reason, answer.cursor))
