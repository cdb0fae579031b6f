"""What every page is given: the reader's clock, words for values, and the answer to what was just asked."""

from typing import Any

from litestar import Request
from litestar.exceptions import NotFoundException
from litestar.response import Template

from runner.web.pages import charts, words
from runner.web.pages.words import Clockwork
from runner.web.site import Site
from schemas.outside_text import NAME_LIMIT, line

AnyRequest = Request[Any, Any, Any]
ZONE_COOKIE = "zone"
ASKED = "asked"
"""Query parameter: the id of the command whose answer the page shows."""


def clockwork(request: AnyRequest, site: Site) -> Clockwork:
    """The clock of this reader: `live.js` tells the browser's zone by a cookie."""
    return Clockwork(words.zone_of(request.cookies.get(ZONE_COOKIE)), site.clock())


def page(request: AnyRequest, site: Site, name: str, title: str, here: str, **context: Any) -> Template:
    """A page of the site.

    Args:
        name: of its template.
        here: path of the entry in the navigation that it belongs to.
    """
    given = {
        "title": line(title, NAME_LIMIT),
        "here": here,
        "clock": context.pop("clock", None) or clockwork(request, site),
        "asked": _asked(request, site),
        "span": words.span,
        "count": words.count,
        "percent": words.percent,
        "gain": words.gain,
        "rate": words.rate,
        "elo_words": words.elo_words,
        "words": words.words,
        "line": line,
        "gauge": charts.gauge,
        "badge": badge,
    }
    return Template(name, context=given | context)


def badge(status: str | None) -> str:
    """The look of a status: `good`, `bad`, `warn` or `now`."""
    return _BADGES.get(status or "", "")


_BADGES = {
    "succeeded": "good", "promoted": "good", "accepted": "good", "champion": "good", "win": "good", "sent": "good",
    "failed": "bad", "lost": "bad", "timed_out": "bad", "error": "bad", "regressed": "bad", "loss": "bad",
    "missed": "warn", "cancelled": "warn", "rejected": "warn", "coalesced": "warn", "queued": "warn", "paused": "warn",
    "draw": "warn", "retired": "warn", "waiting": "warn", "silent": "bad", "stopped": "bad",
    "running": "now", "starting": "now", "executing": "now", "monitoring": "good", "idle": "warn", "under way": "now",
}  # fmt: skip


def missing(what: str) -> NotFoundException:
    """Raise it for what is not there."""
    return NotFoundException(f"There is no {line(what, NAME_LIMIT)}.")


def _asked(request: AnyRequest, site: Site) -> Any:
    from runner.web.problems import ProblemError
    from runner.web.steer import read_command

    number = request.query_params.get(ASKED, "")
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        return None
    try:
        return read_command(site, int(number))
    except ProblemError:
        return None
