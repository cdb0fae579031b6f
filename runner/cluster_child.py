"""`python -m runner.cluster_child QUESTION HEAD HOST NAME`: asks the cluster, in a process of its own.

Prints a `ClusterReport`. What speaks Ray is an entry point of group `ouroboros.cluster`: this package never imports it,
and what hangs in it is ended with this process.
"""

import os
import sys
from importlib.metadata import entry_points

from schemas.cluster import ClusterReport
from schemas.errors import OuroborosError
from schemas.outside_text import REASON_LIMIT, error_line, line, to_json

GROUP = "ouroboros.cluster"


def main() -> None:
    """Ask, and print what came back; whatever libraries print goes to standard error."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    question, *arguments = sys.argv[1:]
    os.write(answer_to, to_json(_report(question, arguments)).encode())
    os._exit(0)  # Ray's threads may wait for a head that has gone


def _report(question: str, arguments: list[str]) -> ClusterReport:
    try:
        (point,) = entry_points(group=GROUP, name=question)
        report: ClusterReport = point.load()(*arguments)
    except OuroborosError as error:
        return ClusterReport(trouble=line(str(error), REASON_LIMIT))
    except Exception as error:  # noqa: BLE001 - the command tells of it
        return ClusterReport(trouble=error_line(error))
    return report


if __name__ == "__main__":
    main()
