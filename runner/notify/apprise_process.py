"""`python -m runner.notify.apprise_process`: one message through one Apprise URL, in a process of its own.

The request comes as JSON on standard input, for the URL holds secrets; what came of it is the exit code. Apprise and
the libraries under it wait anew for each byte of an answer, and keep all of it: whoever started this ends it in time,
it ends itself where nobody is left who would, and it takes no more memory than `MOST_BYTES`.
"""

import resource
import signal
import sys

from schemas.base import Frozen

TAKEN, NOT_TAKEN, UNKNOWN_URL = 0, 1, 3
LONGEST_S = 600
MOST_BYTES = 2 << 30
"""Of addresses, which threads and libraries take much of."""


class AppriseRequest(Frozen):
    """What is sent, and where to."""

    url: str
    title: str
    body: str
    good: bool


def main() -> int:
    """Read the request, send it, and tell by the exit code."""
    import apprise

    signal.alarm(LONGEST_S)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    request = AppriseRequest.model_validate_json(sys.stdin.buffer.read())
    service = apprise.Apprise()
    if not service.add(request.url):
        return UNKNOWN_URL
    kind = apprise.NotifyType.SUCCESS if request.good else apprise.NotifyType.WARNING
    return TAKEN if service.notify(title=request.title, body=request.body, notify_type=kind) else NOT_TAKEN


if __name__ == "__main__":
    sys.exit(main())
