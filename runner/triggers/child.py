"""`python -m runner.triggers.child`: imports and runs one condition of the user's own, and answers on descriptor 3.

What the condition prints goes to standard error, which the parent keeps for its messages.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Callable

from runner.triggers.child_request import ChildAnswer, ChildRequest
from runner.triggers.context import ConditionContext, ConditionVerdict
from schemas.outside_text import error_line, to_json


def main() -> None:
    """Read the request from standard input, write the answer."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    request = ChildRequest.model_validate_json(sys.stdin.buffer.read())
    try:
        answer = _answer(request)
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises, `SystemExit` too, is its answer
        trace = traceback.extract_tb(error.__traceback__)[-1]
        answer = ChildAnswer(error=f"{error_line(error)} ({trace.filename}:{trace.lineno})")
    os.write(answer_to, to_json(answer).encode())


def _answer(request: ChildRequest) -> ChildAnswer:
    function = _load(request.target)
    if request.view is None:
        return ChildAnswer()
    verdict = function(
        ConditionContext(
            trigger_name=request.trigger_name,
            now=request.now,
            parameters=request.parameters,
            cursor=request.cursor,
            settings=request.settings,
            working_dir=request.working_dir,
            view=request.view,
        )
    )
    if isinstance(verdict, bool):
        return ChildAnswer(fired=verdict, reason=f"{request.target} answered {verdict}", cursor=request.cursor)
    if not isinstance(verdict, ConditionVerdict):
        raise TypeError(f"{request.target} returned {type(verdict).__name__}, not a ConditionVerdict or a bool")
    return ChildAnswer(fired=verdict.fired, reason=verdict.reason, cursor=verdict.cursor)


def _load(target: str) -> Callable[[ConditionContext], ConditionVerdict | bool]:
    module, _, name = target.partition(":")
    function: Callable[[ConditionContext], ConditionVerdict | bool] = getattr(importlib.import_module(module), name)
    if not callable(function):
        raise TypeError(f"{target} is no function")
    return function


if __name__ == "__main__":
    main()
