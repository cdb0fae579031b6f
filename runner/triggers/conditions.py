"""Conditions by name: the built-in ones, `package.module:function`, and entry points of group `ouroboros.conditions`.

A condition of the user's own is a function `(ConditionContext) -> ConditionVerdict` (or a bare bool). It runs in a
process of its own (`condition_process`), so this process never imports it; that it exists is checked there too.
`python -m runner.triggers.conditions` says whether the trigger on standard input may be saved.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points

from pydantic import ValidationError

from runner.triggers import built_in, degradation, ladder_conditions
from runner.triggers.condition_process import why_not_callable
from runner.triggers.context import ConditionContext, ConditionVerdict
from schemas.automation import TriggerCondition
from schemas.base import Frozen
from schemas.errors import OuroborosError, ScheduleError
from schemas.settings import describe

ENTRY_POINT_GROUP = "ouroboros.conditions"
Condition = Callable[[ConditionContext], ConditionVerdict]
_DOTTED = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$", re.ASCII)


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A condition of ours and the parameters it takes."""

    function: Condition
    parameters: type[Frozen]


MANUAL_FILE = "check_manual_trigger_file"
BUILT_INS = {
    "check_new_data_threshold": BuiltIn(built_in.check_new_data_threshold, built_in.NewDataParameters),
    "check_performance_degradation": BuiltIn(
        degradation.check_performance_degradation, degradation.DegradationParameters
    ),
    "check_schedule_overdue": BuiltIn(built_in.check_schedule_overdue, built_in.ScheduleOverdueParameters),
    "check_resource_availability": BuiltIn(built_in.check_resource_availability, built_in.ResourceParameters),
    MANUAL_FILE: BuiltIn(built_in.check_manual_trigger_file, built_in.TriggerFileParameters),
    "check_schedule_ended": BuiltIn(built_in.check_schedule_ended, built_in.ScheduleEndedParameters),
    "check_arena_rating_drop": BuiltIn(
        ladder_conditions.check_arena_rating_drop, ladder_conditions.RatingDropParameters
    ),
}


def check_condition(trigger: TriggerCondition) -> None:
    """Refuse a trigger whose condition does not exist or does not take its parameters. A condition of the user's own
    is looked up in a child process.

    Raises:
        ScheduleError: names the parameter, or the import that failed.
    """
    where = f"condition_function of trigger {trigger.name}"
    known = BUILT_INS.get(trigger.condition_function)
    if known is not None:
        _check_parameters(trigger, known)
        return
    try:
        target = dotted_name(trigger.condition_function)
    except LookupError as error:
        raise ScheduleError(
            str(error),
            where=where,
            remedy=f"Built in are {', '.join(BUILT_INS)}; your own is named `package.module:function`.",
        ) from error
    problem = why_not_callable(target)
    if problem:
        raise ScheduleError(f"condition {target} cannot be used: {problem}", where=where)


def dotted_name(name: str) -> str:
    """`package.module:function` of a condition that is not built in; an entry point's name is looked up.

    Raises:
        LookupError: there is none of that name.
    """
    if _DOTTED.match(name):
        return name
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        return point.value.replace(" ", "")
    raise LookupError(f"no condition {name!r}: neither built in, nor `package.module:function`, nor an entry point")


def _check_parameters(trigger: TriggerCondition, known: BuiltIn) -> None:
    try:
        known.parameters.model_validate(trigger.parameters)
    except ValidationError as error:
        takes = ", ".join(known.parameters.model_fields) or "none"
        raise ScheduleError(
            describe(error),
            where=f"parameters of trigger {trigger.name}",
            remedy=f"{trigger.condition_function} takes {takes}.",
        ) from error


if __name__ == "__main__":
    try:
        check_condition(TriggerCondition.model_validate_json(sys.stdin.read()))
    except OuroborosError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
