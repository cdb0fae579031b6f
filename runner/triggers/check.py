"""`python -m runner.triggers.check`: may the trigger on standard input be saved? Its condition is loaded here only."""

import sys

from runner.triggers.conditions import check_condition
from schemas.automation import TriggerCondition
from schemas.errors import OuroborosError

if __name__ == "__main__":
    try:
        check_condition(TriggerCondition.model_validate_json(sys.stdin.read()))
    except OuroborosError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
